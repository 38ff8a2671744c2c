"""Batches as files in two landing folders, one file (or several) per UTC day."""

from __future__ import annotations

import hashlib
import io
import re
from datetime import UTC, date, datetime
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field, field_validator

from continual.core.window import utc
from continual.errors import BatchError
from continual.sources.base import BatchRef, Source, Stream

if TYPE_CHECKING:
    import pyarrow as pa

_UNFINISHED_PREFIXES = (".", "_")
_UNFINISHED_SUFFIX = ".tmp"


class Folder(Source):
    """Parquet or CSV files named by day. Whoever delivers writes `<name>.tmp` and renames it when it is complete.

    Files that start with `.` or `_` or end in `.tmp` are not looked at; any other name must match `pattern`.
    """

    kind: Literal["folder"] = "folder"
    predictions: str = Field(min_length=1, description="Folder of predictions, relative to the home or absolute.")
    labels: str = Field(min_length=1, description="Folder of labels, relative to the home or absolute.")
    pattern: str = Field(
        "{date}.parquet",
        description="File name: {date} = UTC day as YYYY-MM-DD, * = anything; ends in .parquet or .csv.",
    )

    @field_validator("pattern")
    @classmethod
    def _readable(cls, value: str) -> str:
        if value.count("{date}") != 1 or "/" in value or not value.endswith((".parquet", ".csv")):
            raise ValueError(
                f"must be a file name with {{date}} once, ending in .parquet or .csv, got {value!r}; "
                "for example 'predictions-{date}.parquet'"
            )
        return value

    def batches(self, stream: Stream, until: datetime, home: Path) -> list[BatchRef]:
        """See `Source.batches`; the folder itself must exist."""
        folder = home / (self.predictions if stream == "predictions" else self.labels)
        if not folder.is_dir():
            raise BatchError(
                f"The folder of {stream} must exist.",
                f"{folder} is no folder.",
                f"create it, or correct source.{stream} in the policy.",
            )
        dated = self._dated(folder, stream)
        end = utc(until).astimezone(UTC).date()
        found = [_ref(stream, day, path) for path, day in dated if day < end]
        return sorted((ref for ref in found if ref), key=lambda ref: (ref.date, ref.name))

    def read(self, ref: BatchRef) -> pa.Table:
        """See `Source.read`; CSV types are inferred by pyarrow."""
        path = Path(ref.locator)
        try:
            content = path.read_bytes()
        except OSError as error:
            raise _unreadable(path, error) from error
        if hashlib.sha256(content).hexdigest() != ref.content_hash:
            raise BatchError(
                "A file must not change between being listed and being read.",
                f"{path} changed.",
                "run ingest again; deliver by writing <name>.tmp and renaming it.",
            )
        return _parse(path, content)

    def _dated(self, folder: Path, stream: Stream) -> list[tuple[Path, date]]:
        delivered = [path for path in sorted(folder.iterdir()) if _finished(path.name)]
        days = [(path, self._day(path)) for path in delivered]
        stray = [path.name for path, day in days if day is None]
        if stray:
            raise BatchError(
                f"Every file of {stream} must be named {self.pattern}, with the day as YYYY-MM-DD.",
                f"{', '.join(stray[:5])}{' and more' if len(stray) > 5 else ''} in {folder}.",
                "rename it with its day, or move it out (names that start with '_' are not looked at).",
            )
        return [(path, day) for path, day in days if day is not None]

    def _day(self, path: Path) -> date | None:
        match = re.fullmatch(_regex(self.pattern), path.name)
        if match is None or path.is_dir():
            return None
        try:
            return date.fromisoformat(match["date"])
        except ValueError:
            return None


def _regex(pattern: str) -> str:
    escaped = re.escape(pattern).replace(r"\*", r"[^/]*")
    return escaped.replace(re.escape("{date}"), r"(?P<date>\d{4}-\d{2}-\d{2})")


def _finished(name: str) -> bool:
    return not name.startswith(_UNFINISHED_PREFIXES) and not name.endswith(_UNFINISHED_SUFFIX)


def _ref(stream: Stream, day: date, path: Path) -> BatchRef | None:
    """None when the file was taken away since it was listed."""
    try:
        stat = path.stat()
        content_hash = _sha256(str(path), stat.st_mtime_ns, stat.st_size)
    except FileNotFoundError:
        return None
    except OSError:  # one unreadable file must not hide the others; `read` says what is wrong with it
        return BatchRef(stream, path.name, day, str(path), "", 0)
    return BatchRef(stream, path.name, day, str(path), content_hash, stat.st_size)


@lru_cache(maxsize=4096)
def _sha256(path: str, mtime_ns: int, size: int) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _parse(path: Path, content: bytes) -> pa.Table:
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.parquet

    try:
        if path.suffix == ".csv":
            return pyarrow.csv.read_csv(io.BytesIO(content))
        return pyarrow.parquet.read_table(io.BytesIO(content))
    except (pa.ArrowException, OSError) as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> BatchError:
    return BatchError(
        "A batch must be a readable Parquet or CSV file.",
        f"{path.name}: {error}.",
        "deliver it again; other batches are not affected.",
    )
