"""The application that people look at in a browser and are told about: a champion, two weeks, a retrain judged."""

from __future__ import annotations

from dataclasses import dataclass

from deployment import NAMES, Deployment
from lender import Lender
from loans import day, days

from continual.local.airflow_runs import DagRun

APP = "viewed"
#: Seconds; on a crowded machine each of its three runs takes minutes.
PATIENCE = 600


@dataclass(frozen=True)
class Viewed:
    """run: the retrain that promoted version 2."""

    lender: Lender
    run: DagRun

    @classmethod
    def play(cls, deployment: Deployment) -> Viewed:
        """Version 1 since day 10, measured until day 24, then a retrain."""
        lender = deployment.lender(APP).past(10)
        lender.deliver(10, 24)
        deployment.finish(deployment.trigger(f"{APP}.ingest", days(10, 24)), timeout=PATIENCE)
        deployment.airflow.wait_idle([f"{APP}.{name}" for name in NAMES], timeout=PATIENCE)
        asked = {"as_of": day(24).isoformat(), "reason": "somebody will look"}
        return cls(lender, deployment.finish(deployment.trigger(f"{APP}.retrain", **asked), timeout=PATIENCE))
