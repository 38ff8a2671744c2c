"""Files for the inbox: encoded once, then written whole or not at all, as often as it takes."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from continual.sdk._rows import INSTANT, Stream

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class InboxFile:
    """One Parquet file (zstd). name: below the inbox; the same at every attempt, so that a repeated put is the same
    file. rows: in it. kind: files of one kind have the same columns."""

    name: str
    content: bytes
    rows: int
    kind: str = ""

    @property
    def group(self) -> str:
        """Folder and UTC day."""
        return self.name.rpartition("/")[0] + "/" + self.day.isoformat()

    @property
    def day(self) -> date:
        return date.fromisoformat(self.name.rpartition("/")[2][:10])


def encode(application: str, taken: Sequence[tuple[Stream, pa.Table]]) -> list[InboxFile]:
    """One file for each stream, schema and UTC day (event time of predictions, `known_at` of labels)."""
    import pyarrow as pa

    files: list[InboxFile] = []
    alike: dict[tuple[Stream, str], list[pa.Table]] = {}
    for stream, table in taken:
        alike.setdefault((stream, table.schema.to_string()), []).append(table)
    for (stream, kind), tables in alike.items():
        for day, rows in _by_day(pa.concat_tables(tables), INSTANT[stream]):
            name = f"{application}/{stream}/{day}-{uuid4().hex}.parquet"
            files.append(InboxFile(name, to_parquet(rows), rows.num_rows, kind))
    return files


def _by_day(table: pa.Table, instant: str) -> Iterator[tuple[str, pa.Table]]:
    import pyarrow as pa
    import pyarrow.compute as pc

    days = table.column(instant).cast(pa.date32())
    distinct = sorted(pc.unique(days).to_pylist())
    for day in distinct:
        yield day.isoformat(), table if len(distinct) == 1 else table.filter(pc.equal(days, pa.scalar(day)))


def merged_name(name: str) -> str:
    """Another file of the same folder and day."""
    folder, _, own = name.rpartition("/")
    return f"{folder}/{own[:10]}-{uuid4().hex}.parquet"


def to_parquet(table: pa.Table) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    out = pa.BufferOutputStream()
    pq.write_table(table, out, compression="zstd")
    return bytes(out.getvalue())


@dataclass(frozen=True)
class Inbox:
    """A folder, or a prefix of an object store by URL (fsspec; credentials from the environment)."""

    location: str

    def write(self, file: InboxFile) -> None:
        """Local: `.tmp`, fsync, rename; object store: one put. Safe to repeat.

        Raises
        ------
        Exception: whatever the disk or the client says; the caller tries again.
        """
        if "://" in self.location:
            fs, root = _filesystem(self.location)
            fs.pipe_file(f"{root.rstrip('/')}/{file.name}", file.content)
        else:
            _write_local(Path(self.location) / file.name, file.content)

    def read(self, name: str) -> bytes:
        """Raises
        ------
        Exception: whatever the disk or the client says.
        """
        if "://" in self.location:
            fs, root = _filesystem(self.location)
            return bytes(fs.cat_file(f"{root.rstrip('/')}/{name}"))
        return (Path(self.location) / name).read_bytes()

    def remove(self, name: str) -> None:
        """Raises
        ------
        Exception: whatever the disk or the client says.
        """
        if "://" in self.location:
            fs, root = _filesystem(self.location)
            fs.rm_file(f"{root.rstrip('/')}/{name}")
        else:
            (Path(self.location) / name).unlink()


def _write_local(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.tmp")
    with part.open("wb") as out:
        out.write(content)
        out.flush()
        os.fsync(out.fileno())
    part.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _filesystem(url: str) -> tuple[Any, str]:
    import fsspec  # type: ignore[import-untyped]

    endpoint = os.environ.get("AWS_ENDPOINT_URL")
    options = {"endpoint_url": endpoint} if endpoint and url.startswith("s3://") else {}
    fs, root = fsspec.core.url_to_fs(url, **options)
    return fs, str(root)


def check_client(location: str) -> None:
    """Raises
    ------
    ImportError, ValueError: no client for this kind of URL is installed.
    """
    if "://" in location:
        _filesystem(location)
