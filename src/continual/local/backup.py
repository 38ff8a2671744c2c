"""A copy of a running deployment's home that can be put back: databases at one instant, then the files they name.

The order makes it consistent. Nothing is promoted while the databases are copied (every application's lease is held);
files are written before the rows that name them, so what the copied rows name is on disk already. What is derived or
of this machine's moment (indexes, logs, ports, locks) stays out.
"""

from __future__ import annotations

import io
import json
import os
import sqlite3
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any

from continual.errors import ContinualError

#: First file of an archive: what is in it, and where it belongs.
MANIFEST = "manifest.json"
FORMAT = 1
_DERIVED = {"keys", "cache", "logs", "stack.lock", "ports.json", "containers", "no-plugins"}
_PASSING = (".part", "-wal", "-shm", "-journal", ".lock", ".pid")
_LEASE = timedelta(minutes=10)

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Made:
    """path: the archive. files, size: how many it holds, and their bytes."""

    path: Path
    files: int
    size: int


def back_up(home: Path, target: Path, landing: bool = True, progress: Progress = lambda *_: None) -> Made:
    """Write the home into the tar archive `target`, readable by its owner only; it appears when it is complete.

    landing: also the delivered files under `landing/`. progress: called with bytes done, bytes in all, name.

    Raises
    ------
    ContinualError: there is no deployment, `target` exists or is inside the home, or a promotion is going on.
    """
    home, target = home.resolve(), target.resolve()
    _check(home, target)
    with ExitStack() as exit_stack:
        copies = Path(exit_stack.enter_context(tempfile.TemporaryDirectory(dir=target.parent)))
        databases = _copy_databases(home, copies)
        files = {**{name: home / name for name in _files(home, landing)}, **databases}
        part = target.with_name(f".{target.name}.part")
        exit_stack.callback(part.unlink, missing_ok=True)
        made = _write(home, part, files, progress)
        part.replace(target)
    return Made(target, *made)


def _check(home: Path, target: Path) -> None:
    if not (home / "store" / "continual.db").is_file():
        raise ContinualError(
            "A backup is of an embedded deployment.",
            f"no store/continual.db in {home}.",
            "name its home with --home. PostgreSQL and object storage are backed up with their own tools: "
            "docs/operations/backup.md.",
        )
    if target.exists() or home in target.parents:
        raise ContinualError("A backup goes to a new file outside the home.", f"{target}.", "name another file.")
    target.parent.mkdir(parents=True, exist_ok=True)


def _copy_databases(home: Path, folder: Path) -> dict[str, Path]:
    """Name in the home -> copy, the evaluation store first, while nobody can promote."""
    found = sorted((p for p in _walk(home) if p.suffix == ".db"), key=lambda p: (p.name != "continual.db", str(p)))
    copies = {}
    with _nobody_promotes(home):
        for number, path in enumerate(found):
            copy = folder / f"{number}.db"
            _copy(path, copy)
            if path.name == "continual.db":
                _free_leases(copy)
            copies[path.relative_to(home).as_posix()] = copy
    return copies


def _free_leases(copy: Path) -> None:
    """Whoever holds one now does not live on in the copy."""
    with closing(sqlite3.connect(copy)) as connection, connection:
        connection.execute("UPDATE lock SET holder = NULL")


def _copy(database: Path, target: Path) -> None:
    """SQLite's online backup: one instant, whoever writes meanwhile."""
    read_only = sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=60)
    with closing(read_only) as source, closing(sqlite3.connect(target)) as copy:
        source.backup(copy)


def _nobody_promotes(home: Path) -> ExitStack:
    from sqlalchemy import select

    from continual.stores.database import open_database
    from continual.stores.lease import lease
    from continual.stores.tables import decision

    database = open_database(f"sqlite:///{home / 'store' / 'continual.db'}")
    with database.read() as connection:
        applications = list(connection.execute(select(decision.c.app).distinct()).scalars())
    with ExitStack() as held:
        for application in applications:
            held.enter_context(lease(database, application, f"backup {os.getpid()}", _LEASE, None))
        return held.pop_all()


def _files(home: Path, landing: bool) -> Iterator[str]:
    for path in _walk(home):
        name = path.relative_to(home).as_posix()
        if path.suffix != ".db" and (landing or not name.startswith("landing/")):
            yield name


def empty_folders(home: Path) -> list[str]:
    """Folders of the home that hold nothing yet and mean something all the same: deliveries go there."""
    kept = [Path(folder) for folder, folders, names in _walked(home) if not folders and not names]
    return sorted(folder.relative_to(home).as_posix() for folder in kept if folder != home)


def _walk(home: Path) -> Iterator[Path]:
    for folder, _, names in _walked(home):
        yield from (Path(folder) / name for name in names)


def _walked(home: Path) -> Iterator[tuple[str, list[str], list[str]]]:
    """As os.walk, in order, without what is derived or passing."""
    for folder, folders, names in os.walk(home):
        own = Path(folder) in (home, home / "airflow")
        folders[:] = sorted(f for f in folders if not (own and f in _DERIVED))
        yield folder, folders, sorted(n for n in names if not n.endswith(_PASSING) and not (own and n in _DERIVED))


def _write(home: Path, part: Path, files: dict[str, Path], progress: Progress) -> tuple[int, int]:
    sizes = {name: path.stat().st_size for name, path in files.items()}
    total, done = sum(sizes.values()), 0
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as out, tarfile.open(fileobj=out, mode="w") as archive:
        sums = {}
        for name in sorted(files):
            content = files[name].read_bytes()  # the largest is a day's Parquet file or a model
            sums[name] = sha256(content).hexdigest()
            _add(archive, name, content, files[name].stat().st_mode & 0o777)
            done += sizes[name]
            progress(done, total, name)
        _add(archive, MANIFEST, json.dumps(_manifest(home, sums), indent=1).encode(), 0o600)
        out.flush()
    return len(sums), total


def _add(archive: tarfile.TarFile, name: str, content: bytes, mode: int) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), mode
    archive.addfile(entry, io.BytesIO(content))


def _manifest(home: Path, sums: dict[str, str]) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "home": str(home),  # Iceberg's and MLflow's tables hold absolute paths
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "continual": version("continual"),
        "airflow": version("apache-airflow-core"),
        "mlflow": version("mlflow"),
        "sha256": sums,
        "empty_folders": empty_folders(home),
    }
