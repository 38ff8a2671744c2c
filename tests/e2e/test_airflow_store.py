"""The evaluation store over history, in Airflow: days split over mapped tasks, safe to run again."""

from __future__ import annotations

import re
from urllib.parse import urljoin

import pandas as pd
import pytest
from deployment import Deployment
from lender import Lender
from loans import day, days, predictions

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


def test_the_validating_task_links_to_great_expectations_pages_of_what_it_judged(
    deployment: Deployment, lender: Lender
) -> None:
    passed = _docs(deployment, deployment.runs("stored.ingest")[0])
    assert len(passed) == 14 and all("not-expected" not in text for text in passed.values())
    broken = predictions(24, lender._serve()).assign(income=999.0)
    lender.deliver_one("predictions", 24, broken)
    run = deployment.run("stored.ingest", days(24, 25), expect="failed")
    assert "income" in deployment.reason(run, "validate")
    ((name, text),) = _docs(deployment, run).items()
    assert "2024-01-25" in name and "999.0" in text and "batch refused" in text


def _docs(deployment: Deployment, run: DagRun) -> dict[str, str]:
    """Batch -> its page, found as a person does: the button on the task's page, then the list it leads to."""
    address = deployment.links(run, "validate")["Data Docs"]
    assert address is not None and address.startswith(deployment.airflow.http.base_url)
    assert deployment.visit(address, logged_in=False).status_code == 401
    listed = deployment.visit(address)
    assert listed.status_code == 200
    found = re.findall(r'<a href="([0-9a-f]{32})">([^<]+)</a>', listed.text)
    pages = {name: deployment.visit(urljoin(address, batch)) for batch, name in found}
    assert {page.status_code for page in pages.values()} == {200}
    return {name: page.text for name, page in pages.items()}


def test_files_that_users_hand_in_are_answered_and_logged_once(
    deployment: Deployment, lender: Lender, built: DagRun
) -> None:
    rows = predictions(24, None).drop(columns=["model_version", "prediction"])
    folder = lender.settings.home / "to-score" / lender.name
    folder.mkdir(parents=True)
    rows.to_csv(folder / "branch 7.csv", index=False)
    run = deployment.run("stored.score", as_of=day(25).isoformat())
    assert f"{len(rows)} rows of 1 files scored; branch 7.csv" in deployment.reason(run, "score")
    answered = pd.read_csv(lender.settings.home / "scored" / lender.name / "branch 7.csv", dtype={"model_version": str})
    assert set(answered["model_version"]) == {"1"}
    logged = lender.ws().log.read_predictions(days(24, 25), day(25))
    assert sorted(logged["record_key"]) == sorted(answered["record_key"]) == sorted(rows["record_key"])
    deployment.again(run)  # cleared: nothing new
    assert len(lender.ws().log.read_predictions(days(24, 25), day(25))) == len(rows)
