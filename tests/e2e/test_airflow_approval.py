"""Promotion modes: `approve` waits for a person in Airflow, `suggest` sets an alias only."""

from __future__ import annotations

import time
from urllib.parse import quote

import pytest
from deployment import Deployment
from lender import Lender
from loans import day

from continual.local.airflow_runs import DagRun

pytestmark = pytest.mark.e2e
#: Seconds before anybody answers. Airflow takes an answer within half a second of the question for a lost task: the
#: executor's report that the asking is over arrives after the answer, and the question is put again.
PERSON = 3.0


@pytest.fixture(scope="module")
def lender(deployment: Deployment) -> Lender:
    """Version 1 since day 10, two more weeks in the log."""
    found = deployment.lender("approved").past(10)
    found.log(10, 24)
    return found


def _waiting(deployment: Deployment, as_of: float) -> DagRun:
    run = deployment.trigger("approved.retrain", as_of=day(as_of).isoformat(), reason="a person will look")
    waiting = deployment.until_state(run, "approve", "awaiting_input")
    time.sleep(PERSON)
    return waiting


@pytest.fixture(scope="module")
def declined(deployment: Deployment, lender: Lender) -> DagRun:
    """The first retrain, declined."""
    run = _waiting(deployment, 24)
    pool = deployment.airflow.http.get("/pools/default_pool")
    assert (pool["running_slots"], pool["queued_slots"], pool["deferred_slots"]) == (0, 0, 0)
    assert lender.champion() == "1"
    deployment.answer(run, "approve", "Reject")
    return deployment.finish(run)


def test_the_person_sees_the_gate_report(deployment: Deployment, declined: DagRun) -> None:
    path = f"/dags/{declined.dag_id}/dagRuns/{declined.run_id}/taskInstances/approve/-1/hitlDetails"
    asked = deployment.airflow.http.get(path)
    assert asked["subject"] == "Promote a new version of approved?"
    assert "\n\n## promote: version 2 against 1" in asked["body"]
    assert f"/dags/approved.retrain/runs/{quote(declined.run_id, safe='')}/plugin/continual-verdict)" in asked["body"]
    assert "| startups | roc_auc |" in asked["body"]
    assert asked["options"] == ["Approve", "Reject"]
    assert asked["defaults"] == ["Reject"]


def test_a_declined_version_is_not_promoted(deployment: Deployment, lender: Lender, declined: DagRun) -> None:
    assert lender.check_one_champion() == "1"
    (answer,) = lender.ws().ledger.entries(kind="approval")
    assert (answer.evidence["approved"], answer.evidence["by"]) == (False, "admin")
    assert declined.task("promote").state == "skipped"
    assert "declined by admin" in deployment.reason(declined, "promote")
    assert deployment.reason(declined, "approve") == answer.reason


def test_the_answer_is_remembered_when_the_run_is_cleared(
    deployment: Deployment, lender: Lender, declined: DagRun
) -> None:
    before = lender.facts()
    again = deployment.again(declined)
    assert "declined by admin" in deployment.reason(again, "promote")
    assert lender.facts() == before


def test_an_approved_version_is_promoted_and_the_ledger_says_by_whom(
    deployment: Deployment, lender: Lender, declined: DagRun
) -> None:
    run = _waiting(deployment, 24.5)
    deployment.answer(run, "approve", "Approve")
    done = deployment.finish(run)
    assert lender.check_one_champion() == "3"
    answer = lender.ws().ledger.entries(kind="approval")[-1]
    assert (answer.evidence["approved"], answer.evidence["by"]) == (True, "admin")
    assert answer.run == f"approved.retrain {run.run_id} approve"
    before = lender.facts()
    deployment.again(done, "approve", "promote", "verify")
    assert lender.facts() == before


def test_nobody_is_asked_about_a_verdict_that_does_not_say_promote(
    deployment: Deployment, lender: Lender, declined: DagRun
) -> None:
    run = deployment.run("approved.retrain", as_of=day(24.8).isoformat(), reason="too soon for anything new")
    assert deployment.reason(run, "judge").startswith("reject:")
    assert run.task("approve").state == run.task("promote").state == "skipped"
    assert "nothing to approve" in deployment.reason(run, "approve")
    assert "Only the verdict 'promote' promotes" in deployment.reason(run, "promote")
    assert lender.check_one_champion() == "3"


def test_suggest_sets_the_challenger_only(deployment: Deployment) -> None:
    lender = deployment.lender("suggested").past(10)
    lender.log(10, 24)
    run = deployment.run("suggested.retrain", as_of=day(24).isoformat(), reason="what would you do?")
    assert lender.aliases == {"champion": "1", "challenger": "2"}
    assert lender.check_one_champion() == "1"
    (reason,) = lender.reasons("suggested")
    assert deployment.reason(run, "promote") == reason
    before = lender.facts()
    deployment.again(run, "promote")
    assert lender.facts() == before
