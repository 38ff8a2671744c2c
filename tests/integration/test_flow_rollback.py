"""Watching the champion and leaving it: alarms, targets, refusals and the quarantine, end to end."""

from __future__ import annotations

import shutil

import pytest
from flow_loans import day, days, startups_inverted, startups_inverted_others_dull, with_steps
from flow_world import Stages, World, refused

from continual.errors import PromotionRefused, Skipped
from continual.flows import curate, monitor, promote, roll_back, settle, train, trigger, verify
from continual.models.artifact import load_model
from continual.models.registry import CHAMPION, PREVIOUS, Registry

pytestmark = pytest.mark.integration


def alarmed(world: World) -> dict[str, object]:
    """Days 24..33 under version 2; from day 27 the bureau's sign is wrong for startups. The request it ends with."""
    world.log(24, 27)
    world.log(27, 33, startups_inverted)
    return dict(world.watch(day(34))["alarm"])


def test_s39_one_slice_breaks_while_the_aggregate_is_flat_and_the_champion_is_rolled_back(stages: Stages) -> None:
    world = stages("promoted")
    world.log(24, 27)
    quiet = world.watch(day(28))
    assert "alarm" not in quiet and "quiet" in quiet["reason"]
    world.log(27, 33, startups_inverted_others_dull)
    found = world.watch(day(34))
    assert found["reason"].startswith("startups alarmed on") and "overall quiet" in found["reason"]
    assert found["retrain"] is False  # the rollback comes first
    request = roll_back.request_for(world.ws(), found["alarm"], {})
    outcome = roll_back.roll_back(world.ws(), request, day(34))
    assert outcome.data == {"version": "1", "quarantined": "2"}
    assert "startups" in outcome.reason
    assert verify.verify(world.ws(), day(34)).data == {"version": "1"}
    world.check("1")


def test_s40_what_the_rollback_says_is_what_a_fresh_client_sees(stages: Stages) -> None:
    world = stages("promoted")
    assert world.roll_back("2", day(26)).data["version"] == "1"
    assert Registry(world.settings.tracking_uri, "loans").aliases() == {CHAMPION: "1"}
    assert world.registry.client.get_model_version_by_alias("loans", CHAMPION).version == "1"
    world.check("1")


def test_s41_the_same_request_again_and_a_later_one_about_the_same_champion_change_nothing(stages: Stages) -> None:
    world = stages("promoted")
    world.roll_back("2", day(26))
    before = world.dump()
    assert world.roll_back("2", day(26)).data == {"version": "1", "quarantined": "2"}
    refused(lambda: world.roll_back("2", day(27)), Skipped, "about version 2.*champion is version 1")
    assert world.dump() == before


def test_s41_after_a_rollback_the_trigger_cools_down(stages: Stages) -> None:
    world = stages("promoted")
    world.roll_back("2", day(26))
    assert "cooling down" in trigger.decide(world.ws(), day(28), False).reason


def test_s41_there_is_no_way_back_to_the_quarantined_version(stages: Stages) -> None:
    world = stages("promoted")
    world.roll_back("2", day(26))
    refused(lambda: world.roll_back("1", day(27), to="2"), PromotionRefused, "version 2: quarantined")
    refused(lambda: world.roll_back("1", day(27)), PromotionRefused, "no earlier champion is left")
    world.check("1")


def test_s42_a_target_whose_artifact_is_gone_gives_way_to_the_next_known_good_one(stages: Stages) -> None:
    world = stages("promoted")
    third(world)
    shutil.rmtree(world.artifact("2"))
    load_model.cache_clear()
    assert world.roll_back("3", day(35)).data["version"] == "1"
    world.check("1")


def test_s42_without_any_target_that_loads_the_rollback_is_refused_and_nothing_moves(stages: Stages) -> None:
    world = stages("promoted")
    third(world)
    for version in ("1", "2"):
        shutil.rmtree(world.artifact(version))
    load_model.cache_clear()
    before = world.dump()
    error = refused(lambda: world.roll_back("3", day(35)), PromotionRefused, "version 2: .*version 1: ")
    assert "credit-risk" in error.remedy
    assert world.dump() == before


@pytest.mark.parametrize(("to", "why"), [("99", "never registered"), ("2", "it is the champion to leave")])
def test_s42_a_target_that_makes_no_sense_is_refused(stages: Stages, to: str, why: str) -> None:
    world = stages("promoted")
    refused(lambda: world.roll_back("2", day(26), to=to), PromotionRefused, f"version {to}: {why}")
    world.check("2")


def third(world: World) -> None:
    """Days 24..34 under version 2, then version 3 with more trees takes over: it is not worse."""
    world.log(24, 34)
    world.edit("gate: {kind: graded}", "gate: {kind: graded, overall: non_inferior}")
    world.edit("max_iter: 30", "max_iter: 33")
    world.retrain(day(34))
    world.check("3")


