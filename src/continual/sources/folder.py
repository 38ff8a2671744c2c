"""Batches as files in two landing folders, one file (or several) per UTC day; local or in an object store."""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field, field_validator

from continual.core.window import utc
from continual.errors import BatchError
from continual.sources._listing import ListingCache
from continual.sources._places import (
    Entry,
    checked_location,
    finished,
    is_url,
    located,
    place_of,
    read_bytes,
    sha256,
)
from continual.sources._tabular import parse, unreadable
from continual.sources.base import BatchRef, Source, Stream

if TYPE_CHECKING:
    import pyarrow as pa


class Folder(Source):
    """Parquet or CSV files named by day. Whoever delivers writes `<name>.tmp` and renames it when it is complete
    (object stores: one put).

    Files that start with `.` or `_` or end in `.tmp` are not looked at; any other name must match `pattern`.
    """

    kind: Literal["folder"] = "folder"
    predictions: str = Field(
        min_length=1, description="Folder of predictions: relative to the home, absolute, or s3://bucket/prefix."
    )
    labels: str = Field(
        min_length=1, description="Folder of labels: relative to the home, absolute, or s3://bucket/prefix."
    )
    pattern: str = Field(
        "{date}.parquet",
        description="File name: {date} = UTC day as YYYY-MM-DD, * = anything; ends in .parquet or .csv.",
    )
    text: list[str] = Field([], description="CSV columns that hold text although their values look like numbers.")

    @field_validator("pattern")
    @classmethod
    def _readable(cls, value: str) -> str:
        if value.count("{date}") != 1 or "/" in value or not value.endswith((".parquet", ".csv")):
            raise ValueError(
                f"must be a file name with {{date}} once, ending in .parquet or .csv, got {value!r}; "
                "for example 'predictions-{date}.parquet'"
            )
        return value

    @field_validator("predictions", "labels")
    @classmethod
    def _location(cls, value: str) -> str:
        return checked_location(value)

    def batches(self, stream: Stream, until: datetime, home: Path) -> list[BatchRef]:
        """See `Source.batches`; a local folder and a bucket must exist, a prefix without objects is empty. An
        unchanged file is hashed once: see `ListingCache`."""
        end = utc(until).astimezone(UTC).date()
        dated = [(entry, day) for entry, day in self._dated(stream, home) if day < end]
        cache = ListingCache.open(home, self._location_of(stream, home))
        found = [_ref(stream, day, entry, cache) for entry, day in dated]
        cache.save()
        return sorted((ref for ref in found if ref), key=lambda ref: (ref.date, ref.name))

    def read(self, ref: BatchRef) -> pa.Table:
        """See `Source.read`; CSV types are inferred by pyarrow, `record_key` and what `text` names are text."""
        try:
            content = read_bytes(ref.locator)
        except OSError as error:
            raise unreadable(ref.name, error) from error
        if hashlib.sha256(content).hexdigest() != ref.content_hash:
            raise BatchError(
                "A file must not change between being listed and being read.",
                f"{ref.locator} changed.",
                "run ingest again; deliver by writing <name>.tmp and renaming it.",
            )
        return parse(ref.name, content, self.text)

    def local_folders(self, home: Path) -> list[Path]:
        """The folders on this machine, to be made where they are missing."""
        return [home / place for place in (self.predictions, self.labels) if not is_url(place)]

    def _location_of(self, stream: Stream, home: Path) -> str:
        return located(self.predictions if stream == "predictions" else self.labels, home)

    def _dated(self, stream: Stream, home: Path) -> list[tuple[Entry, date]]:
        location, field = self._location_of(stream, home), f"source.{stream}"
        delivered = [entry for entry in place_of(location, field).entries() if finished(entry.name)]
        named = re.compile(_regex(self.pattern))
        days = [(entry, _day(entry, named)) for entry in delivered]
        stray = [entry.name for entry, day in days if day is None]
        if stray:
            raise BatchError(
                f"Every file of {stream} must be named {self.pattern}, with the day as YYYY-MM-DD.",
                f"{', '.join(stray[:5])}{' and more' if len(stray) > 5 else ''} in {location}.",
                "rename it with its day, or move it out (names that start with '_' are not looked at).",
            )
        return [(entry, day) for entry, day in days if day is not None]


def _day(entry: Entry, named: re.Pattern[str]) -> date | None:
    match = named.fullmatch(entry.name)
    if match is None or not entry.is_file:
        return None
    try:
        return date.fromisoformat(match["date"])
    except ValueError:
        return None


def _regex(pattern: str) -> str:
    escaped = re.escape(pattern).replace(r"\*", r"[^/]*")
    return escaped.replace(re.escape("{date}"), r"(?P<date>\d{4}-\d{2}-\d{2})")


def _ref(stream: Stream, day: date, entry: Entry, cache: ListingCache) -> BatchRef | None:
    """None when the file was taken away since it was listed; without a hash when its bytes cannot be read."""
    content = cache.hash_of(entry.name, entry.mark, lambda: sha256(entry.locator)) if entry.mark else ""
    if not content and not is_url(entry.locator) and not Path(entry.locator).exists():
        return None
    return BatchRef(stream, entry.name, day, entry.locator, content, entry.size if content else 0)
