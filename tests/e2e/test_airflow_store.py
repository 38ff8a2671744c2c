"""The evaluation store over history, in Airflow: days split over mapped tasks, safe to run again."""

from __future__ import annotations

import pytest
from deployment import Deployment
from lender import Lender
from loans import day, days

from continual.api import Application
from continual.local.airflow_runs import DagRun

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def lender(deployment: Deployment) -> Lender:
    """Version 1 since day 10; 24 days in the log."""
    lender = deployment.lender("stored").past(10)
    lender.deliver(10, 24)
    deployment.run("stored.ingest", days(10, 24))
    deployment.idle("stored")
    return lender


@pytest.fixture(scope="module")
def built(deployment: Deployment, lender: Lender) -> DagRun:
    lender.edit("slices:\n", "slices:\n  - {cross: [sector, region], top: 4}\n")  # all history lacks these cells
    return deployment.run("stored.store", as_of=day(25).isoformat())


def test_the_days_of_all_history_are_split_over_mapped_tasks(deployment: Deployment, built: DagRun) -> None:
    assert "24 days to build" in deployment.reason(built, "survey")
    parts = [task for task in built.tasks if task.task_id == "build"]
    assert len(parts) == 6 and {task.state for task in parts} == {"success"}
    said = [deployment.reason(built, "build", task.map_index) for task in parts]
    assert all("cells of 4 days built from 800 rows" in reason for reason in said)
    assert "verdicts of the last 90 days" in deployment.reason(built, "resettle")
    assert "snapshots expired" in deployment.reason(built, "tidy")


def test_reading_a_window_then_costs_no_scan_and_says_what_the_rows_say(lender: Lender, built: DagRun) -> None:
    found = Application.of(lender.ws())
    assert found.build(days(12, 22), as_of=day(25)).data["days"] == []
    frame = found.metrics(days(12, 22), as_of=day(25), metrics=["brier"]).set_index("slice")
    assert frame.loc["overall", "n"] == 10 * 200
    assert sum("&" in name for name in frame.index) == 4


def test_a_second_run_builds_nothing(deployment: Deployment, built: DagRun) -> None:
    again = deployment.run("stored.store", as_of=day(25).isoformat())
    assert deployment.reason(again, "survey").startswith("0 days to build")
    states = {task.task_id: task.state for task in again.tasks}
    assert states["build"] == "skipped"
    assert states["resettle"] == states["tidy"] == "success"
