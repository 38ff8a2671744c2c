"""Airflow's embedded database while people click and tasks run."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from deployment import Deployment
from loans import days

pytestmark = pytest.mark.e2e
PEOPLE, SECONDS = 3, 6.0


def test_clicks_never_stop_the_api_server_and_all_are_in_the_audit_log(deployment: Deployment) -> None:
    """Unrepaired, one click in some hundred stopped the whole server for the database's timeout, 60 s."""
    steady = deployment.lender("steady")
    steady.deliver(1, 3)
    run = deployment.trigger("steady.ingest", days(1, 3))
    before = _clicks_in_the_audit_log(deployment)
    with ThreadPoolExecutor(PEOPLE) as people:
        waits = [wait for found in people.map(lambda _: _click(deployment), range(PEOPLE)) for wait in found]
    assert len(waits) > 20
    assert max(waits) < 10
    deployment.finish(run)
    deployment.idle("steady")
    deployment.until("the audit log", lambda: _clicks_in_the_audit_log(deployment) == before + len(waits))


def _click(deployment: Deployment) -> list[float]:
    """Seconds each click took."""
    airflow, end, waits = deployment.stack.airflow, time.monotonic() + SECONDS, []
    while (began := time.monotonic()) < end:
        airflow.unpause("steady.rollback")
        waits.append(time.monotonic() - began)
    return waits


def _clicks_in_the_audit_log(deployment: Deployment) -> int:
    found = deployment.airflow.http.get("/eventLogs", event="patch_dag", dag_id="steady.rollback", limit=1)
    return int(found["total_entries"])
