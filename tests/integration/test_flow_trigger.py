"""The shadow, the trigger's evidence and the profit and loss of retrains, day by day on a real deployment."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from flow_loans import Change, day
from flow_world import Stages, World

from continual.api import Application
from continual.core.trigger_evidence import TriggerEvidence
from continual.flows import shadow, trigger
from continual.flows.replay_decisions import rederive
from continual.policy.last_good import PolicyShelf
from continual.replay.contenders import Contender
from continual.replay.deployment import logged_history
from continual.replay.lab import Lab

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


def dull(frame: pd.DataFrame) -> pd.DataFrame:
    """`income` tells nothing any more."""
    return frame.assign(income=frame["income"].to_numpy()[::-1])


def shifted(frame: pd.DataFrame) -> pd.DataFrame:
    """Other people apply: inputs move, the concept does not."""
    return frame.assign(income=frame["income"] + 1.0)


def watched(world: World, policy: str, change: Change, first: int, last: int) -> dict[int, dict[str, Any]]:
    """Version 1 serves from day 10; days from `first` on are changed. What the DAGs `monitor` decide, day by day."""
    world.edit("trigger: {kind: schedule, every_days: 14}\n", policy)
    world.retrain(day(10))
    out = {}
    for number in range(10, last):
        world.log(number, number + 1, change if number >= first else None)
        out[number + 1] = world.watch(day(number + 1))
        if out[number + 1]["retrain"]:
            break
    return out


def test_bad_looks_of_the_store_start_a_retrain_and_a_replay_sees_them_too(stages: Stages, tmp_path: Path) -> None:
    world = stages("logged")
    policy = "trigger: {kind: performance, drop: 0.05, bad: 2, looks: 3}\nstore: {windows: [2d]}\n"
    found = watched(world, policy, dull, 14, 22)
    due = max(found)
    assert found[due]["retrain"] and 16 <= due <= 19  # day 14 has matured on day 16
    looks = evidence(world).looks
    ends = [look.end[:10] for look in looks]
    assert ends == sorted(ends) and ends[-1] == f"{day(due - 1):%Y-%m-%d}"  # the newest matured window
    last = looks[-1]
    assert (last.slice, last.metric, last.better) == ("overall", "roc_auc", 1) and last.n_labelled == 600
    stored = world.ws().evaluations.read(purpose="monitor", slice="overall", metric="roc_auc", model_version="live")
    two_days = stored[stored["window_end"] - stored["window_start"] == pd.Timedelta(days=2)]
    assert last.value == pytest.approx(two_days.sort_values("window_end")["value"].iloc[-1], abs=1e-5)
    at_gate = world.ws().evaluations.read(purpose="gate", slice="overall", metric="roc_auc", model_version="1")
    assert last.reference == pytest.approx(at_gate["value"].iloc[-1], abs=1e-5)
    assert last.high is not None and last.reference is not None and last.high < last.reference - 0.05
    ws = world.ws()
    lab = Lab(logged_history(ws), tmp_path, ws.settings, live=ws.loaded, start=day(9), end=day(due), every="0 0 * * *")
    lab.play(Contender("same", ws.loaded))
    played = lab.open(Contender("same", ws.loaded))
    decided = {e.as_of: e.evidence["retrain"] for e in played.ledger.entries(kind="trigger")}
    played.db.close()
    assert decided[day(due)] and not any(decided[day(n)] for n in range(11, due))


def test_drifted_inputs_of_the_log_are_a_reason_to_retrain(stages: Stages) -> None:
    """What holds it back in the end is the data-fault detector, which takes so sudden a shift for a broken column."""
    world = stages("logged")
    world.edit("trigger: {kind: schedule, every_days: 14}\n", "trigger: {kind: drift, distance: l1, threshold: 0.3}\n")
    world.retrain(day(10))
    world.log(10, 14)
    assert not world.watch(day(14))["retrain"]
    rule = world.ws().policy.trigger
    calm = evidence(world)
    assert not rule.decide(calm).retrain
    world.log(14, 20, shifted)
    world.watch(day(20))
    said = rule.decide(evidence(world))
    assert said.retrain and "l1 of income" in said.reason
    moved = {d.column: d for d in evidence(world).drift}
    assert set(moved) == {"income", "bureau", "sector"} and {d.distance for d in moved.values()} == {"l1"}
    for column in ("bureau", "sector"):
        now = moved[column].low
        assert now is not None and now < 0.3
    assert moved["income"].n == 4 * 300 and calm.drift != tuple(moved.values())
