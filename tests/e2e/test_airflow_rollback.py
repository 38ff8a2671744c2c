"""Rollback by hand, by the form of the DAG; requests about a version that was left already do nothing."""

from __future__ import annotations

import pytest
from deployment import Deployment
from lender import Lender
from loans import day

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def lender(deployment: Deployment) -> Lender:
    """Three champions: 1 of day 10, 2 of day 24, 3 of day 40."""
    return deployment.lender("left").past(10, 24, 40)


def test_s41_an_alarm_about_an_earlier_champion_is_skipped(deployment: Deployment, lender: Lender) -> None:
    before = lender.facts()
    about = {"champion": "2", "reason": "worse on startups", "alarm_key": "alarm:2:2", "as_of": day(40.1).isoformat()}
    deployment.emit("left.alarm", about)
    (run,) = deployment.until("a rollback", lambda: deployment.runs("left.rollback"))
    run = deployment.finish(run)
    assert (run.run_type, run.task("roll_back").state) == ("asset_triggered", "skipped")
    assert "the request is about version 2" in deployment.reason(run, "roll_back")
    assert lender.facts() == before


def test_a_person_rolls_back_and_clearing_it_does_not_roll_back_once_more(
    deployment: Deployment, lender: Lender
) -> None:
    run = deployment.run("left.rollback", as_of=day(40.2).isoformat(), reason="support calls about startups")
    assert lender.check_one_champion() == "2"
    moved = lender.ws().ledger.last("champion")
    assert moved is not None
    assert moved.reason == "roll back from version 3 to 2: support calls about startups"
    assert lender.ws().versions.get("3").state == "quarantined"
    assert "version 2 is champion" in deployment.reason(run, "verify")
    before = lender.facts()
    deployment.again(run)
    assert lender.facts() == before


def test_s41_a_second_click_about_the_version_that_was_left_is_skipped(deployment: Deployment, lender: Lender) -> None:
    before = lender.facts()
    run = deployment.run("left.rollback", as_of=day(40.3).isoformat(), leave="3", reason="clicked twice")
    assert run.task("roll_back").state == "skipped"
    assert "champion is version 2" in deployment.reason(run, "roll_back")
    assert lender.facts() == before


def test_s45_nobody_rolls_back_to_a_quarantined_version(deployment: Deployment, lender: Lender) -> None:
    before = lender.facts()
    run = deployment.run("left.rollback", expect="failed", as_of=day(40.4).isoformat(), to="3", reason="it was fine")
    assert run.task("roll_back").try_number == 1  # trying again cannot help
    assert "version 3: quarantined" in deployment.reason(run, "roll_back")
    assert lender.facts() == before


def test_a_person_names_the_version(deployment: Deployment, lender: Lender) -> None:
    deployment.run("left.rollback", as_of=day(40.5).isoformat(), to="1", reason="back to the start")
    assert lender.check_one_champion() == "1"
    assert lender.ws().versions.get("2").state == "quarantined"
    assert lender.aliases == {"champion": "1"}
