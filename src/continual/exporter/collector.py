"""One scrape: every application by itself, so that a broken one hides no other."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from time import perf_counter
from typing import TYPE_CHECKING

from continual.exporter.families import families, health
from continual.exporter.reading import Reading, applications, read
from continual.stores.clock import Clock, wall_clock

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

    from continual.stores.database import Database

log = logging.getLogger(__name__)

#: Pairs of slice and metric of one application, each three series.
LIMIT = 2000


class StoreCollector:
    """A `prometheus_client` collector. applications: names, none = all that are in the store."""

    def __init__(
        self, db: Database, applications: Sequence[str] = (), limit: int = LIMIT, clock: Clock = wall_clock
    ) -> None:
        self.db, self.names, self.limit, self._clock = db, tuple(applications), limit, clock

    def describe(self) -> list[Metric]:
        """Nothing, so that registering does not read the store."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Never raises: what could not be read is said by `continual_scrape_ok` 0."""
        start, failed = perf_counter(), dict[str, str]()
        readings = [found for app in self._applications(failed) if (found := self._read(app, failed)) is not None]
        yield from families(readings, self._clock(), self.limit)
        yield from health(failed, [reading.app for reading in readings], perf_counter() - start)

    def _applications(self, failed: dict[str, str]) -> Sequence[str]:
        if self.names:
            return self.names
        try:
            return applications(self.db)
        except Exception as error:
            failed[""] = type(error).__name__
            log.warning("the evaluation store could not be read: %s", error)
            return ()

    def _read(self, app: str, failed: dict[str, str]) -> Reading | None:
        try:
            return read(self.db, app)
        except Exception as error:  # whatever is wrong with one application's rows
            failed[app] = type(error).__name__
            log.warning("application %s could not be read: %s", app, error)
            return None
