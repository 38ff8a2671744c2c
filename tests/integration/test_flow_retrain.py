"""Rows, candidates, evidence and verdicts of a retrain: real log, MLflow and evaluation store."""

from __future__ import annotations

import numpy as np
import pytest
from flow_loans import ROWS, applications, day, days, startups_inverted, with_steps
from flow_world import Stages, World, refused, verdict_of

from continual.core.verdict import GateEvidence
from continual.errors import NotEnoughData, PromotionRefused, Skipped
from continual.flows import curate, evaluate, judge, promote, train, trigger
from continual.flows.log_rows import log_table

pytestmark = pytest.mark.integration


def evidence(world: World, key: str) -> GateEvidence:
    entry = world.ws().ledger.get(key)
    assert entry is not None
    return GateEvidence.from_dict(entry.evidence["gate"])


def test_s07_too_few_rows_is_a_skip_with_the_numbers(stages: Stages) -> None:
    world = stages("logged")
    world.edit("min_rows: 500", "min_rows: 5000")
    refused(lambda: curate.curate(world.ws(), day(10), "x"), NotEnoughData, "at least 5,000 labelled rows.*1,500 in")
    assert world.ws().ledger.entries() == []


def test_s07_a_hole_in_the_window_is_a_skip_that_says_where(stages: Stages) -> None:
    world = stages("empty")
    world.log(0, 3)
    world.log(6, 14)
    refused(lambda: curate.curate(world.ws(), day(14), "x"), NotEnoughData, "84 hours after 2024-01-03T11:56Z")


def test_s07_no_room_for_both_windows_is_a_skip(stages: Stages) -> None:
    ws = stages("logged").ws()
    refused(lambda: curate.curate(ws, day(4), "x"), NotEnoughData, "history before the judging window")


def test_s08_rows_train_and_judge_only_when_their_day_has_matured(stages: Stages) -> None:
    """As of noon of day 24 labels of day 23 have come, but not all: neither window may touch that day."""
    world = stages("champion")
    as_of = day(24.5)
    verdict = world.judged(as_of)
    found = evidence(world, verdict["verdict"].removeprefix("verdict:"))
    assert found.window == days(19, 23).as_dict()
    ws = world.ws()
    version = ws.versions.get("2")
    assert version.dataset_id is not None and version.trained == days(11, 19)
    rows = ws.datasets.load(version.dataset_id)
    assert rows["event_time"].min() >= day(11) and rows["event_time"].max() < day(19)
    assert rows["label"].notna().all()


def test_s09_rows_that_a_model_was_trained_on_never_judge(stages: Stages) -> None:
    """The champion's dataset is made to overlap the judging window by 700 rows."""
    from dataclasses import replace

    from continual.stores.versions import ModelVersion

    world = stages("champion")
    ws = world.ws()
    one = ws.versions.get("1")
    assert one.dataset_id is not None
    known = ws.datasets.get(one.dataset_id)
    seen = ws.log.read_labelled(days(19, 23), day(24)).head(700)
    wider = ws.datasets.save(replace(known.spec, purpose="overlap"), seen[["record_key", "event_time", "label"]])
    registered = ws.registry.version("1")
    made = ws.registry.client.create_model_version(
        "loans", registered.source, registered.run_id, model_id=registered.source.removeprefix("models:/")
    )
    ws.versions.register(ModelVersion(str(made.version), trusted=one.trusted, dataset_id=wider.id, state="candidate"))
    ws.registry.set_alias("champion", str(made.version))
    verdict = world.judged(day(24))
    found = evidence(world, verdict["verdict"].removeprefix("verdict:"))
    assert (found.champion, found.leaked_rows) == ("2", 700)
    assert found.slices[0].metrics[0].candidate.n == 4 * ROWS - 700


