"""Why is this version live, and why is that one not: asked of a real ledger."""

from __future__ import annotations

import pytest
from flow_loans import day
from flow_world import Stages, World

from continual.errors import StoreError
from continual.flows.explain import explain

pytestmark = pytest.mark.integration


def told(world: World, version: str | None = None) -> tuple[str, str]:
    found = explain(world.ws(), version)
    return found.answer, "\n".join(t.text for t in found.told)


def test_the_champion_is_live_for_the_reason_in_the_ledger(stages: Stages) -> None:
    world = stages("champion")
    answer, steps = told(world)
    assert answer.startswith("Version 1 is live since 2024-") and "first champion" in answer
    assert "learnt from" in steps and "retrain:" in steps and "verdict:" in steps and "champion:" in steps


def test_a_judged_version_that_waits_says_what_its_verdict_was(stages: Stages) -> None:
    world = stages("champion")
    verdict = world.judged(day(24))
    answer, steps = told(world, "2")
    entry = world.ws().ledger.get(verdict["verdict"])
    assert entry is not None
    assert answer == f"Version 2 was not promoted: {entry.reason}" or answer.startswith(
        f"Version 2 was not promoted: {entry.reason} ("
    )
    assert "verdict:" in steps and "champion:" not in steps


def test_an_unknown_version_names_those_there_are(stages: Stages) -> None:
    with pytest.raises(StoreError, match="name one of 1"):
        explain(stages("champion").ws(), "17")


def test_nothing_trained_yet_is_said(stages: Stages) -> None:
    found = explain(stages("logged").ws())
    assert (found.version, found.answer) == (None, "No version was trained yet.")
