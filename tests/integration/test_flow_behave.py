"""Behaviour tests and the yearly budget on real models: measured by evaluate, judged by the gate, in the report."""

from __future__ import annotations

import pytest
from flow_loans import day
from flow_world import Stages, World, refused

from continual.core.verdict import GateEvidence
from continual.errors import Skipped
from continual.flows.behave import artifact_bytes, behave

pytestmark = pytest.mark.integration


def with_behaviours(world: World, *tests: str) -> None:
    world.edit("gate: {kind: graded}", "behaviours:\n" + "".join(f"  - {t}\n" for t in tests) + "gate: {kind: graded}")


def evidence(world: World, verdict: str) -> GateEvidence:
    entry = world.ws().ledger.get(verdict.removeprefix("verdict:"))
    assert entry is not None
    return GateEvidence.from_dict(entry.evidence["gate"])


def test_behaviours_and_budget_stand_in_evidence_verdict_and_report(stages: Stages) -> None:
    world = stages("champion")
    with_behaviours(
        world,
        "{kind: invariance, column: sector, tolerance: 0.9}",
        "{kind: directional, column: income, delta: 1, tolerance: 0.1, share: 0.8}",
        "{kind: latency, rows: 50, repeats: 20, factor: 50}",
        "{kind: size, max_bytes: 50000000}",
    )
    verdict = world.judged(day(24))
    assert verdict["answer"] == "promote"
    found = evidence(world, verdict["verdict"])
    assert [b.kind for b in found.behaviours] == ["invariance", "directional", "latency", "size"]
    assert all(b.measured is not None and b.n == 500 for b in found.behaviours)
    assert found.behaviours[3].measured == artifact_bytes(world.ws(), "2")
    assert found.history == ()
    assert "- holds: directional income +1" in verdict["report"]
    assert "| credit-risk | roc_auc |" in verdict["report"]
    entry = world.ws().ledger.get(verdict["verdict"])
    assert entry is not None and entry.evidence["verdict"]["spending"]["charged"] == pytest.approx(0.00625)


def test_a_better_model_that_fails_a_behaviour_test_is_not_promoted(stages: Stages) -> None:
    world = stages("champion")
    with_behaviours(world, "{kind: invariance, name: deaf to bureau, column: bureau, noise: 3, tolerance: 0.05}")
    refused(lambda: world.retrain(day(24)), Skipped, "deaf to bureau: noise of 3 on bureau moves")
    world.check("1")


def test_the_next_candidate_pays_from_what_the_last_one_left(stages: Stages) -> None:
    world = stages("judged")
    world.edit("max_iter: 30", "max_iter: 40")
    verdict = world.judged(day(24))
    (past,) = evidence(world, verdict["verdict"]).history or ()
    assert (past.candidate, past.shared, past.charged) == ("2", 1.0, pytest.approx(0.00625))
    entry = world.ws().ledger.get(verdict["verdict"])
    assert entry is not None
    spending = entry.evidence["verdict"]["spending"]
    assert spending["charged"] == pytest.approx(0.003125)
    assert spending["left"] == pytest.approx(0.05 - 0.00625 - 0.003125)
    assert "0.31% taken by this decision" in entry.reason


def test_without_behaviours_nothing_is_loaded(stages: Stages) -> None:
    world = stages("champion")
    assert behave(world.ws(), "no such version", "1", day(24)) == ()
