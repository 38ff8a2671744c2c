"""Put a backup back where it was made; what is there already is not touched."""

from __future__ import annotations

import json
import tarfile
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from continual.errors import ContinualError
from continual.local.backup import FORMAT, MANIFEST

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Restored:
    """home: where it is now. files: how many. made_at: when the backup was made (ISO)."""

    home: Path
    files: int
    made_at: str


def restore(archive: Path, home: Path | None = None, progress: Progress = lambda *_: None) -> Restored:
    """Unpack `archive` into the home it was made of; every file is compared with its checksum first.

    home: must be that home, a guard against a wrong archive; None = whatever the archive says.

    Raises
    ------
    ContinualError: no backup, another release's format, a damaged or foreign file in it, another home, or a home that
    is not empty.
    """
    with _opened(archive) as packed:
        manifest = _manifest(packed, archive)
        target = Path(manifest["home"])
        _check_home(target, home)
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}-") as folder:
            _unpack(packed, manifest, Path(folder), progress)
            if target.exists():
                target.rmdir()
            Path(folder).rename(target)
            Path(folder).mkdir()  # for the context manager to remove
    return Restored(target, len(manifest["sha256"]), str(manifest["made_at"]))


def _opened(archive: Path) -> tarfile.TarFile:
    try:
        return tarfile.open(archive)
    except (tarfile.TarError, OSError) as error:
        raise ContinualError(
            "A backup is a file that `continual backup` wrote.", f"{archive}: {error}.", "name another file."
        ) from error


def _manifest(packed: tarfile.TarFile, archive: Path) -> dict[str, Any]:
    try:
        found = packed.extractfile(MANIFEST)
        manifest: dict[str, Any] = json.loads(found.read() if found else b"")
        known = manifest["format"] == FORMAT
    except (KeyError, ValueError, tarfile.TarError, EOFError) as error:
        raise ContinualError(
            "A backup must be complete.",
            f"{archive} has no readable {MANIFEST}.",
            "take another backup; this one was cut off or is something else.",
        ) from error
    if not known:
        raise ContinualError(
            f"The backup must have format {FORMAT}.",
            f"format {manifest['format']}, written by continual {manifest.get('continual')}.",
            "restore it with that release, then upgrade.",
        )
    return manifest


def _check_home(target: Path, asked: Path | None) -> None:
    if asked is not None and asked.expanduser().resolve() != target:
        raise ContinualError(
            "A backup goes back to the home it was made of: the tables hold absolute paths.",
            f"made of {target}, asked for {asked}.",
            f"restore without --home, or mount the disk so that it is {target}.",
        )
    if target.exists() and any(target.iterdir()):
        raise ContinualError(
            "A backup is restored into an empty home.",
            f"{target} holds files.",
            "stop what runs there and move the folder away first.",
        )


def _unpack(packed: tarfile.TarFile, manifest: dict[str, Any], folder: Path, progress: Progress) -> None:
    sums, seen = dict(manifest["sha256"]), set()
    try:
        for entry in packed:
            if entry.name == MANIFEST:
                continue
            content = packed.extractfile(entry) if entry.isreg() else None
            data = content.read() if content else b""
            if sha256(data).hexdigest() != sums.get(entry.name):
                raise _damaged(entry.name)
            _place(folder, entry, data)
            seen.add(entry.name)
            progress(len(seen), len(sums), entry.name)
    except (tarfile.TarError, EOFError) as error:
        raise _damaged(str(error)) from error
    for name in manifest["empty_folders"]:
        _inside(folder, name).mkdir(parents=True, exist_ok=True, mode=0o700)
    if missing := sorted(set(sums) - seen):
        raise _damaged(missing[0])


def _place(folder: Path, entry: tarfile.TarInfo, data: bytes) -> None:
    path = _inside(folder, entry.name)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.touch(mode=entry.mode & 0o700)
    path.write_bytes(data)


def _inside(folder: Path, name: str) -> Path:
    path = (folder / name).resolve()
    if folder.resolve() not in path.parents:  # a name made to leave the folder
        raise _damaged(name)
    return path


def _damaged(name: str) -> ContinualError:
    return ContinualError(
        "Every file of a backup must be what was backed up.",
        f"{name} is damaged or missing; nothing was restored.",
        "take an older backup.",
    )
