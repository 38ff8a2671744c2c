"""`Logger`: rows go into a bounded queue at once and into the inbox, as files, from a thread."""

from __future__ import annotations

import atexit
import concurrent.futures.thread  # noqa: F401 - see the end of this file
import logging
import os
import re
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from continual.errors import BatchError, StoreError
from continual.sdk._inbox import Inbox, InboxFile, check_client, encode
from continual.sdk._rollup import Rollup
from continual.sdk._rows import Stream, none_of, prepared
from continual.settings import Settings

if TYPE_CHECKING:
    from types import TracebackType

    import pyarrow as pa

    from continual.sdk._rows import Rows

_T = TypeVar("_T")
_LOG = logging.getLogger("continual.sdk")
_APPLICATION = re.compile(r"^[a-z][a-z0-9_]{0,40}$")
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 30.0
_EXIT_SECONDS = 10.0
_LIVING: weakref.WeakSet[Logger] = weakref.WeakSet()


@dataclass(frozen=True)
class Stats:
    """Counters of one logger in this process. Rows: logged = written + pending. files: of this logger that are in the
    inbox; small ones of the current day are put together. failures: attempts that failed."""

    logged: int
    written: int
    pending: int
    files: int
    failures: int
    last_error: str | None


class Logger:
    """Logs predictions and labels of one application; a context manager. Safe to share between threads and to fork.

    inbox: folder or URL (`s3://bucket/inbox`) under which files `<application>/<stream>/<UTC day>-<uuid>.parquet`
    appear; by default `landing` under CONTINUAL_HOME. max_rows, max_seconds: a file is written when so many rows
    wait or the oldest has waited so long; sixteen small files of a day that is not over become one. max_pending_rows:
    when so many wait, `log_*` blocks for block_seconds and then raises.

    At least once: a file that could not be written is written again until it can be, and ingest drops rows it has.
    Rows are safe (on disk, fsynced; or in the object store) when `flush` or `close` returned. A process that is
    killed, or a machine that stops, loses the rows not flushed yet: at most what was logged in the last max_seconds
    and the time of a write, or `stats.pending` while the inbox cannot be written. A normal exit flushes by itself.
    """

    def __init__(
        self,
        application: str,
        inbox: str | os.PathLike[str] | None = None,
        *,
        max_rows: int = 50_000,
        max_seconds: float = 5.0,
        max_pending_rows: int = 1_000_000,
        block_seconds: float = 10.0,
    ) -> None:
        """Raises
        ------
        StoreError: the name is none of an application, a limit is not positive, or the inbox's client is missing.
        """
        if not _APPLICATION.match(application):
            raise StoreError(
                "application must be a policy's name.", f"{application!r}.", "use lower case, digits and _."
            )
        if min(max_rows, max_seconds, max_pending_rows) <= 0 or block_seconds < 0:
            raise StoreError("Limits must be positive.", "one that is not.", "leave them out to take the defaults.")
        location = os.fspath(inbox) if inbox is not None else str(Settings.from_environment().home / "landing")
        try:
            check_client(location)
        except (ImportError, ValueError) as error:
            remedy = "for s3:// pip install 'continual[s3]'."
            raise StoreError("The inbox's client must be installed.", f"{error}.", remedy) from error
        self.application, self._inbox = application, Inbox(location)
        self.max_rows, self.max_seconds = max_rows, max_seconds
        self.max_pending_rows, self.block_seconds = max_pending_rows, block_seconds
        self._start_empty()
        _LIVING.add(self)

    def _start_empty(self) -> None:
        """State of a new process: a child of fork leaves its parent's rows to the parent."""
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._queue: deque[tuple[Stream, pa.Table]] = deque()
        self._oldest, self._queued = 0.0, 0
        self._logged = self._written = self._wanted = self._flushes = self._files = self._failures = 0
        self._last_error: str | None = None
        self._closed = False
        self._rollup = Rollup(self._inbox, self.max_rows)

    def log_predictions(self, rows: Rows) -> None:
        """rows: DataFrame, pyarrow.Table or list of dicts with record_key, event_time (with a time zone),
        model_version, prediction, and the features and tags as served.

        Raises
        ------
        BatchError: rows that could never be taken in; none of them is logged. StoreError: closed, or full for
        `block_seconds`.
        """
        if not none_of(rows):
            self._put("predictions", prepared(rows, "predictions", datetime.now(UTC)))

    def log_labels(self, rows: Rows, source: str | None = None) -> None:
        """rows: record_key, value, source and known_at (with a time zone). source: where rows name none.

        A label without known_at is stamped with the clock of this call: the moment the truth became known here.

        Raises
        ------
        BatchError, StoreError: as `log_predictions`.
        """
        if not none_of(rows):
            self._put("labels", prepared(rows, "labels", datetime.now(UTC), source))

    def flush(self, timeout: float | None = 30.0) -> None:
        """Wait until every row logged before this call is written. timeout: seconds; None: as long as it takes.

        Raises
        ------
        StoreError: it took longer; the rows are kept and tried again.
        """
        with self._changed:
            target = self._wanted = self._logged
            self._flushes += 1
            self._changed.notify_all()
            if not self._changed.wait_for(lambda: self._written >= target, timeout):
                raise self._stuck(f"{target - self._written:,} rows after {timeout:g} s")

    def close(self, timeout: float | None = 30.0) -> None:
        """`flush`, then no more rows. A second close does nothing.

        Raises
        ------
        StoreError: rows are not written yet; the logger stays open, so that `close` can be tried again.
        """
        self.flush(timeout)
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    @property
    def stats(self) -> Stats:
        with self._changed:
            pending = self._logged - self._written
            return Stats(self._logged, self._written, pending, self._files, self._failures, self._last_error)

    def __enter__(self) -> Logger:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _put(self, stream: Stream, table: pa.Table) -> None:
        if table.num_rows > self.max_pending_rows:
            got = f"{table.num_rows:,} rows at once, max_pending_rows is {self.max_pending_rows:,}."
            raise BatchError("Rows must fit into the queue.", got, "log them in parts, or raise max_pending_rows.")
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._fits(table), self.block_seconds)
            if self._closed:
                raise StoreError("A logger must be open.", "it was closed.", "make a new Logger.")
            if not self._fits(table):
                raise self._stuck(
                    f"{self._logged - self._written:,} rows wait, none of these {table.num_rows:,} was logged"
                )
            self._oldest = self._oldest if self._queue else time.monotonic()
            self._queue.append((stream, table))
            self._queued += table.num_rows
            self._logged += table.num_rows
            self._start()
            if len(self._queue) == 1 or self._due():  # else the thread knows already when to look
                self._changed.notify_all()

    def _fits(self, table: pa.Table) -> bool:
        return self._logged - self._written + int(table.num_rows) <= self.max_pending_rows

    def _start(self) -> None:
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._work, name=f"continual-{self.application}", daemon=True)
            self._thread.start()

    def _work(self) -> None:
        while taken := self._take():
            for file in self._until_done(partial(encode, self.application, taken)):
                self._until_done(partial(self._inbox.write, file))
                with self._changed:
                    self._written += file.rows
                    self._files += 1
                    self._changed.notify_all()
                self._roll_up(file)

    def _roll_up(self, file: InboxFile) -> None:
        try:
            fewer = self._rollup.written(file, datetime.now(UTC))
        except Exception as error:  # the rows are written; their files stay small
            _LOG.warning("small files in %s stay apart: %s", self._inbox.location, error)
            return
        with self._changed:
            self._files -= fewer

    def _take(self) -> list[tuple[Stream, pa.Table]]:
        """Everything in the queue, as soon as a limit is reached or somebody waits; nothing when closed."""
        with self._changed:
            while not self._due():
                if self._closed and not self._queue:
                    return []
                left = self._oldest + self.max_seconds - time.monotonic() if self._queue else None
                self._changed.wait(left)
            taken = list(self._queue)
            self._queue.clear()
            self._queued = 0
            return taken

    def _due(self) -> bool:
        if not self._queue:
            return False
        late = time.monotonic() - self._oldest >= self.max_seconds
        return late or self._queued >= self.max_rows or self._wanted > self._written or self._closed

    def _until_done(self, call: Callable[[], _T]) -> _T:
        """Pauses grow from 0.1 to 30 s, and end early when somebody waits for a flush."""
        pause = _FIRST_PAUSE
        while True:
            try:
                return call()
            except Exception as error:  # disks and clients raise whatever they like; no row may be dropped for it
                self._failed(error, pause)
                pause = min(2 * pause, _LONGEST_PAUSE)

    def _failed(self, error: Exception, pause: float) -> None:
        with self._changed:
            self._failures += 1
            self._last_error = f"{type(error).__name__}: {str(error)[:300]}"
            first = self._failures == 1
            before = self._flushes
            self._changed.wait_for(lambda: self._flushes > before, pause)
        if first:
            _LOG.warning("cannot write to %s, trying again: %s", self._inbox.location, self._last_error)

    def _stuck(self, got: str) -> StoreError:
        why = f"; last error: {self._last_error}" if self._last_error else ""
        return StoreError(
            f"The inbox {self._inbox.location} must take rows as fast as they are logged.",
            f"{got}{why}.",
            "repair the inbox (folder, disk, credentials); rows that were logged are kept and tried again.",
        )


def _flush_at_exit() -> None:
    for logger in list(_LIVING):
        try:
            logger.flush(_EXIT_SECONDS)
        except StoreError as error:
            _LOG.error("rows are lost at exit: %s", error)


def _after_fork() -> None:
    for logger in list(_LIVING):
        closed = logger._closed
        logger._start_empty()
        logger._closed = closed


# Runs before concurrent.futures refuses work, which clients of object stores need: `threading` calls the last
# registered first, so concurrent.futures.thread must have registered already. `atexit` would come too late.
getattr(threading, "_register_atexit", atexit.register)(_flush_at_exit)
os.register_at_fork(after_in_child=_after_fork)
