"""Batches as UTC days of tables or SELECT statements in any database SQLAlchemy knows."""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from continual.core.canonical import digest
from continual.core.duration import Duration
from continual.core.window import utc
from continual.errors import BatchError
from continual.sources.base import BatchRef, Source, Stream

if TYPE_CHECKING:
    import pyarrow as pa

_TABLE = re.compile(r"^[A-Za-z_][\w$]{0,62}(\.[A-Za-z_][\w$]{0,62}){0,2}$", re.ASCII)
_COLUMN = re.compile(r"^[^\x00-\x1f\x7f\"`\[\]]{1,128}$")


class SqlStream(BaseModel):
    """Where the rows of one stream are."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    table: str | None = Field(None, description="Table or view, with its schema: 'scoring.predictions'.")
    query: str | None = Field(None, description="Instead of a table: one SELECT that only reads.")
    watermark: str = Field(
        description="Column that dates a row (instant): when it was predicted, when the label became known."
    )
    columns: dict[str, str] = Field(
        {}, description="Name in continual -> name in the table; columns not named keep their name."
    )
    exclude: list[str] = Field([], description="Columns of the table that are not read.")
    constants: dict[str, str] = Field({}, description="Columns the table lacks, such as {source: payments}.")

    @field_validator("table")
    @classmethod
    def _named(cls, value: str | None) -> str | None:
        if value is not None and not _TABLE.match(value):
            raise ValueError(f"must be a table's name such as 'scoring.predictions', got {value!r}")
        return value

    @field_validator("query")
    @classmethod
    def _reads(cls, value: str | None) -> str | None:
        from continual.sources._sql_query import check_select

        return check_select(value) if value is not None else None

    @model_validator(mode="after")
    def _sound(self) -> SqlStream:
        if (self.table is None) == (self.query is None):
            raise ValueError("needs either 'table' or 'query'")
        names = [self.watermark, *self.columns, *self.columns.values(), *self.exclude, *self.constants]
        wrong = [name for name in names if not _COLUMN.match(name)]
        if wrong:
            raise ValueError(f"column names hold no quotes, brackets or control characters, got {wrong[0]!r}")
        return self


class Sql(Source):
    """One batch a stream and UTC day of the watermark, read when the day is over by `lag`.

    A day's content is its count, newest watermark and a sum of hashes of its rows over every column that is read (on
    PostgreSQL and SQLite; lengths and bounds elsewhere): rows that arrive behind the watermark or are changed make
    new content, the day is read again, the log drops the rows it has, and changed ones are conflicts in the
    quarantine. Columns that change and are not logged belong under `exclude`. Rows whose watermark is NULL are not
    there yet. URL of the database: from the environment or a file, never in the policy.
    """

    kind: Literal["sql"] = "sql"
    url_env: str | None = Field(
        None, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", description="Environment variable with the SQLAlchemy URL."
    )
    url_file: str | None = Field(None, description="File with the URL, relative to the home or absolute.")
    predictions: SqlStream = Field(description="Table or SELECT of the predictions.")
    labels: SqlStream = Field(description="Table or SELECT of the labels.")
    lag: Duration = Field(timedelta(0), description="How long after a day's end its rows may still be arriving.")
    look_back: Duration | None = Field(None, description="Older days are not looked at again; default: every day is.")
    naive: Literal["refuse", "utc"] = Field("refuse", description="Instants without a zone: refuse, or read as UTC.")
    chunk_rows: int = Field(20_000, ge=1, le=1_000_000, description="Rows fetched at a time.")

    @model_validator(mode="after")
    def _one_url(self) -> Sql:
        if (self.url_env is None) == (self.url_file is None):
            raise ValueError("needs either 'url_env' or 'url_file': where the database's URL is kept")
        return self

    def batches(self, stream: Stream, until: datetime, home: Path) -> list[BatchRef]:
        """See `Source.batches`. Costs one aggregate query over the days looked at.

        Raises
        ------
        BatchError: no such table or column, or the watermark holds no instants. SourceUnavailable: no database.
        """
        from continual.sources._sql_query import Reader

        end = (utc(until) - self.lag).astimezone(UTC).date()
        start = (utc(until) - self.look_back).astimezone(UTC).date() if self.look_back is not None else None
        place = f"env:{self.url_env}" if self.url_env else f"file:{home / str(self.url_file)}"
        with Reader.open(_url(place), self._stream(stream), stream, self.naive) as reader:
            found = reader.days(start, end)
        return [
            BatchRef(stream, day.isoformat(), day, place, digest([day.isoformat(), *sums]), 0) for day, sums in found
        ]

    def read(self, ref: BatchRef) -> pa.Table:
        """See `Source.read`. Fetches `chunk_rows` at a time, in one read-only transaction that also checks that the
        day is still what was listed."""
        from continual.sources._sql_query import Reader

        with Reader.open(_url(ref.locator), self._stream(ref.stream), ref.stream, self.naive) as reader:
            now = reader.days(ref.date, ref.date + timedelta(days=1))
            if [digest([day.isoformat(), *sums]) for day, sums in now] != [ref.content_hash]:
                raise BatchError(
                    "A day must not change between being listed and being read.",
                    f"rows of {ref.stream} of {ref.name} came or went meanwhile.",
                    "run ingest again; set source.lag to how late rows arrive.",
                )
            return reader.rows(ref.date, self.chunk_rows)

    def _stream(self, stream: Stream) -> SqlStream:
        return self.predictions if stream == "predictions" else self.labels


def _url(place: str) -> str:
    """Raises
    ------
    BatchError: the variable or file holds nothing.
    """
    kind, _, name = place.partition(":")
    if kind == "env":
        found, remedy = os.environ.get(name, ""), f"export {name}=postgresql://user:password@host/database."
    else:
        path = Path(name)
        found = path.read_text(encoding="utf-8") if path.is_file() else ""
        remedy = f"write the URL into {name} and let only its reader read it (chmod 600)."
    if not found.strip():
        raise BatchError("The database's URL must be given.", f"{name} holds nothing.", remedy)
    return found.strip()
