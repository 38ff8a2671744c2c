"""Readings as OpenMetrics families: names, help and labels, with a bound on the number of series."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING

from continual.exporter.reading import Reading

if TYPE_CHECKING:
    from prometheus_client.metrics_core import GaugeMetricFamily, Metric

MEASURED = ("app", "slice", "metric", "version")
SLICE = ("app", "slice", "version")


def families(readings: Iterable[Reading], now: datetime, limit: int) -> Iterator[Metric]:
    """limit: at most so many pairs of slice and metric of one application, the largest slices."""
    found = list(readings)
    yield from _measured(found, limit)
    yield from _coverage(found, limit)
    yield from _model(found)
    yield from _operations(found, now)


def _gauge(name: str, text: str, labels: Iterable[str] = ("app",)) -> GaugeMetricFamily:
    from prometheus_client.metrics_core import GaugeMetricFamily

    return GaugeMetricFamily(f"continual_{name}", text, labels=list(labels))


def _measured(readings: list[Reading], limit: int) -> Iterator[Metric]:
    """Undefined estimates have no sample: they are counted, never 0."""
    value = _gauge("metric", "Metric of the live model in its last window, in the metric's unit.", MEASURED)
    low = _gauge("metric_low", "Lower end of the metric's 95% interval.", MEASURED)
    high = _gauge("metric_high", "Upper end of the metric's 95% interval.", MEASURED)
    undefined = _gauge("metrics_undefined", "Slice-metric pairs without a value, for want of labels or of a class.")
    left_out = _gauge("metrics_left_out", "Slice-metric pairs of the smallest slices not exported: series are bounded.")
    for reading in readings:
        rows = reading.evaluations
        for row in rows[:limit]:
            labels = [reading.app, row["slice"], row["metric"], row["model_version"]]
            for family, name in ((value, "value"), (low, "low"), (high, "high")):
                if row[name] is not None:
                    family.add_metric(labels, row[name])
        undefined.add_metric([reading.app], sum(row["value"] is None for row in rows))
        left_out.add_metric([reading.app], max(len(rows) - limit, 0))
    yield from (value, low, high, undefined, left_out)


def _coverage(readings: list[Reading], limit: int) -> Iterator[Metric]:
    """Of every slice that has a metric; of several metrics the one that could use most labels."""
    rows_ = _gauge("rows", "Rows of the slice in the last window.", SLICE)
    labelled = _gauge("rows_labelled", "Rows of the slice in the last window with a label.", SLICE)
    coverage = _gauge("label_coverage_ratio", "Share of the rows with a label.", SLICE)
    for reading in readings:
        best: dict[str, tuple[int, int]] = {}
        for row in reading.evaluations[:limit]:
            best[row["slice"]] = max(best.get(row["slice"], (-1, 0)), (row["n_labelled"], row["n"]))
        for name, (known, n) in best.items():
            labels = [reading.app, name, reading.evaluations[0]["model_version"]]
            rows_.add_metric(labels, n)
            labelled.add_metric(labels, known)
            if n:
                coverage.add_metric(labels, known / n)
    yield from (rows_, labelled, coverage)


def _model(readings: list[Reading]) -> Iterator[Metric]:
    from prometheus_client.metrics_core import InfoMetricFamily

    info = InfoMetricFamily("continual_champion", "Serving version, and what its metrics were measured for.")
    since = _gauge("champion_since_timestamp_seconds", "When the serving version was decided on.")
    start = _gauge("window_start_timestamp_seconds", "Start of the window of the metrics, event time.")
    end = _gauge("window_end_timestamp_seconds", "End of the window of the metrics, event time.")
    known = _gauge("evaluated_as_of_timestamp_seconds", "Instant of knowledge of the metrics.")
    alarm = _gauge("alarm_open", "1 while an alarm about the serving version is open, else 0.")
    for reading in readings:
        if reading.champion is not None:
            info.add_metric([], {"app": reading.app, "version": reading.champion, "purpose": reading.purpose or ""})
        instants = ((since, "since"), (start, "window_start"), (end, "window_end"), (known, "as_of"))
        for family, name in instants:
            _instant(family, [reading.app], getattr(reading, name))
        alarm.add_metric([reading.app], reading.alarm)
    yield from (info, since, start, end, known, alarm)


def _operations(readings: list[Reading], now: datetime) -> Iterator[Metric]:
    decided = _gauge(
        "last_decision_timestamp_seconds", "As-of of the ledger's last decision, and its kind.", ["app", "kind"]
    )
    items = _gauge("quarantine_open_items", "Quarantine items that wait for a person.")
    rows = _gauge("quarantine_open_rows", "Rows in open quarantine items.")
    ingested = _gauge("last_ingest_timestamp_seconds", "As-of of the last run that took rows in.")
    age = _gauge("last_ingest_age_seconds", "Wall clock minus the as-of of the last run that took rows in.")
    for reading in readings:
        _instant(decided, [reading.app, reading.decision or ""], reading.decided)
        items.add_metric([reading.app], reading.open_items)
        rows.add_metric([reading.app], reading.open_rows)
        _instant(ingested, [reading.app], reading.ingested)
        if reading.ingested is not None:
            age.add_metric([reading.app], (now - reading.ingested).total_seconds())
    yield from (decided, items, rows, ingested, age)


def _instant(family: GaugeMetricFamily, labels: list[str], at: datetime | None) -> None:
    if at is not None:
        family.add_metric(labels, at.timestamp())


def health(failed: dict[str, str], healthy: Iterable[str], seconds: float) -> Iterator[Metric]:
    """Whether every application could be read; failed: application ('' = the store itself) -> class of the error."""
    up = _gauge("scrape_ok", "1 when the application's numbers could be read, else 0.")
    why = _gauge(
        "scrape_error", "1 for an application that could not be read, with the class of the error.", ["app", "error"]
    )
    took = _gauge("scrape_duration_seconds", "Time that this answer took to read.", [])
    for app in healthy:
        up.add_metric([app], 1)
    for app, error in failed.items():
        up.add_metric([app], 0)
        why.add_metric([app, error], 1)
    took.add_metric([], seconds)
    yield from (up, why, took)
