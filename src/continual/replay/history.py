"""One application's history in columns, read once and shared by every policy: rows in the order of event time, labels
as flat arrays, so that what was known at an instant is a mask instead of a scan."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from continual.core.canonical import digest
from continual.core.window import Window, utc
from continual.errors import NotEnoughData

if TYPE_CHECKING:
    import pandas as pd

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
#: Never known.
NEVER = np.iinfo(np.int64).max


def micros(instant: datetime) -> int:
    """Microseconds since 1970."""
    return int(np.datetime64(utc(instant).replace(tzinfo=None), "us").astype(np.int64))


def instants(values: pd.Series[Any]) -> Ints:
    """(n,) microseconds since 1970; missing ones are NEVER."""
    import pandas as pd

    stamps = pd.to_datetime(values, utc=True).to_numpy("datetime64[us]")
    out: Ints = stamps.astype(np.int64)
    out[np.isnat(stamps)] = NEVER
    return out


@dataclass(frozen=True)
class Generation:
    """One label of some rows: positions in the history, when it became known, its value; all (m,)."""

    rows: Ints
    known: Ints
    value: Floats


@dataclass(frozen=True)
class History:
    """rows: (n, ...) as the log holds predictions, by event_time and record_key, with `known_at`. labels: generations,
    a row's later label overrides its earlier one. id: hash of all of it."""

    rows: pd.DataFrame
    labels: tuple[Generation, ...]
    id: str
    event: Ints = field(repr=False)
    known: Ints = field(repr=False)

    @classmethod
    def of(cls, rows: pd.DataFrame, labels: pd.DataFrame) -> History:
        """rows: record_key, event_time, known_at, ...; labels: record_key, value, source, known_at, batch_id, as
        often as they were given; those of unknown keys are left out.

        Raises
        ------
        NotEnoughData: there is no row.
        """
        if rows.empty:
            raise NotEnoughData(
                "There must be history to replay.", "the log is empty.", "ingest predictions and labels first."
            )
        rows = rows.sort_values(["event_time", "record_key"], ignore_index=True)
        event, known = instants(rows["event_time"]), instants(rows["known_at"])
        generations = tuple(_generations(rows, labels))
        parts = [event, known, *(a for g in generations for a in (g.rows, g.known, g.value))]
        return cls(rows, generations, digest([_content(rows), *(_hash(part) for part in parts)])[:16], event, known)

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def span(self) -> Window:
        """From the first event to just after the last."""
        first, last = (self.rows["event_time"].iloc[i].to_pydatetime() for i in (0, -1))
        return Window(utc(first), utc(last + np.timedelta64(1, "us").astype(object)))

    def part(self, window: Window) -> slice:
        """Positions of the rows with event time in the window."""
        first, last = np.searchsorted(self.event, [micros(window.start), micros(window.end)])
        return slice(int(first), int(last))

    def label_at(self, part: slice, as_of: datetime) -> tuple[Floats, Ints]:
        """(m,) label of the rows `part` as known by `as_of` (NaN: none) and since when (NEVER: not)."""
        at, size = micros(as_of), part.stop - part.start
        value, since = np.full(size, np.nan), np.full(size, NEVER)
        for one in self.labels:
            first, last = np.searchsorted(one.rows, [part.start, part.stop])
            told = one.known[first:last] <= at
            where = one.rows[first:last][told] - part.start
            value[where], since[where] = one.value[first:last][told], one.known[first:last][told]
        return value, since

    @cached_property
    def final_label(self) -> Floats:
        """(n,) the last label of every row, NaN where none ever came."""
        out = np.full(len(self), np.nan)
        for one in self.labels:
            out[one.rows] = one.value
        return out

    @cached_property
    def _keys(self) -> pd.Index[Any]:
        import pandas as pd

        made: pd.Index[Any] = pd.Index(self.rows["record_key"])
        return made

    def positions(self, keys: Any) -> Ints:
        """(m,) positions of record keys; -1: not logged."""
        return np.asarray(self._keys.get_indexer(keys), dtype=np.int64)

    def save(self, folder: Path) -> None:
        """Write beside and rename, so that a reader finds all or nothing."""
        import pandas as pd

        folder.mkdir(parents=True, exist_ok=True)
        if (folder / "history.json").exists():
            return
        self.rows.to_parquet(folder / "rows.parquet", index=False)
        for number, one in enumerate(self.labels):
            frame = pd.DataFrame({"rows": one.rows, "known": one.known, "value": one.value})
            frame.to_parquet(folder / f"labels-{number}.parquet", index=False)
        part = folder / "history.json.part"
        part.write_text(json.dumps({"id": self.id, "generations": len(self.labels)}), encoding="utf-8")
        part.replace(folder / "history.json")

    @classmethod
    def load(cls, folder: Path) -> History:
        """As saved."""
        import pandas as pd

        said = json.loads((folder / "history.json").read_text(encoding="utf-8"))
        rows = pd.read_parquet(folder / "rows.parquet")
        frames = [pd.read_parquet(folder / f"labels-{i}.parquet") for i in range(said["generations"])]
        labels = tuple(Generation(*(f[name].to_numpy() for name in ("rows", "known", "value"))) for f in frames)
        return cls(rows, labels, said["id"], instants(rows["event_time"]), instants(rows["known_at"]))


def _generations(rows: pd.DataFrame, labels: pd.DataFrame) -> Sequence[Generation]:
    """Of the labels of one row the latest known counts; at one instant the first source, then the smallest value
    (`stores.log_read.resolve`), which is why that one comes last here."""
    import pandas as pd

    at = pd.Index(rows["record_key"]).get_indexer(labels["record_key"])
    own = labels.assign(row=at, known=instants(labels["known_at"]))[at >= 0]
    later = {"row": True, "known": True, "source": False, "value": False, "batch_id": False}
    own = own.sort_values(list(later), ascending=list(later.values()), ignore_index=True)
    rank = own.groupby("row").cumcount().to_numpy()
    found = []
    for number in range(int(rank.max(initial=-1)) + 1):
        part = own[rank == number]
        found.append(
            Generation(
                part["row"].to_numpy(np.int64), part["known"].to_numpy(np.int64), part["value"].to_numpy(np.float64)
            )
        )
    return found


def _content(rows: pd.DataFrame) -> str:
    import pandas as pd

    return _hash(pd.util.hash_pandas_object(rows.drop(columns=["batch_id"], errors="ignore"), index=False).to_numpy())


def _hash(values: npt.NDArray[Any]) -> str:
    import hashlib

    return hashlib.sha256(np.ascontiguousarray(values).tobytes()).hexdigest()
