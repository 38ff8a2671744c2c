"""`airflow backfill` replays weeks: the same flows, windows from the intervals, nothing twice."""

from __future__ import annotations

from collections import Counter

import pytest
from deployment import Deployment
from lender import EVER, Lender
from loans import ROWS, day, days, predictions

pytestmark = pytest.mark.e2e
DAYS = 10


@pytest.fixture(scope="module")
def lender(deployment: Deployment) -> Lender:
    """Ten days delivered and ingested by one backfill, ten runs at a time as Airflow's default is."""
    found = deployment.lender("replayed")
    found.deliver(0, DAYS)
    _backfill(deployment, "none")
    return found


def _backfill(deployment: Deployment, reprocess: str) -> None:
    number = deployment.airflow.backfill("replayed.ingest", day(0), day(DAYS - 1), reprocess)
    deployment.airflow.wait_backfill(number, 180)
    deployment.idle("replayed")


def _until_the_backfill_is_closed(deployment: Deployment) -> None:
    """Airflow looks every 30 seconds, and accepts no second backfill of a DAG before."""

    def closed() -> bool:
        found = deployment.airflow.http.get("/backfills", dag_id="replayed.ingest")["backfills"]
        return all(backfill["completed_at"] for backfill in found)

    deployment.until("the first backfill closed", closed)


def test_every_day_is_in_the_log_once(deployment: Deployment, lender: Lender) -> None:
    runs = deployment.runs("replayed.ingest")
    assert [(run.run_type, run.window) for run in runs] == [("backfill", days(n, n + 1)) for n in range(DAYS)]
    assert {run.state for run in runs} == {"success"}
    assert not [task for run in runs for task in run.tasks if task.try_number > 1]  # no run trod on another's rows
    assert lender.rows()["predictions"] == DAYS * ROWS
    logged = lender.ws().log.read_predictions(EVER, EVER.end, columns=["record_key", "event_time"])
    assert logged["record_key"].is_unique
    assert Counter(logged["event_time"].dt.floor("D")) == {day(n): ROWS for n in range(DAYS)}
    known = lender.ws().log.read_labels(None, day(DAYS))
    assert lender.rows()["labels"] == len(known) == known["record_key"].nunique() > (DAYS - 1) * ROWS
    assert [b.state for b in lender.ws().batches.batches()] == ["appended"] * 2 * DAYS


def test_assets_set_off_monitor_and_retrain(deployment: Deployment, lender: Lender) -> None:
    monitors, retrains = deployment.runs("replayed.monitor"), deployment.runs("replayed.retrain")
    assert {run.run_type for run in monitors + retrains} == {"asset_triggered"}
    assert {run.state for run in monitors + retrains} == {"success"}
    looked = lender.ws().ledger.last("trigger")
    assert looked is not None
    assert looked.as_of == day(DAYS)  # the last day's event, too, although runs wait for their turn
    early = [run for run in retrains if run.task("curate").state == "skipped"]
    too_little = ("history before the judging window", "at least 500 labelled rows")
    assert all(any(text in deployment.reason(run, "curate") for text in too_little) for run in early)
    (first,) = [run for run in retrains if run not in early]
    assert "version 1 is champion" in deployment.reason(first, "verify")
    assert lender.check_one_champion() == "1"


def test_s2_a_malformed_batch_fails_the_run_and_stops_what_depends_on_it(
    deployment: Deployment, lender: Lender
) -> None:
    monitors, before = len(deployment.runs("replayed.monitor")), lender.facts()
    rows = predictions(DAYS, None)
    lender.deliver_one("predictions", DAYS, rows.assign(income=rows["income"] + 100))
    run = deployment.run("replayed.ingest", days(DAYS, DAYS + 1), expect="failed")
    states = {task.task_id: (task.state, task.try_number) for task in run.tasks}
    assert states == {"validate": ("success", 1), "append": ("success", 1), "publish": ("failed", 1)}
    reason = deployment.reason(run, "publish")
    assert "income" in reason
    assert "2024-01-11.parquet" in reason
    deployment.idle("replayed")
    assert len(deployment.runs("replayed.monitor")) == monitors
    after = lender.facts()
    assert after["rows"] == {**before["rows"], "quarantine": ROWS}
    assert (after["ledger"], after["aliases"]) == (before["ledger"], before["aliases"])


def test_s33_the_same_backfill_again_changes_nothing(deployment: Deployment, lender: Lender) -> None:
    before, runs = lender.facts(), deployment.runs("replayed.ingest")
    _until_the_backfill_is_closed(deployment)
    _backfill(deployment, "completed")
    again = [run for run in deployment.runs("replayed.ingest") if run.run_type == "backfill"]
    assert [run.run_id for run in again] == [run.run_id for run in runs if run.run_type == "backfill"]
    assert {run.task("validate").try_number for run in again} == {2}
    assert {run.state for run in again} == {"success"}
    after = lender.facts()
    # a monitor that had not looked since the retrain looks now: it notes what that cost, and that nothing is due
    entries = lender.ws().ledger.entries()[before["ledger"][0] :]
    new = [entry for entry in entries if entry.kind != "retrain_scored"]
    assert [(entry.kind, entry.evidence["retrain"]) for entry in new] in ([], [("trigger", False)])
    assert {**after, "ledger": None} == {**before, "ledger": None}
