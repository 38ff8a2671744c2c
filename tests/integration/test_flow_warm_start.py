"""A candidate continues the champion, until a full fit is due: real MLflow, log and evaluation store."""

from __future__ import annotations

import pytest
from flow_loans import day, with_steps
from flow_world import Stages, World, refused

from continual.errors import PromotionRefused
from continual.flows import train
from continual.flows.check import check_policy
from continual.flows.training_rows import training_rows

pytestmark = pytest.mark.integration


def warm(stages: Stages) -> World:
    """The linear recipe from the start, full fits every 20 days; version 1 serves from day 10 to 24."""
    world = stages("logged")
    last = "sklearn.linear_model.SGDClassifier"
    policy = with_steps(world.config.read_text(), "sklearn.preprocessing.StandardScaler", last)
    more = "        params: {loss: log_loss, alpha: 0.001}\n    warm_start: {refit_every: 20d}\n"
    policy = policy.replace(f"{last}\n", f"{last}\n{more}")
    world.config.write_text(policy)
    world.retrain(day(10))
    world.log(10, 24)
    return world


def test_a_candidate_continues_the_champion_and_its_rows_are_both_models_rows(stages: Stages) -> None:
    world = warm(stages)
    assert list(check_policy(world.ws().loaded)) == []
    assert world.ws().versions.get("1").base is None  # there was nothing to continue
    found = world.candidate(day(24))
    ws = world.ws()
    made = ws.versions.get(found.version)
    assert (made.version, made.base) == ("2", "1")
    assert [v.version for v in ws.versions.lineage("2")] == ["2", "1"]
    own, before = training_rows(ws, "2")
    assert own["event_time"].min() > before["event_time"].max()
    run = ws.registry.client.get_run(made.run_id)
    assert run.data.params["continues_version"] == "1"
    again = train.train(world.ws(), str(made.dataset_id), "boosting")
    assert again.data["version"] == "2" and "continues version 1" in again.reason
    assert world.retrain(day(24)).data["version"] == "2"
    assert train.train(world.ws(), str(made.dataset_id), "boosting").data["version"] == "2"  # also when it serves

    world.log(24, 31)
    third = world.candidate(day(31))  # the last full fit is of day 10
    assert ws.versions.get(third.version).base is None
    dataset = str(ws.versions.get(third.version).dataset_id)
    assert "anew: the last full fit is 21 days old" in train.train(world.ws(), dataset, "boosting").reason


def test_what_continues_a_quarantined_version_is_not_promoted_and_not_continued(stages: Stages) -> None:
    world = warm(stages)
    verdict = world.judged(day(24))
    assert verdict["answer"] == "promote"
    ws = world.ws()
    from continual.flows import promote
    from continual.stores.tables import model_version as table

    with ws.db.write() as connection:  # as a rollback by hand that no candidate of today knows of
        connection.execute(table.update().where(table.c.version == "1").values(state="quarantined", reason="bad rows"))
    refused(lambda: promote.promote(world.ws(), verdict["verdict"]), PromotionRefused, "version 1: bad rows")


def test_a_recipe_that_cannot_go_on_is_found_by_check(stages: Stages) -> None:
    world = stages("logged")
    world.edit("        params: {max_iter: 30, max_leaf_nodes: 8}\n", "    warm_start: {}\n")
    found = [p.got for p in check_policy(world.ws().loaded)]
    assert len(found) == 1 and "can only be continued on the same rows" in found[0]
