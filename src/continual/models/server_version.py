"""A tracking server that is older than its client fails late and oddly (mlflow#8249): ask before anything else."""

from __future__ import annotations

from functools import cache

from continual.errors import ModelUnavailable

#: Seconds to wait for the answer; a server that does not give one is reported by the first real request.
PATIENCE = 10.0


@cache
def check_server_version(uri: str) -> None:
    """Once per process and server; a store that is no server has the client's version.

    Raises
    ------
    ModelUnavailable: another major version, or an older minor one, than the MLflow that is installed here (s54).
    """
    if not uri.startswith(("http://", "https://")):
        return
    import mlflow

    serves = _served_version(uri)
    if serves is not None and not _compatible(serves, mlflow.__version__):
        raise ModelUnavailable(
            f"The MLflow server must be of the client's major version and not older ({mlflow.__version__}).",
            f"{uri} runs {serves}.",
            f"upgrade the server to {mlflow.__version__} (back its database up first), then clear the task.",
        )


def _served_version(uri: str) -> str | None:
    import requests

    try:
        answer = requests.get(f"{uri.rstrip('/')}/version", timeout=PATIENCE)
    except requests.RequestException:
        return None
    return answer.text.strip() if answer.ok else None


def _compatible(server: str, client: str) -> bool:
    """Text that is no version is not held against the server."""
    theirs, ours = _numbers(server), _numbers(client)
    return theirs is None or ours is None or (theirs[0] == ours[0] and theirs[1] >= ours[1])


def _numbers(version: str) -> tuple[int, int] | None:
    major, _, rest = version.partition(".")
    minor = rest.partition(".")[0]
    return (int(major), int(minor)) if major.isdigit() and minor.isdigit() else None