def test_s14_a_slice_gone_wrong_in_a_better_model_is_blocked_and_named(stages: Stages) -> None:
    world = stages("logged")
    world.retrain(day(10))
    world.log(10, 19, startups_inverted)  # training rows of the candidate: startups' bureau with the wrong sign
    world.log(19, 24)
    verdict = world.judged(day(24))
    found = evidence(world, verdict["verdict"].removeprefix("verdict:"))
    overall = found.slices[0].metrics[0].comparison
    assert overall is not None and overall.low is not None and overall.low > 0.05  # better on the whole
    assert verdict["answer"] == "reject"
    entry = world.ws().ledger.get(verdict["verdict"])
    assert entry is not None and entry.evidence["verdict"]["blocking"] == ["startups"]
    assert "startups" in entry.reason and "1 stays champion" in entry.reason
    refused(lambda: world.retrain(day(24)), Skipped, "startups")
    world.check("1")


def test_s17_a_slice_value_that_stopped_coming_is_judged_and_not_left_out(stages: Stages) -> None:
    world = stages("logged")
    world.retrain(day(10))
    world.log(10, 19)
    world.log(19, 24, lambda frame: frame.assign(region=frame["region"].replace("west", "east")))
    found = evidence(world, world.judged(day(24))["verdict"].removeprefix("verdict:"))
    west = next(s for s in found.slices if s.slice == "region=west")
    assert "region=west" in found.configured_slices
    assert west.metrics[0].candidate.n == 0 and west.metrics[0].candidate.value is None


def test_s17_a_critical_slice_without_a_row_blocks(stages: Stages) -> None:
    world = stages("logged")
    world.retrain(day(10))
    world.log(10, 19)
    world.log(19, 24, lambda frame: frame.assign(sector=frame["sector"].replace("startup", "shop")))
    verdict = world.judged(day(24))
    assert verdict["answer"] == "need_labels"
    assert "startups" in verdict["report"]


def test_s19_a_new_region_is_a_slice_of_its_own(stages: Stages) -> None:
    world = stages("logged")
    world.retrain(day(10))
    world.log(10, 20)
    world.log(20, 24, lambda frame: frame.assign(region=frame["region"].replace("west", "south")))
    found = evidence(world, world.judged(day(24))["verdict"].removeprefix("verdict:"))
    assert {"region=west", "region=south"} <= set(found.configured_slices)


def test_s21_the_same_recipe_on_the_same_rows_is_the_same_candidate_and_never_displaces_itself(stages: Stages) -> None:
    world = stages("promoted")
    before = world.dump()
    refused(lambda: world.judged(day(24)), Skipped, "both are version 2")
    assert world.dump() == before


def test_s22_a_first_model_below_its_floor_is_not_promoted(stages: Stages) -> None:
    world = stages("logged")
    world.edit("floor: 0.6", "floor: 0.9")
    refused(lambda: world.retrain(day(10)), Skipped, "floor")
    assert world.champion() is None


def test_s24_each_model_is_scored_with_its_own_features_and_pipeline(stages: Stages) -> None:
    """The champion reads `sector`, the candidate's policy does not name it as a feature any more."""
    world = stages("champion")
    text = with_steps(
        world.config.read_text(), "sklearn.preprocessing.StandardScaler", "sklearn.linear_model.LogisticRegression"
    )
    world.config.write_text(text)
    verdict = world.judged(day(24))
    found = evidence(world, verdict["verdict"].removeprefix("verdict:"))
    old = stages("champion")
    same = evidence(old, old.judged(day(24))["verdict"].removeprefix("verdict:"))
    assert found.slices[0].metrics[0].champion == same.slices[0].metrics[0].champion
    assert verdict["answer"] == "promote"


def test_s25_the_champions_metric_is_measured_afresh_on_the_same_rows(stages: Stages) -> None:
    world = stages("judged")
    found = evidence(world, verdict_of(world).removeprefix("verdict:"))
    for item in found.slices:
        for metric in item.metrics:
            assert metric.champion is not None and metric.champion.n == metric.candidate.n


def test_s33_a_verdict_on_an_old_window_does_not_replace_a_newer_champion(stages: Stages) -> None:
    world = stages("champion")
    old = world.judged(day(23))
    assert old["answer"] == "promote"
    world.edit("max_iter: 30", "max_iter: 40")
    world.retrain(day(24))
    refused(lambda: promote.promote(world.ws(), old["verdict"]), PromotionRefused, r"judged against \(version 1\)")
    world.check("3")
    world.roll_back("3", day(26))  # version 1 again, by a decision that is newer than the verdict
    refused(lambda: promote.promote(world.ws(), old["verdict"]), PromotionRefused, "this is an old window")
    world.check("1")


