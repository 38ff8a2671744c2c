"""The shadow, the trigger's evidence and the profit and loss of retrains, day by day on a real deployment."""

from __future__ import annotations

import pytest
from flow_loans import day
from flow_world import Stages, World

from continual.api import Application
from continual.core.trigger_evidence import TriggerEvidence
from continual.flows import shadow, trigger
from continual.flows.replay_decisions import rederive
from continual.policy.last_good import PolicyShelf

pytestmark = pytest.mark.integration

COST = """\
shadow: {every: 2d, share: 0.5, min_rows: 600}
prices: {unit: EUR, point: 10, retrain: 30, cpu_second: 1, bad_day: 20}
"""


def evidence(world: World) -> TriggerEvidence:
    entry = world.ws().ledger.last("trigger")
    assert entry is not None
    return TriggerEvidence.from_dict(entry.evidence["evidence"])


def test_staleness_is_measured_priced_acted_on_and_settled(stages: Stages) -> None:
    """`bureau` starts to tell on day 10: version 1, trained before, goes stale. The trigger left out is `cost`."""
    world = stages("logged")
    world.edit("trigger: {kind: schedule, every_days: 14}\n", COST)
    world.edit("length: 8d, evaluation: 4d", "length: 6d, evaluation: 2d")
    assert world.ws().policy.trigger.kind == "cost"
    world.retrain(day(10))
    said, number = {}, 10
    while number < 30:
        world.log(number, number + 1)
        number += 1
        decided = trigger.decide(world.ws(), day(number), False)
        said[number] = decided.reason
        if decided.data["retrain"]:
            break
    assert 13 <= number < 25, said  # the first shadows know `bureau` from day 12 + 2 on
    found = evidence(world)
    known = [d for d in found.days if d.gain is not None]
    assert known and max(d.gain for d in known) > 0.03 and known[-1].n_labelled == 300  # the AUC of a fresh model
    assert all(d.shadow is not None and d.day >= d.shadow[:10] for d in known)
    assert "EUR lost since the last retrain (measured on" in said[number] and "net +" in said[number]
    ws = world.ws()
    fits = ws.ledger.entries(kind=shadow.KIND)
    assert fits and all(f.evidence["cpu_seconds"] > 0 for f in fits)
    assert all(f.evidence["twin"] for f in fits)

    before = world.dump()
    assert trigger.decide(world.ws(), day(number), False).data["retrain"]
    assert world.dump() == before  # the same look again changes nothing
    for file in (world.home / "shadows" / "loans").glob("*.skops"):
        file.write_bytes(b"damaged")
    world.log(number, number + 1)
    world.retrain(day(number))
    assert world.champion() == "2"
    decisions = ws.ledger.entries(kind="trigger")
    beside = trigger.decide(world.ws(), day(number), False)  # as a second monitor's run beside the training would
    assert not beside.data["retrain"] and "begun already" in beside.reason
    assert ws.ledger.entries(kind="trigger") == decisions

    world.log(number + 1, number + 15)
    decided = trigger.decide(world.ws(), day(number + 15), False)
    results = Application.of(world.ws()).pnl().set_index("outcome")
    assert list(results.index) == ["first", "promoted"]
    one = results.loc["promoted"]
    assert one["horizon"] < 13 and one["forecast"] > one["forecast_cost"] > 30  # matured within the forecast's horizon
    assert one["cost"] > 30 and one["cpu_seconds"] > 0
    assert one["gain_high"] > one["gain"] > one["gain_low"] > one["cost"]
    assert f"version 2 gained {one['gain']:,.0f} EUR" in one["reason"] and "forecast" in one["reason"]
    days = (one["window_end"] - day(number)).days
    points = one["gain"] / 10 / days  # a point is worth 10 EUR a day
    assert 5 < points < 25  # AUC .76 -> .90 or so
    told = Application.of(world.ws()).returns()
    assert (told.retrains, told.promoted, told.compared, told.waiting) == (2, 1, 1, 0)
    assert told.net == pytest.approx(results["gain"].sum() - results["cost"].sum())
    assert [e.evidence["gain"] for e in ws.ledger.entries(kind="retrain_scored")][-1] == one["gain"]
    replayed = list(rederive(ws.ledger, PolicyShelf(world.settings.home, world.settings.configs)))
    wrong = [r for r in replayed if r.kind == "trigger" and not r.same]
    assert wrong == []
    assert decided.data["retrain"] in (True, False)
