"""Deleting from the log so that no file holds the rows any more; every step can be repeated after a kill."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from pyiceberg.expressions import And, BooleanExpression, EqualTo, In, LessThan

from continual.core.window import floor_day
from continual.stores.log_compact import compact
from continual.stores.log_days import dates
from continual.stores.log_orphans import sweep
from continual.stores.log_read import DAY, instant, on_days
from continual.stores.log_remove import expire, remove, settle

if TYPE_CHECKING:
    from continual.stores.key_index import KeyIndex
    from continual.stores.log_commit import LogTable

#: Streams with a record key and the instant that says in which partition a row is.
KEYED = {"predictions": "event_time", "labels": "known_at", "scores": "event_time"}


@dataclass(frozen=True)
class Erased:
    """What goes. days: UTC day of event time -> rows of predictions (0: only labels or scores of that day); rows: by
    stream; items: quarantine item -> rows."""

    days: dict[date, int]
    rows: dict[str, int]
    items: dict[str, int] = field(default_factory=dict)


class LogErasure:
    """Erasure, retention and maintenance of one application's log."""

    def __init__(self, tables: Mapping[str, LogTable], index: KeyIndex) -> None:
        self.tables, self.index = tables, index

    def find(self, keys: Collection[str]) -> Erased:
        """What `erase` would delete now."""
        days: Counter[date] = Counter()
        rows: dict[str, int] = {}
        for stream, times in KEYED.items():
            found = self._rows(stream, In("record_key", _list(keys)), ("record_key", "event_time", times))
            rows[stream] = found.num_rows
            for day, n in _by_day(found).items():
                days[day] += n if stream == "predictions" else 0
        aside = self._aside(keys)
        items = {item: len(texts) for item, texts in aside.items()}
        return Erased(dict(sorted(days.items())), {**rows, "quarantine": sum(items.values())}, items)

    def erase(self, keys: Collection[str]) -> Erased:
        """Delete every row of these record keys from predictions, labels, scores and quarantine: files are rewritten
        without them, snapshots that reach the old files expire, the old files are deleted, the index forgets them.

        Raises
        ------
        StoreError: other writers came first too often.
        """
        found = self.find(keys)
        for stream, times in KEYED.items():
            there = self._rows(stream, In("record_key", _list(keys)), (times,))
            if there.num_rows:
                days = _micros(there, times) // DAY
                remove(self.tables[stream], And(on_days(times, days), In("record_key", _list(keys))))
        for item, texts in self._aside(keys).items():
            remove(self.tables["quarantine"], And(EqualTo("item_id", item), In("row_json", texts)))
        self._end()
        return found

    def find_before(self, moment: datetime) -> Erased:
        """What `expire_before` would delete now."""
        found = {stream: self._rows(stream, where, names) for stream, where, names in _before(moment)}
        rows = {stream: table.num_rows for stream, table in found.items()}
        items = Counter(found["quarantine"].column("item_id").to_pylist()) if rows["quarantine"] else Counter()
        return Erased(_by_day(found["predictions"]), rows, dict(items))

    def expire_before(self, moment: datetime) -> Erased:
        """Drop whole UTC days before the day of `moment`: predictions and scores by event time, labels and rows in
        quarantine by when they were known. Days are files, so nothing is rewritten but a file that straddles."""
        found = self.find_before(moment)
        for stream, where, _ in _before(moment):
            remove(self.tables[stream], where)
        self._end()
        return found

    def expire_snapshots(self, older_than: datetime, keep: Collection[int] = ()) -> int:
        """Forget snapshots older than that, but the newest and those in `keep` (datasets refer to them); their files
        that nothing else needs are deleted. Returns how many."""
        return sum(expire(table, older_than, frozenset(keep)) for table in self.tables.values())

    def compact(self) -> tuple[int, int]:
        """Put the many small files of a day together; (files before, files after). See `log_compact`."""
        found = [compact(table) for table in self.tables.values()]
        return sum(before for before, _ in found), sum(after for _, after in found)

    def sweep(self, older_than: datetime) -> int:
        """Delete what killed writers left before that instant. See `log_orphans`."""
        return sum(sweep(table, older_than) for table in self.tables.values())

    def _end(self) -> None:
        for table in self.tables.values():
            settle(table)
        self.index.keys(self.tables["predictions"].load())

    def _rows(self, stream: str, where: BooleanExpression, names: tuple[str, ...]) -> pa.Table:
        table = self.tables[stream].load()
        if table is None:
            return pa.table({name: pa.array([], pa.string()) for name in names})
        present = tuple(dict.fromkeys(name for name in names if name in table.schema().column_names))
        return table.scan(where, selected_fields=present).to_arrow()

    def _aside(self, keys: Collection[str]) -> dict[str, list[str]]:
        """Quarantine item -> its rows (JSON text) that are of these keys."""
        from pyiceberg.expressions import AlwaysTrue

        wanted, found = set(keys), dict[str, list[str]]()
        rows = self._rows("quarantine", AlwaysTrue(), ("item_id", "row_json"))
        for item, text in zip(rows.column("item_id").to_pylist(), rows.column("row_json").to_pylist(), strict=True):
            if _is_of(json.loads(text), wanted):
                found.setdefault(item, []).append(text)
        return found


def _is_of(row: Mapping[str, Any], keys: Collection[str]) -> bool:
    """A row whose key came under another name counts when any of its texts is one of the keys."""
    if row.get("record_key") is not None:
        return str(row["record_key"]) in keys
    return any(value in keys for value in row.values() if isinstance(value, str))


def _before(moment: datetime) -> list[tuple[str, BooleanExpression, tuple[str, ...]]]:
    day = instant(floor_day(moment))
    streams = [(stream, LessThan(times, day), (times,)) for stream, times in KEYED.items()]
    return [*streams, ("quarantine", LessThan("known_at", day), ("item_id",))]


def _by_day(rows: pa.Table) -> dict[date, int]:
    if "event_time" not in rows.column_names or not rows.num_rows:
        return {}
    micros = _micros(rows, "event_time")
    days, counts = np.unique(micros // DAY, return_counts=True)
    return dict(zip(dates(days), map(int, counts), strict=True))


def _micros(rows: pa.Table, name: str) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    found: np.ndarray[tuple[int], np.dtype[np.int64]] = rows.column(name).drop_null().cast(pa.int64()).to_numpy()
    return found


def _list(keys: Collection[str]) -> list[str]:
    return sorted(set(keys))
