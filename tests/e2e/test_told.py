"""Airflow's callbacks tell people: one message for each incident, in the words of the registry."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from deployment import Deployment
from loans import day
from viewed import APP, Viewed

pytestmark = pytest.mark.e2e


def _about(deployment: Deployment, subject: str) -> list[str]:
    return [m["message"] for m in deployment.webhook.got if m["title"] == subject]


def test_a_promotion_is_told_once_and_confirmed_by_the_registry(deployment: Deployment, viewed: Viewed) -> None:
    subject = f"{APP}: version 2 is champion (promote)"
    deployment.until("the message", lambda: _about(deployment, subject))
    deployment.again(viewed.run, "verify")
    [text] = _about(deployment, subject)
    served = viewed.lender.champion()
    assert f"Confirmed by the registry: version {served} is champion." in text
    assert f"{deployment.stack.airflow_url}/dags/{APP}.retrain/runs/" in text
    told = viewed.lender.ws().ledger.entries(kind="notified")
    assert sorted(e.reason for e in told) == sorted(deployment.webhook.subjects)


def test_a_task_that_fails_for_good_is_told_once_a_run_with_its_reason(deployment: Deployment, viewed: Viewed) -> None:
    before = viewed.lender.champion()
    asked = {"as_of": day(24.1).isoformat(), "to": "99", "reason": "no such version"}
    run = deployment.run(f"{APP}.rollback", expect="failed", **asked)
    subject = f"{APP}.rollback: roll_back failed"
    deployment.until("the message", lambda: _about(deployment, subject))
    deployment.again(run, expect="failed")
    [text] = _about(deployment, subject)
    assert deployment.reason(run, "roll_back").split(".")[0] in text
    assert f"/dags/{APP}.rollback/runs/{quote(run.run_id, safe='')}" in text
    assert viewed.lender.champion() == before


def test_s49_a_rollback_is_told_as_the_registry_has_it(deployment: Deployment, viewed: Viewed) -> None:
    deployment.run(f"{APP}.rollback", as_of=day(24.2).isoformat(), reason="calls from the branches")
    subject = f"{APP}: version 1 is champion (rollback)"
    deployment.until("the message", lambda: _about(deployment, subject))
    [text] = _about(deployment, subject)
    assert f"Confirmed by the registry: version {viewed.lender.champion()} is champion." in text
    assert viewed.lender.champion() == "1" and "calls from the branches" in text
