"""Files of rows to be scored: listed, read in bounded parts, completed to what the log holds."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from continual.errors import BatchError
from continual.sources._places import Entry, finished, located, opened, place_of, read_bytes, sha256
from continual.sources._tabular import parse, unreadable

if TYPE_CHECKING:
    import pandas as pd

    from continual.policy.models import Policy
    from continual.policy.scoring import ScoringPolicy

#: Rows held at a time, whatever the size of a Parquet file. A CSV file is read whole.
PART = 100_000
SUFFIXES = (".parquet", ".csv")


@dataclass(frozen=True)
class InputFile:
    """name: as delivered. content: SHA-256 (hex) of its bytes, its identity."""

    name: str
    locator: str
    content: str


def input_files(rules: ScoringPolicy, home: Path) -> list[InputFile]:
    """What lies in the source, by name; files being written (`.tmp`, `.`, `_`) are not looked at.

    Raises
    ------
    BatchError: the folder is not there, or a file is neither Parquet nor CSV. SourceUnavailable: no answer.
    """
    place = place_of(located(rules.source, home), "scoring.source")
    entries = [e for e in place.entries() if e.is_file and finished(e.name)]
    stray = [e.name for e in entries if not e.name.endswith(SUFFIXES)]
    if stray:
        raise BatchError(
            "Files to be scored must end in .parquet or .csv.",
            f"{', '.join(stray[:5])} in {rules.source}.",
            "take them away, or let their names begin with '_'.",
        )
    return [found for entry in entries if (found := _input(entry))]


def _input(entry: Entry) -> InputFile | None:
    content = sha256(entry.locator)
    return InputFile(entry.name, entry.locator, content) if content else None


def parts(file: InputFile, text: list[str]) -> Iterator[pd.DataFrame]:
    """Rows in their order, in parts of about the same size, at most PART rows each of a Parquet file.

    Raises
    ------
    BatchError: unreadable, or changed since it was listed.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        if file.name.endswith(".csv"):
            yield parse(file.name, read_bytes(file.locator), text).to_pandas()
        else:
            with opened(file.locator) as handle:
                source = pq.ParquetFile(handle)
                rows = source.metadata.num_rows
                size = math.ceil(rows / max(1, math.ceil(rows / PART))) or 1
                for batch in source.iter_batches(size):
                    yield pa.Table.from_batches([batch]).to_pandas()
    except (pa.ArrowException, OSError) as error:
        raise unreadable(file.name, error) from error
    if sha256(file.locator) != file.content:
        raise BatchError(
            "A file must not change while it is scored.", f"{file.name} changed.", "run again; write .tmp and rename."
        )


def completed(policy: Policy, file: InputFile, rows: pd.DataFrame, first: int, known: datetime) -> pd.DataFrame:
    """With a key for rows that have none, the instant `known` where there is no event time, and null for tags that are
    not given. first: number of the first row in its file.

    Raises
    ------
    BatchError: a feature is missing, or a column is there that only answers have.
    """
    import pandas as pd

    missing = [name for name in policy.features.all if name not in rows.columns]
    if missing:
        raise BatchError(
            f"Rows to be scored must have the features of {policy.application}.",
            f"{file.name} has no {', '.join(missing)}.",
            "deliver them; leave single values empty where they are not known.",
        )
    new: dict[str, Any] = {name: None for name in policy.tags if name not in rows.columns}
    if "record_key" not in rows.columns:
        new["record_key"] = [f"{file.content[:16]}-{n}" for n in range(first, first + len(rows))]
    if "event_time" not in rows.columns:
        new["event_time"] = pd.Timestamp(known)
    return rows.reset_index(drop=True).assign(**new)
