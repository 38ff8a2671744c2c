"""Two runs decide at once."""

from __future__ import annotations

import pytest
from deployment import Deployment
from lender import Lender
from loans import day

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def lender(deployment: Deployment) -> Lender:
    """Version 1 since day 10, two more weeks in the log."""
    found = deployment.lender("rivals").past(10)
    found.log(10, 24)
    return found


def test_s32_two_retrains_at_once_make_one_champion(deployment: Deployment, lender: Lender) -> None:
    runs = [deployment.trigger("rivals.retrain", as_of=day(at).isoformat(), reason="now") for at in (24, 24.5)]
    done = [deployment.finish(run) for run in runs]
    assert lender.check_one_champion() in ("2", "3")
    moves = [move for move in lender.facts()["champions"] if move[0] == "promote"]
    promoted = [run for run in done if run.task("promote").state == "success"]
    assert len(moves) == len(promoted) >= 1
    assert {version for version, _ in lender.facts()["registered"]} == {"1", "2", "3"}


def test_s32_a_retrain_and_a_rollback_at_once_make_one_champion(deployment: Deployment, lender: Lender) -> None:
    champion = lender.check_one_champion()
    retrain = deployment.trigger("rivals.retrain", as_of=day(24.8).isoformat(), reason="now")
    deployment.until_state(retrain, "train", "running", "success")
    back = deployment.trigger("rivals.rollback", as_of=day(24.8).isoformat(), leave=champion, reason="now")
    deployment.airflow.wait(retrain.dag_id, retrain.run_id, 120)
    done = deployment.airflow.wait(back.dag_id, back.run_id, 120)
    assert lender.check_one_champion() != champion
    if done.task("roll_back").state == "success":
        assert lender.ws().versions.get(champion).state == "quarantined"
    else:  # the retrain was first
        assert "Only the present champion is rolled back" in deployment.reason(done, "roll_back")
