"""Labels that people are asked for: the wait is deferred, ends when they are in, or says that time is over."""

from __future__ import annotations

import pytest
from deployment import Deployment
from lender import Lender
from loans import day, predictions

from continual.flows.log_rows import log_table

pytestmark = pytest.mark.e2e
ASKING = """labeler: {kind: csv}
labelling: {budget: 60, reserve: 0, window: 8d, double: 0, wait: 1h, poll: 1s, period: 1d}"""


@pytest.fixture(scope="module")
def lender(deployment: Deployment) -> Lender:
    """Version 1 since day 10; of days 22 and 23 nobody knows the truth."""
    lender = deployment.lender("asked").past(10)
    lender.log(10, 22)
    ws, serve = lender.ws(), lender._serve()
    for number in (22, 23):
        rows = log_table(ws.policy, "predictions", predictions(number, serve), f"p{number}", day(number + 1))
        ws.log.append_predictions(rows, f"p{number}")
    lender.edit("labeler: {kind: stream}", ASKING)
    deployment.airflow.wait_for_dags(["asked.label"], timeout=120)
    return lender


def test_s11_a_run_waits_for_labels_without_a_worker_and_goes_on_when_they_are_in(
    deployment: Deployment, lender: Lender
) -> None:
    run = deployment.trigger("asked.label", as_of=day(24).isoformat(), reason="a person wants labels")
    deployment.until_state(run, "wait", "deferred")
    pool = deployment.airflow.http.get("/pools/default_pool")
    assert (pool["running_slots"], pool["queued_slots"]) == (0, 0)
    asked = len(lender.fill_in(day(24.2)))
    done = deployment.finish(run)
    assert f"{asked} of {asked} rows have their label" in deployment.reason(done, "wait")
    assert deployment.reason(done, "collect").startswith(f"{asked} labels written to the log")
    labels = lender.ws().log.read_labels(None, day(25))
    assert (labels["source"] == "annotator").sum() == asked
    before = lender.facts()
    again = deployment.again(done)
    assert lender.facts() == before and again.task("wait").state == "success"


def test_s11_a_wait_that_is_over_says_so_and_decides_nothing(deployment: Deployment, lender: Lender) -> None:
    lender.edit("wait: 1h", "wait: 1s, on_timeout: skip")
    run = deployment.run("asked.label", as_of=day(25.1).isoformat(), reason="nobody answers")
    assert run.task("wait").state == run.task("collect").state == "skipped"
    assert "labelling.wait" in deployment.reason(run, "wait")
