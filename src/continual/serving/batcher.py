"""Requests that wait at the same time are answered together: one call of the model, one write of the spool.

Nobody waits on purpose: while one batch is scored the next one gathers. A single request on an idle server is a batch
of its own; under load the cost of a call is shared.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

Row = dict[str, Any]
#: Answers rows in order; an error is every waiting request's error.
Work = Callable[[list[Row]], list[Row]]


class Overloaded(Exception):
    """More rows wait than the server may hold."""


@dataclass
class _Waiting:
    rows: list[Row]
    done: asyncio.Future[list[Row]] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Batcher:
    """`await submit(rows)` from any number of requests of one event loop.

    max_rows: of a batch; a larger request is a batch of its own. max_waiting: rows that may wait; beyond it
    `Overloaded` is raised at once, which keeps the wait of those that are in bounded.
    """

    def __init__(self, work: Work, max_rows: int = 512, max_waiting: int = 10_000) -> None:
        self._work, self.max_rows, self.max_waiting = work, max_rows, max_waiting
        self._queue: list[_Waiting] = []
        self._rows = 0
        self._running: asyncio.Task[None] | None = None
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="score")

    async def submit(self, rows: list[Row]) -> list[Row]:
        """The answers, in order.

        Raises
        ------
        Overloaded: too many rows wait. Whatever `work` raises.
        """
        if self._rows + len(rows) > self.max_waiting:
            raise Overloaded(f"{self._rows:,} rows wait, {self.max_waiting:,} may")
        waiting = _Waiting(rows)
        self._queue.append(waiting)
        self._rows += len(rows)
        if self._running is None:
            self._running = asyncio.create_task(self._drain())
        return await waiting.done

    async def _drain(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while self._queue:
                taken = self._take()
                rows = [row for waiting in taken for row in waiting.rows]
                try:
                    answers = await loop.run_in_executor(self._pool, self._work, rows)
                except Exception as error:  # it is the requests' answer
                    _fail(taken, error)
                else:
                    _give(taken, answers)
                self._rows -= len(rows)
        finally:
            self._running = None

    def _take(self) -> list[_Waiting]:
        taken, rows = [self._queue.pop(0)], 0
        rows = len(taken[0].rows)
        while self._queue and rows + len(self._queue[0].rows) <= self.max_rows:
            taken.append(self._queue.pop(0))
            rows += len(taken[-1].rows)
        return taken

    def close(self) -> None:
        self._pool.shutdown(wait=True)


def _give(taken: list[_Waiting], answers: list[Row]) -> None:
    start = 0
    for waiting in taken:
        end = start + len(waiting.rows)
        if not waiting.done.done():  # a client that went away
            waiting.done.set_result(answers[start:end])
        start = end


def _fail(taken: list[_Waiting], error: Exception) -> None:
    for waiting in taken:
        if not waiting.done.done():
            waiting.done.set_exception(error)
