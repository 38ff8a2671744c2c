"""Clear and run again, whole runs and single tasks, old ones too: nothing doubles."""

from __future__ import annotations

import pytest
from deployment import Deployment
from lender import Lender
from loans import day, days

from continual.local.airflow_runs import DagRun

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def lender(deployment: Deployment) -> Lender:
    """Version 1 since day 10."""
    return deployment.lender("cleared").past(10)


@pytest.fixture(scope="module")
def ingested(deployment: Deployment, lender: Lender) -> DagRun:
    """Two weeks in one run, with everything that follows."""
    lender.deliver(10, 24)
    run = deployment.run("cleared.ingest", days(10, 24))
    deployment.idle("cleared")
    return run


@pytest.fixture(scope="module")
def retrained(deployment: Deployment, ingested: DagRun) -> DagRun:
    """Version 2, promoted."""
    return deployment.run("cleared.retrain", as_of=day(24).isoformat(), reason="two weeks of labels")


def test_an_ingest_run_again(deployment: Deployment, lender: Lender, ingested: DagRun) -> None:
    before = lender.facts()
    assert before["rows"]["predictions"] == 24 * 200
    again = deployment.again(ingested)
    assert {task.try_number for task in again.tasks} == {2}
    deployment.idle("cleared")
    assert lender.facts() == before


def test_each_task_of_an_ingest_run_again(deployment: Deployment, lender: Lender, ingested: DagRun) -> None:
    before = lender.facts()
    for task in ("append", "publish"):
        deployment.again(ingested, task)
    deployment.idle("cleared")
    assert lender.facts() == before


def test_s31_s34_each_task_of_a_retrain_run_again(deployment: Deployment, lender: Lender, retrained: DagRun) -> None:
    before = lender.facts()
    assert before["champions"] == [("bootstrap", "1"), ("promote", "2")]
    for task in ("train", "judge", "promote", "verify"):
        deployment.again(retrained, task)
    assert "already done" in deployment.reason(retrained, "promote")
    assert lender.facts() == before


def test_s31_a_retrain_run_again(deployment: Deployment, lender: Lender, retrained: DagRun) -> None:
    before = lender.facts()
    again = deployment.again(retrained)
    assert "trained on this dataset already" in deployment.reason(again, "train", 0)
    assert lender.facts() == before
    assert lender.check_one_champion() == "2"
