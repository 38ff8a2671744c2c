"""A deployment comes back from its backup, also one that was taken while it worked."""

from __future__ import annotations

import json
import os
import shutil
import tarfile
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from flow_loans import ROWS, day
from flow_world import Stages, World, refused
from typer.testing import CliRunner

from continual.cli.main import app
from continual.errors import ContinualError, LeaseHeld
from continual.flows import promote
from continual.local.backup import MANIFEST, back_up
from continual.local.restore import restore

pytestmark = pytest.mark.integration


@pytest.fixture
def world(stages: Stages) -> World:
    return stages("promoted")


def lose(world: World) -> None:
    shutil.rmtree(world.home)


def test_what_was_backed_up_comes_back_byte_by_byte(world: World, tmp_path: Path) -> None:
    before = world.dump()
    landed = sorted(p.name for p in (world.home / "landing").rglob("*.parquet"))
    steps: list[tuple[int, int]] = []
    made = back_up(world.home, tmp_path / "b.tar", progress=lambda done, total, _: steps.append((done, total)))
    assert made.path.stat().st_mode & 0o777 == 0o600
    assert steps[-1][0] == steps[-1][1] == made.size > 0
    lose(world)
    assert restore(made.path).files == made.files
    assert world.dump() == before
    assert sorted(p.name for p in (world.home / "landing").rglob("*.parquet")) == landed
    world.check("2")


def test_after_a_restore_the_loop_goes_on_and_takes_nothing_twice(world: World, tmp_path: Path) -> None:
    world.deliver(24)
    world.ingest(24, 25)
    made = back_up(world.home, tmp_path / "b.tar")
    lose(world)
    restore(made.path)
    rows = world.logged()
    world.deliver(24)
    world.deliver(25)
    world.ingest(24, 26)
    assert world.logged()[0] == rows[0] + ROWS


def test_a_backup_of_a_deployment_at_work_is_whole(world: World, tmp_path: Path) -> None:
    """Days are ingested one by one while backups are taken: each is readable, and ends with a whole day."""
    stop = threading.Event()

    def work() -> None:
        number = 24
        while not stop.is_set() and number < 60:
            world.deliver(number)
            world.ingest(number, number + 1)
            number += 1

    worker = threading.Thread(target=work)
    worker.start()
    try:
        taken = [back_up(world.home, tmp_path / f"{n}.tar").path for n in range(3)]
    finally:
        stop.set()
        worker.join()
    begun = ROWS * 24
    for path in taken:
        lose(world)
        restore(path)
        world.ws().ledger.verify()
        rows = world.logged()[0]
        assert rows >= begun and rows % ROWS == 0
        begun = rows


def test_nothing_is_promoted_while_the_databases_are_copied(
    stages: Stages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from continual.local import backup

    world = stages("judged")
    copy: Callable[[Path, Path], None] = backup._copy
    caught: list[ContinualError] = []

    def meanwhile(database: Path, target: Path) -> None:
        verdict = (world.home / "verdict").read_text()
        caught.append(refused(lambda: promote.promote(world.ws(), verdict), LeaseHeld, "backup"))
        copy(database, target)

    monkeypatch.setattr(backup, "_copy", meanwhile)
    made = back_up(world.home, tmp_path / "b.tar")
    assert caught
    lose(world)
    restore(made.path)
    world.check("1")
    promote.promote(world.ws(), (world.home / "verdict").read_text())
    world.check("2")


def test_what_cannot_be_trusted_is_refused_and_nothing_is_restored(world: World, tmp_path: Path) -> None:
    made = back_up(world.home, tmp_path / "b.tar")
    refused(lambda: restore(made.path), ContinualError, "empty home")
    lose(world)
    refused(lambda: restore(made.path, tmp_path / "other"), ContinualError, "absolute paths")
    damaged = tmp_path / "damaged.tar"
    _rewrite(made.path, damaged, lambda name, data: data[:-1] + b"!" if name.endswith("continual.db") else data)
    refused(lambda: restore(damaged), ContinualError, "continual.db is damaged")
    cut = tmp_path / "cut.tar"
    cut.write_bytes(made.path.read_bytes()[: made.size // 2])
    refused(lambda: restore(cut), ContinualError, "complete")
    newer = tmp_path / "newer.tar"
    _rewrite(
        made.path, newer, lambda name, data: data.replace(b'"format": 1', b'"format": 2') if name == MANIFEST else data
    )
    refused(lambda: restore(newer), ContinualError, "format 1")
    refused(lambda: restore(tmp_path / "nothing.tar"), ContinualError, "wrote")
    assert not world.home.exists()
    assert [p for p in world.home.parent.iterdir() if p.name.startswith(".home-")] == []


def test_s61_names_in_an_archive_cannot_leave_the_home(world: World, tmp_path: Path) -> None:
    from hashlib import sha256

    made = back_up(world.home, tmp_path / "b.tar")
    lose(world)
    hostile = tmp_path / "hostile.tar"
    outside = os.path.relpath(tmp_path / "owned", world.home)
    sums = {outside: sha256(b"x").hexdigest()}
    with tarfile.open(made.path) as source, tarfile.open(hostile, "w") as target:
        manifest = json.loads(source.extractfile(MANIFEST).read())
        _put(target, outside, b"x")
        _put(target, MANIFEST, json.dumps({**manifest, "sha256": sums}).encode())
    refused(lambda: restore(hostile), ContinualError, "damaged")
    assert not (tmp_path / "owned").exists()


def test_the_commands_say_what_they_did(world: World, tmp_path: Path) -> None:
    run = CliRunner().invoke
    file = str(tmp_path / "b.tar")
    assert "MB" in run(app, ["backup", file, "--home", str(world.home)]).output
    again = run(app, ["backup", file, "--home", str(world.home)])
    assert (again.exit_code, "new file" in again.output) == (1, True)
    missing = run(app, ["backup", str(tmp_path / "c.tar"), "--home", str(tmp_path)])
    assert (missing.exit_code, "embedded deployment" in missing.output) == (1, True)
    lose(world)
    found = run(app, ["restore", file, "--json"])
    assert json.loads(found.stdout)["home"] == str(world.home)
    world.check("2")
    assert day(24) == world.ws().champions.current().as_of


def _rewrite(source: Path, target: Path, change: Callable[[str, bytes], bytes]) -> None:
    with tarfile.open(source) as old, tarfile.open(target, "w") as new:
        for entry in old:
            _put(new, entry.name, change(entry.name, old.extractfile(entry).read()))


def _put(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    import io

    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(data), 0o600
    archive.addfile(entry, io.BytesIO(data))
