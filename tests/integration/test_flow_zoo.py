"""An old version comes back where the world does: chosen, judged, charged, promoted; nothing is trained."""

from __future__ import annotations

import pandas as pd
import pytest
from flow_loans import day, days
from flow_world import Stages, World, refused

from continual.core.verdict import GateEvidence
from continual.errors import Skipped
from continual.flows import curate, promote, trigger, zoo
from continual.flows.approve import record_answer
from continual.flows.replay_decisions import rederive
from continual.flows.trigger_evidence import past_retrains
from continual.policy.last_good import PolicyShelf

pytestmark = pytest.mark.integration


def as_before_the_turn(frame: pd.DataFrame) -> pd.DataFrame:
    """The bureau tells nothing again."""
    return frame.assign(bureau=frame["bureau"].to_numpy()[::-1])


def recurring(stages: Stages) -> World:
    """Version 2 learnt `bureau`; on the last ten days it tells nothing, as when version 1 was trained."""
    world = stages("promoted")
    world.edit("length: 8d, evaluation: 4d", "length: 8d, evaluation: 8d")
    world.log(24, 34, as_before_the_turn)
    return world


def test_the_version_of_the_world_that_came_back_wins_without_a_training(stages: Stages) -> None:
    world = recurring(stages)
    ws = world.ws()
    found = zoo.zoo(ws, day(34), "test")
    entry = ws.ledger.last("zoo")
    assert entry is not None and entry.evidence["version"] == "1" and entry.evidence["answer"] == "promote"
    assert (
        entry.evidence["chosen_on"] == days(25, 29).as_dict() and entry.evidence["judged_on"] == days(29, 33).as_dict()
    )
    judged = ws.ledger.get(found.data["evaluation"])
    assert judged is not None and GateEvidence.from_dict(judged.evidence["gate"]).window == days(29, 33).as_dict()
    verdict = ws.ledger.get(entry.evidence["verdict"])
    assert verdict is not None and verdict.evidence["verdict"]["spending"]["charged"] > 0  # of the same yearly budget
    refused(lambda: curate.curate(world.ws(), day(34), "test"), Skipped, "an old version wins")
    before = world.dump()
    assert zoo.zoo(world.ws(), day(34), "test").data == found.data and world.dump() == before

    promote.promote(world.ws(), entry.evidence["verdict"])
    world.check("1")
    assert len(ws.versions.versions()) == 2  # nothing was trained
    newest = past_retrains(world.ws(), day(34))[-1]
    assert (newest.promoted, newest.cpu_seconds) == (True, 0.0)
    world.log(34, 36, as_before_the_turn)
    decided = trigger.decide(world.ws(), day(36), False)
    assert not decided.data["retrain"]  # the trigger was answered
    replayed = list(rederive(ws.ledger, PolicyShelf(world.settings.home, world.settings.configs)))
    assert [r.same for r in replayed if r.kind == "zoo"] == [True]


def test_where_no_old_version_is_better_for_sure_a_candidate_is_trained_as_ever(stages: Stages) -> None:
    world = stages("promoted")
    world.log(24, 32)
    found = zoo.zoo(world.ws(), day(32), "test")
    assert found.data["evaluation"] is None and "none is better for sure" in found.reason
    assert [e.evidence["answer"] for e in world.ws().ledger.entries(kind="zoo")] == [None]
    assert world.judged(day(32))["answer"] in ("promote", "reject")


def test_quarantined_switched_off_or_declined_versions_are_not_asked(stages: Stages) -> None:
    world = recurring(stages)
    ws = world.ws()
    won = zoo.zoo(ws, day(34), "test")
    record_answer(ws, f"verdict:{won.data['evaluation']}", False, "a person")
    world.log(34, 35, as_before_the_turn)
    assert "no other version has served, or may" in zoo.zoo(world.ws(), day(35), "test").reason
    world = recurring(stages)
    world.ws().versions.quarantine_version("1", "asked by a test")
    assert "no other version has served, or may" in zoo.zoo(world.ws(), day(34), "test").reason
    world = recurring(stages)
    world.edit("trigger:", "zoo: {versions: 0}\ntrigger:")
    assert "zoo.versions is 0" in zoo.zoo(world.ws(), day(34), "test").reason


def test_a_version_that_does_not_load_is_left_out_and_hinders_nothing(stages: Stages) -> None:
    world = recurring(stages)
    for file in world.artifact("1").rglob("*.skops"):
        file.write_bytes(b"damaged")
    found = zoo.zoo(world.ws(), day(34), "test")
    assert found.data["evaluation"] is None and "version 1:" in found.reason
