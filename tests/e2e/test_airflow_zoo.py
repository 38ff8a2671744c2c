"""A version that served before wins again: the retrain in Airflow promotes it and trains nothing."""

from __future__ import annotations

import pytest
from deployment import Deployment
from loans import day

pytestmark = pytest.mark.e2e


def test_an_old_version_that_wins_is_promoted_and_nothing_is_trained(deployment: Deployment) -> None:
    """From day 26 on `bureau` tells the opposite of what version 2 learnt; version 1 knows nothing of it."""
    lender = deployment.lender("recurring").past(10, 24)
    lender.edit("zoo: {versions: 0}", "zoo: {versions: 3}")
    lender.edit("floor: 0.6", "floor: 0.5")
    lender.log(24, 32)
    run = deployment.finish(deployment.trigger("recurring.retrain", as_of=day(32).isoformat(), reason="now"))
    states = {name: run.task(name).state for name in ("zoo", "curate", "evaluate", "judge", "promote", "verify")}
    assert states == {**dict.fromkeys(states, "success"), "curate": "skipped"}, deployment.reason(run, "zoo")
    assert "version 1 is back, nothing is trained" in deployment.reason(run, "zoo")
    assert "an old version wins" in deployment.reason(run, "curate")
    assert lender.check_one_champion() == "1"
    assert {version for version, _ in lender.facts()["registered"]} == {"1", "2"}
    retrain = lender.ws().ledger.last("retrain")
    assert retrain is not None and retrain.reason == "version 1 again instead of a training: now"
