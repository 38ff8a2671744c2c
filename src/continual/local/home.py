"""Everything one local deployment keeps, in one folder."""

from __future__ import annotations

import base64
import json
import os
import secrets
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from continual.errors import ContinualError


@dataclass(frozen=True, repr=False)
class Secrets:
    """Generated once per home; `repr` shows nothing so that no log line can hold one."""

    jwt_secret: str
    api_secret_key: str
    fernet_key: str
    admin_password: str
    serving_api_key: str

    def __repr__(self) -> str:
        return "Secrets(...)"


def _fernet_key() -> str:
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()


_GENERATORS: dict[str, Callable[[], str]] = {
    "jwt_secret": lambda: secrets.token_urlsafe(64),
    "api_secret_key": lambda: secrets.token_urlsafe(48),
    "fernet_key": _fernet_key,
    "admin_password": lambda: secrets.token_urlsafe(18),
    "serving_api_key": lambda: secrets.token_urlsafe(32),
}


@dataclass(frozen=True)
class Home:
    """The state of one deployment: `airflow/ mlflow/ store/ landing/ policies/ logs/ secrets.json`."""

    root: Path

    def __post_init__(self) -> None:
        object.__setattr__(self, "root", Path(self.root).expanduser().resolve())

    @property
    def airflow(self) -> Path:
        return self.root / "airflow"

    @property
    def mlflow(self) -> Path:
        return self.root / "mlflow"

    @property
    def store(self) -> Path:
        return self.root / "store"

    @property
    def landing(self) -> Path:
        return self.root / "landing"

    @property
    def policies(self) -> Path:
        return self.root / "policies"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    def create(self) -> Home:
        """Make the folders, readable by their owner only; returns self."""
        folders = (self.root, self.airflow, self.mlflow, self.store, self.landing, self.policies, self.logs)
        for folder in (*folders, self.airflow / "no-plugins", self.mlflow / "artifacts"):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return self

    def secrets(self) -> Secrets:
        """The home's secrets, generated on first use and reused afterwards (file mode 0600).

        Raises
        ------
        ContinualError: `secrets.json` exists but does not hold a JSON object of strings.
        """
        path = self.root / "secrets.json"
        values = _read_strings(path) if path.exists() else {}
        missing = {name: make() for name, make in _GENERATORS.items() if name not in values}
        if missing:
            values = {**values, **missing}
            write_private(path, json.dumps(values, indent=1))
        return Secrets(**{name: values[name] for name in _GENERATORS})


def write_private(path: Path, text: str) -> None:
    """Replace `path` in one step by a file of mode 0600."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")  # mkstemp creates 0600
    with os.fdopen(handle, "w") as file:
        file.write(text)
    os.replace(temporary, path)


def _read_strings(path: Path) -> dict[str, str]:
    try:
        values = json.loads(path.read_text())
    except ValueError:
        values = None
    if not isinstance(values, dict) or not all(isinstance(v, str) for v in values.values()):
        raise ContinualError(
            "The secrets file must be a JSON object of strings.",
            f"{path} is not.",
            "restore it from a backup, or delete it to generate new secrets (stored connections become unreadable).",
        )
    return values