def test_rollback_from_the_third_champion_keeps_the_first_as_previous(stages: Stages) -> None:
    world = stages("promoted")
    third(world)
    world.roll_back("3", day(35))
    assert world.registry.aliases() == {CHAMPION: "2", PREVIOUS: "1"}
    world.check("2")


def test_s43_a_target_that_cannot_score_todays_rows_is_refused_before_anything_moves(stages: Stages) -> None:
    """Version 1 cannot do without `income`; today's applications call it `salary`."""
    world = stages("empty")
    linear = "sklearn.preprocessing.StandardScaler", "sklearn.linear_model.LogisticRegression"
    boosting = world.config.read_text()
    world.config.write_text(with_steps(boosting, *linear))
    world.log(0, 10)
    world.retrain(day(10))
    world.log(10, 24)
    world.config.write_text(boosting)
    world.retrain(day(24))
    renamed = boosting.replace("[income, bureau]", "[salary, bureau]").replace("column: income", "column: salary")
    world.config.write_text(renamed)
    world.log(24, 25, lambda frame: frame.assign(salary=frame["income"]))
    before = world.dump()
    refused(lambda: world.roll_back("2", day(25)), PromotionRefused, "version 1: The model must score today's rows")
    assert world.dump() == before
    world.check("2")


def test_s44_a_target_that_is_worse_than_the_bad_one_is_refused(stages: Stages) -> None:
    world = stages("promoted")
    world.log(24, 33)
    refused(lambda: world.roll_back("2", day(34)), PromotionRefused, "version 1: worse by more than the margin 0.03")
    world.check("2")


def test_s45_a_quarantined_lineage_is_not_trained_again_a_changed_recipe_is(stages: Stages) -> None:
    world = stages("promoted")
    dataset = world.ws().versions.get("2").dataset_id
    assert dataset is not None
    world.roll_back("2", day(26))
    world.log(24, 26)
    refused(lambda: train.train(world.ws(), dataset, "boosting"), Skipped, "version 2, trained on 2024-01-12")
    refused(lambda: curate.curate(world.ws(), day(26), "again"), Skipped, "boosting left out")
    world.edit("max_iter: 30", "max_iter: 31")
    assert world.candidate(day(26)).version == "3"


def test_s45_wholly_new_rows_are_another_lineage(stages: Stages) -> None:
    world = stages("promoted")
    world.roll_back("2", day(26))
    world.log(24, 34)
    assert world.candidate(day(34)).version == "3"  # trained on days 21..29: overlaps until day 20 only


def test_s45_a_sister_of_the_quarantined_version_is_not_promoted_either(stages: Stages) -> None:
    world = stages("judged")
    promote.promote(world.ws(), (world.home / "verdict").read_text())
    world.log(24, 25)
    sister = world.candidate(day(25))  # same recipe, one day later
    from continual.flows import evaluate, judge

    world.roll_back("2", day(25))
    key = evaluate.evaluate(world.ws(), [sister], day(25)).data["evaluation"]
    verdict = judge.judge(world.ws(), key).data
    assert verdict["answer"] == "promote"
    refused(lambda: promote.promote(world.ws(), verdict["verdict"]), PromotionRefused, "lineage.*version 2")
    world.check("1")


def test_s47_one_bad_day_does_not_alarm(stages: Stages) -> None:
    world = stages("promoted")
    world.log(24, 25, startups_inverted)
    world.log(25, 29)
    assert "alarm" not in world.watch(day(30))


def test_s48_without_labels_the_watch_says_so_and_the_champion_stays(stages: Stages) -> None:
    world = stages("promoted")
    assert monitor.watch(world.ws(), day(25)).reason == "no label of version 2 has matured yet"
    from continual.flows.log_rows import log_table

    ws = world.ws()
    ws.log.append_predictions(log_table(ws.policy, "predictions", world.served(24), "p24", day(25)), "p24")
    found = monitor.watch(world.ws(), day(27))
    assert "Nothing to compare yet" in found.reason and found.data == {}
    world.check("2")


def test_s49_the_alarm_names_the_version_that_serves_and_a_repeated_look_asks_for_nothing_new(stages: Stages) -> None:
    world = stages("promoted")
    request = alarmed(world)
    assert request["champion"] == world.champion() == "2"
    before = world.dump()
    assert world.watch(day(34))["alarm"] == request
    assert world.dump() == before


def test_s08_live_metrics_are_of_matured_days_only(stages: Stages) -> None:
    world = stages("promoted")
    world.log(24, 27)
    outcome = settle.measure(world.ws(), days(26, 27), day(27))
    assert "live in 2024-01-26..2024-01-27Z" in outcome.reason
    newest = world.ws().evaluations.windows("monitor", "live")[-1]
    assert newest.end == day(26)  # day 26 has not matured yet
