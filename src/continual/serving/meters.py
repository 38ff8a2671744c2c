"""What the server counts, for Prometheus."""

from __future__ import annotations

from collections import Counter as Count
from collections.abc import Callable, Sequence
from typing import Any


class Meters:
    """Counters and histograms of one server, in a registry of its own."""

    def __init__(self, application: str) -> None:
        from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

        self.registry = CollectorRegistry()
        own: dict[str, Any] = {"registry": self.registry}
        self.requests = Counter("continual_serving_requests", "Requests by path and status.", ["path", "status"], **own)
        self.seconds = Histogram(
            "continual_serving_request_seconds",
            "Time to answer a request.",
            ["path"],
            buckets=(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5),
            **own,
        )
        self.rows = Counter("continual_serving_rows", "Rows answered, by version.", ["version"], **own)
        self.labels = Counter("continual_serving_labels", "Labels taken by /feedback.", **own)
        self.batches = Histogram(
            "continual_serving_batch_rows", "Rows answered together.", buckets=(1, 2, 4, 8, 16, 32, 64, 128, 512), **own
        )
        self.scoring = Histogram("continual_serving_batch_seconds", "Time to score and keep a batch.", **own)
        self.shadow_failures = Counter("continual_serving_shadow_failures", "Batches the challenger failed on.", **own)
        self._gauge = Gauge
        self.application = application

    def watch(self, name: str, text: str, value: Callable[[], float]) -> None:
        """A gauge that is read when it is asked for."""
        self._gauge(f"continual_serving_{name}", text, registry=self.registry).set_function(value)

    def batch(self, rows: int, seconds: float, versions: Sequence[str]) -> None:
        self.batches.observe(rows)
        self.scoring.observe(seconds)
        for version, count in Count(versions).items():
            self.rows.labels(version).inc(count)

    def text(self) -> bytes:
        from prometheus_client import generate_latest

        return bytes(generate_latest(self.registry))
