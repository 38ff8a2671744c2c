"""From the spool to where the loop reads: predictions and labels into the inbox, shadow answers into the log."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from continual.sdk._inbox import Inbox, InboxFile, encode
from continual.sdk._rows import prepared
from continual.serving import spool as spooled

if TYPE_CHECKING:
    import pyarrow as pa

    from continual.sdk._rows import Stream
    from continual.serving.spool import Spool

_LOG = logging.getLogger("continual.serving")
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 60.0
STREAMS: tuple[Stream, ...] = ("predictions", "labels")


@dataclass
class Shipped:
    """Rows that arrived, by stream; attempts that failed, and why the last one did (None: it did not)."""

    rows: dict[str, int] = field(default_factory=lambda: {"predictions": 0, "labels": 0, "scores": 0})
    failures: int = 0
    last_error: str | None = None


class Shipper:
    """Ships closed segments, one by one, again and again until each has arrived; ingest drops what came twice.

    inbox: where the policy's source reads. columns: of a prediction's row beyond the record's own, name -> "text" or
    "number". append_scores: takes the shadow's answers as a table and an id that is the same at every attempt.
    """

    def __init__(
        self,
        application: str,
        spool: Spool,
        inbox: str,
        columns: Mapping[str, str],
        append_scores: Callable[[pa.Table, str], int],
    ) -> None:
        self.application, self.spool, self.inbox = application, spool, Inbox(inbox)
        self.columns, self._append_scores = dict(columns), append_scores
        self.shipped = Shipped()
        self._wake, self._ended = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._work, name=f"ship-{application}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, timeout: float = 20.0) -> None:
        """Ship what can be shipped now, then end; the rest waits for the next start."""
        self._ended.set()
        self._wake.set()
        self._thread.join(timeout)

    def _work(self) -> None:
        pause = _FIRST_PAUSE
        while True:
            ending = self._ended.is_set()
            pause = _FIRST_PAUSE if self.ship(now=ending) else min(2 * pause, _LONGEST_PAUSE)
            if ending:
                return
            self._wake.wait(pause)

    def ship(self, now: bool = False) -> bool:
        """Everything that is closed (now: also what is still open); False when something did not arrive."""
        self.spool.rotate(now)
        for segment in self.spool.ready():
            try:
                self._ship(segment)
            except Exception as error:  # disks and clients raise whatever they like; no row may be dropped for it
                self._failed(error)
                return False
        self.shipped.last_error = None
        return True

    def _ship(self, segment: Path) -> None:
        entries = spooled.read(segment)
        for stream in STREAMS:
            rows = [entry["row"] for entry in entries if entry["stream"] == stream]
            for file in self._files(stream, rows, segment):
                self.inbox.write(file)
            self.shipped.rows[stream] += len(rows)
        scores = [entry["row"] for entry in entries if entry["stream"] == "scores"]
        if scores:
            self._append_scores(_scores(scores), _name(segment))
            self.shipped.rows["scores"] += len(scores)
        self.spool.done(segment)

    def _files(self, stream: Stream, rows: list[dict[str, Any]], segment: Path) -> Iterable[InboxFile]:
        """Named for the segment: shipped again after a kill they are the same files."""
        if not rows:
            return
        table = prepared(_table(rows, self.columns if stream == "predictions" else {}), stream, datetime.now(UTC))
        for number, file in enumerate(encode(self.application, [(stream, table)])):
            folder, _, name = file.name.rpartition("/")
            yield InboxFile(f"{folder}/{name[:10]}-{_name(segment)}-{number}.parquet", file.content, file.rows)

    def _failed(self, error: Exception) -> None:
        self.shipped.failures += 1
        first = self.shipped.last_error is None
        self.shipped.last_error = f"{type(error).__name__}: {str(error)[:300]}"
        if first:
            _LOG.warning("%s cannot be shipped, trying again: %s", self.application, self.shipped.last_error)


def _name(segment: Path) -> str:
    return sha256(segment.stem.encode()).hexdigest()[:32]


def _table(rows: list[dict[str, Any]], columns: Mapping[str, str]) -> pa.Table:
    """Types are the policy's, whatever the first rows happen to hold: a column of nulls is still a number."""
    import pyarrow as pa

    kinds = {
        **{name: pa.string() if kind == "text" else pa.float64() for name, kind in columns.items()},
        **dict.fromkeys(("record_key", "model_version", "source"), pa.string()),
        **dict.fromkeys(("event_time", "known_at"), pa.timestamp("us", "UTC")),
        **dict.fromkeys(("prediction", "value"), pa.float64()),
    }
    names = dict.fromkeys(name for row in rows for name in row)
    return pa.table({name: pa.array(_values(rows, name), kinds.get(name, _other(name))) for name in names})


def _other(name: str) -> Any:
    """Probabilities of classes are numbers; of a tag the policy does not say what it is, its values do."""
    import pyarrow as pa

    return pa.float64() if name.startswith("p_") else None


def _values(rows: list[dict[str, Any]], name: str) -> list[Any]:
    values = [row.get(name) for row in rows]
    if name in ("event_time", "known_at"):
        return [None if value is None else datetime.fromisoformat(value) for value in values]
    return values


def _scores(rows: list[dict[str, Any]]) -> pa.Table:
    return _table(rows, {})