def test_s33_a_backfill_does_not_make_the_newest_retrain_look_old(stages: Stages) -> None:
    world = stages("promoted")
    curate.curate(world.ws(), day(16), "backfill")
    decided = trigger.decide(world.ws(), day(26), False)
    assert decided.data["retrain"] is False and "2.0 days ago" in decided.reason


def test_s51_a_run_keeps_the_policy_it_started_with(stages: Stages) -> None:
    world = stages("champion")
    made = curate.curate(world.ws(), day(24), "x").data
    world.edit("max_iter: 30", "max_iter: 31")
    world.edit("evaluation: 4d", "evaluation: 2d")
    pinned = lambda: world.ws(policy=made["policy"])  # noqa: E731
    data = train.train(pinned(), made["dataset"], "boosting").data
    run = world.registry.client.get_run(world.ws().versions.get("2").run_id)
    assert run.data.params["HistGradientBoostingClassifier.max_iter"] == "30"
    candidate = evaluate.Trained(data["version"], data["trainer"], data["validation"])
    key = evaluate.evaluate(pinned(), [candidate], day(24)).data["evaluation"]
    assert evidence(world, key).window == days(19, 23).as_dict()
    entries = world.ws().ledger.entries()
    assert entries[-1].policy_hash == made["policy"] != world.ws().loaded.hash


def test_s51_without_its_snapshot_a_run_stops(stages: Stages) -> None:
    from continual.errors import PolicyError

    world = stages("champion")
    refused(lambda: world.ws(policy="0" * 16), PolicyError, "clear the whole run")


def test_s59_curating_again_after_the_log_grew_gives_the_same_dataset(stages: Stages) -> None:
    world = stages("judged")
    first = world.ws().versions.get("2").dataset_id
    world.log(24, 26)
    before = world.dump()
    assert curate.curate(world.ws(), day(24), "cleared").data["dataset"] == first
    assert world.dump() == before


def test_every_flow_of_a_retrain_run_again_changes_nothing(stages: Stages) -> None:
    world = stages("judged")
    before = world.dump()
    assert world.judged(day(24))["verdict"] == verdict_of(world)
    assert world.dump() == before
    world.retrain(day(24))
    after = world.dump()
    refused(lambda: world.judged(day(24)), Skipped, "both are version 2")
    assert judge.judge(world.ws(), verdict_of(world).removeprefix("verdict:")).data["answer"] == "promote"
    assert world.dump() == after
    assert world.ws().ledger.verify() == len(world.ws().ledger.entries())


def test_s08_a_late_label_is_not_seen_by_an_earlier_instant(stages: Stages) -> None:
    world = stages("champion")
    ws = world.ws()
    late = applications(20).head(30)[["record_key", "value"]]
    rows = late.assign(value=1 - late["value"], known_at=day(27), source="court")
    ws.log.append_labels(log_table(ws.policy, "labels", rows, "late", day(27)), "late")
    then, now = (ws.log.read_labelled(days(20, 21), as_of)["label"].to_numpy() for as_of in (day(24), day(28)))
    assert np.flatnonzero(then != now).tolist() == list(range(30))


def test_every_candidate_is_measured_against_what_needs_no_model(stages: Stages) -> None:
    from continual.flows.status import status

    world = stages("judged")
    ws = world.ws()
    verdict = judge.judge(ws, verdict_of(world).removeprefix("verdict:"))
    assert (
        "### Against no model at all" in verdict.data["report"]
        and "| roc_auc | majority | 0.5000 |" in verdict.data["report"]
    )
    logged = ws.registry.client.get_run(ws.registry.version("2").run_id).data.metrics
    assert logged["roc_auc/baseline_majority"] == pytest.approx(0.5)
    assert 0.4 < logged["roc_auc/baseline_persistence"] < 0.6
    assert logged["brier/baseline_majority"] > logged["brier/overall"]
    said = status(ws).baselines
    assert said is not None and "of version 2; majority 0.5, persistence 0." in said
