"""A write-ahead spool: what was answered is on this machine before the answer leaves it.

Segments are files of lines `crc32 json`. A line is written by one call before the caller goes on, so a killed process
loses nothing that it acknowledged; a torn last line was never acknowledged. fsync follows within a second, which is
what a power cut can cost. A segment belongs to the process that holds its lock; one without an owner is taken over.
"""

from __future__ import annotations

import fcntl
import json
import os
import threading
import time
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

from continual.errors import StoreError

Entry = dict[str, Any]
_OPEN, _READY = ".open", ".ready"


class SpoolFull(StoreError):
    """Nothing more can be kept; whoever asks has to try again later."""


class Spool:
    """Entries on their way to the log, oldest first. Safe for several threads; each process has its own segments.

    folder: shared by the processes of one application. max_bytes: of all segments together. segment_bytes,
    segment_seconds: when one is closed, so that it can be shipped. fsync_seconds: between two fsyncs, 0 = every time.
    """

    def __init__(
        self,
        folder: Path,
        max_bytes: int = 1 << 30,
        segment_bytes: int = 8 << 20,
        segment_seconds: float = 60.0,
        fsync_seconds: float = 1.0,
    ) -> None:
        self.folder, self.max_bytes = folder, max_bytes
        self.segment_bytes, self.segment_seconds, self.fsync_seconds = segment_bytes, segment_seconds, fsync_seconds
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._lock = threading.Lock()
        self._file: int | None = None
        self._path = folder
        self._written, self._opened, self._synced = 0, 0.0, 0.0
        self._waiting = sum(path.stat().st_size for path in folder.iterdir())

    @property
    def size(self) -> int:
        """Bytes waiting."""
        return self._waiting

    def append(self, entries: Sequence[Entry]) -> None:
        """Keep all of them, or none.

        Raises
        ------
        SpoolFull: they do not fit into `max_bytes` or onto the disk.
        """
        data = b"".join(_line(entry) for entry in entries)
        with self._lock:
            if self._waiting + len(data) > self.max_bytes:
                raise self._full(f"{self._waiting:,} bytes wait, {self.max_bytes:,} are allowed")
            file = self._current()
            self._write(file, data)
            self._waiting += len(data)
            self._written += len(data)
            if time.monotonic() - self._synced >= self.fsync_seconds:
                os.fdatasync(file)
                self._synced = time.monotonic()
            if self._written >= self.segment_bytes:
                self._close()

    def _write(self, file: int, data: bytes) -> None:
        """All of it, or the segment as it was: half a batch must not be taken for one."""
        begun, view = self._written, memoryview(data)
        try:
            while view:
                view = view[os.write(file, view) :]
        except OSError as error:
            os.ftruncate(file, begun)
            raise self._full(str(error)) from error

    def _full(self, got: str) -> SpoolFull:
        return SpoolFull(
            "The spool must have room for what is answered.",
            f"{got} in {self.folder}.",
            "repair what it ships to (inbox, log), or give it more room.",
        )

    def _current(self) -> int:
        if self._file is None:
            self._path = self.folder / f"{time.time_ns():020d}-{uuid4().hex[:8]}{_OPEN}"
            self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
            fcntl.flock(self._file, fcntl.LOCK_EX)
            self._written, self._opened = 0, time.monotonic()
        return self._file

    def _close(self) -> None:
        if self._file is None:
            return
        os.fsync(self._file)
        self._path.rename(self._path.with_suffix(_READY))
        os.close(self._file)
        self._file = None

    def rotate(self, now: bool = False) -> None:
        """Close the segment when it is old enough (or `now`), and take over those of processes that are gone."""
        with self._lock:
            if self._file is not None and (now or time.monotonic() - self._opened >= self.segment_seconds):
                self._close()
        for path in self.folder.glob(f"*{_OPEN}"):
            if path != self._path or self._file is None:
                _take_over(path)

    def ready(self) -> list[Path]:
        """Closed segments, oldest first."""
        return sorted(self.folder.glob(f"*{_READY}"))

    def done(self, segment: Path) -> None:
        """Its entries are where they should be."""
        size = segment.stat().st_size
        segment.unlink()
        with self._lock:
            self._waiting -= size


def read(segment: Path) -> list[Entry]:
    """Entries of a segment up to the first line that is not whole; what follows it was never acknowledged."""
    found: list[Entry] = []
    for line in segment.read_bytes().split(b"\n")[:-1]:
        check, _, text = line.partition(b" ")
        if check != b"%08x" % zlib.crc32(text):
            break
        found.append(json.loads(text))
    return found


def _line(entry: Entry) -> bytes:
    text = json.dumps(entry, separators=(",", ":"), allow_nan=False).encode()
    return b"%08x %s\n" % (zlib.crc32(text), text)


def _take_over(path: Path) -> None:
    try:
        file = os.open(path, os.O_WRONLY)
    except FileNotFoundError:
        return  # its owner has just closed it
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path.rename(path.with_suffix(_READY))
    except (BlockingIOError, FileNotFoundError):
        pass
    finally:
        os.close(file)
