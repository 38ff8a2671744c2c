"""A verdict that needs labels gets them: people are asked in that slice, and the retrain that follows decides."""

from __future__ import annotations

import pandas as pd
import pyarrow as pa
import pytest
from deployment import Deployment
from lender import Lender
from loans import applications, day, labels, predictions

from continual.flows.label_desk import reading_of
from continual.flows.log_rows import log_table
from continual.local.airflow_runs import DagRun

pytestmark = pytest.mark.e2e
ASKING = """labeler: {kind: csv}
labelling: {budget: 130, reserve: 0.995, double: 0, wait: 1h, poll: 1s, period: 7d, training_share: 0}"""
JUDGED = range(18, 22)


@pytest.fixture(scope="module")
def lender(deployment: Deployment) -> Lender:
    """Version 1 since day 10. From day 18 on nobody reports what became of start-ups' loans but for two a day."""
    lender = deployment.lender("lacking").past(10)
    lender.log(10, 18)
    ws, serve = lender.ws(), lender._serve()
    rows = [log_table(ws.policy, "predictions", predictions(n, serve), f"p{n}", day(n + 1)) for n in (*JUDGED, 22)]
    ws.log.append_predictions(pa.concat_tables(rows), "p18-23")
    told = [log_table(ws.policy, "labels", _told(n), f"l{n}", day(n + 1)) for n in (*JUDGED, 22)]
    ws.log.append_labels(pa.concat_tables(told), "l18-23")
    lender.edit("labeler: {kind: stream}", ASKING)
    deployment.airflow.wait_for_dags(["lacking.label"], timeout=120)
    return lender


def _told(number: int) -> pd.DataFrame:
    """Labels of a day that come by themselves."""
    rows = pd.concat([applications(n) for n in (number - 1, number)], ignore_index=True)
    lost = (rows["sector"] == "startup") & (rows["event_time"] >= day(18)) & (rows.index % 100 > 1)
    found = labels(number)
    return found[~found["record_key"].isin(set(rows.loc[lost, "record_key"]))]


def _next(deployment: Deployment, dag_id: str, number: int) -> DagRun:
    """The run that something else started."""
    found: DagRun = deployment.until(
        f"run {number} of {dag_id}", lambda: (runs := deployment.runs(dag_id))[number:] and runs[number]
    )
    return found


def test_s18_a_verdict_that_needs_labels_gets_them_and_the_retrain_that_follows_decides(
    deployment: Deployment, lender: Lender
) -> None:
    first = deployment.run("lacking.retrain", as_of=day(23).isoformat(), reason="the bureau tells more now")
    assert deployment.reason(first, "ask").startswith("nothing asked")  # what is left is kept for a verdict
    said = deployment.reason(first, "judge")
    assert said.startswith("need_labels") and "startups" in said
    assert lender.champion() == "1"

    asking = _next(deployment, "lacking.label", 0)
    deployment.until_state(asking, "wait", "deferred")
    asked = deployment.reason(asking, "ask")
    (entry,) = lender.ws().ledger.entries(kind="labels_asked")
    need = entry.evidence["need"]
    assert need["verdict"] and set(need["slices"]) == {"startups"} and need["verdict"] in asked
    assert entry.evidence["bought"]["startups"] >= 0.75 * entry.evidence["new"] > 50
    assert entry.evidence["cost"] <= 130 * 1.3
    keys = lender.fill_in(day(23.2))
    assert len(keys) == entry.evidence["new"]
    asking = deployment.finish(asking)
    assert deployment.reason(asking, "collect").startswith(f"{len(keys)} labels written")

    second = deployment.finish(_next(deployment, "lacking.retrain", 1))
    assert "those of labels_asked" in deployment.reason(second, "ask")
    assert deployment.reason(second, "judge").startswith("promote")
    assert lender.check_one_champion() != "1"
    verdicts = [e.evidence["verdict"]["answer"] for e in lender.ws().ledger.entries(kind="verdict")]
    assert verdicts[-2:] == ["need_labels", "promote"]
    judged = lender.ws().ledger.last("evaluation").evidence["gate"]
    (startups,) = [s for s in judged["slices"] if s["slice"] == "startups"]
    assert startups["metrics"][0]["candidate"]["n_labelled"] > 50
    assert len(deployment.runs("lacking.label")) == 1 and reading_of(lender.ws()).counts()["open"] == 0
