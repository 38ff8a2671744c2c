"""One champion in every order of steps, kills, hangs and people: the protocol walked exhaustively."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from promotion_machine import AGREE, NOON, Held, Killed, Machine, Odds, Run, State, lease, reign, walk

from continual.errors import ContinualError
from continual.flows.champion import Move, move_champion, reconcile
from continual.models.registry import CHAMPION

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("stores_in_steps")]


@pytest.fixture
def stores_in_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("continual.stores.lease.lease", lease)


def start() -> State:
    return reign("1", previous="0")


def move(kind: str, target: str, base: str, leave: str = "1") -> Any:
    """A flow that moves the champion away from a version: it reconciles, then moves."""
    previous = leave if kind == "promote" else None
    found = Move(kind, base, target, leave, previous, NOON, f"{kind} {target}", {"asked": "?"})

    def act(ws: Any) -> Any:
        reconcile(ws, NOON)
        return move_champion(ws, found)

    return act


def promotion(version: str, retried: bool = False) -> tuple[Run, ...]:
    act = move("promote", version, f"promote:{version}")
    first = Run(f"promote {version}", f"run {version}", act)
    return (first, Run(f"retry {version}", first.holder, act, first.name)) if retried else (first,)


ROLLBACK = Run("rollback", "run rollback", move("rollback", "0", "rollback:1"))
SECOND_THOUGHTS = Run("second thoughts", "run back", move("rollback", "1", "rollback:2", leave="2"))
MONITOR = Run("monitor", "run monitor", lambda ws: reconcile(ws, NOON))


TWIN = Run("twin of the monitor", MONITOR.holder, MONITOR.act)


def safe(machine: Machine) -> None:
    """No two moves away from the same reign, whatever happens: never a double promotion."""
    state = machine.state
    for before, after in pairwise(state.history):
        if after.kind != "adopted":
            entry = next(e for e in state.ledger if e.key == after.decision_key)
            assert entry.evidence["expected"] == before.version, [r.version for r in state.history]
        assert after.version != before.version
    assert len({r.decision_key for r in state.history}) == len(state.history)


def at_the_end(machine: Machine) -> None:
    """What a flow reported as done stands in the ledger; the next flow leaves alias and history agreeing."""
    state = machine.state
    for name, outcome in machine.ended.items():
        if not isinstance(outcome, (ContinualError, Killed, str)):
            assert any(e.key == outcome.key for e in state.ledger), name
    said = machine.finish()
    assert isinstance(said, str), f"the next flow was refused: {said}"
    assert state.aliases[CHAMPION] == state.history[-1].version
    assert state.aliases[CHAMPION] not in state.quarantined
    confirmed = [e.key for e in state.ledger if e.kind in ("champion", "adopted")]
    assert sorted(confirmed) == sorted(r.decision_key for r in state.history)
    del machine.ended["next"]
    assert machine.finish() == AGREE


@pytest.mark.parametrize(
    ("runs", "odds"),
    [
        pytest.param(promotion("2", retried=True), Odds(kills=2), id="killed, its retry too"),
        pytest.param((*promotion("2", retried=True), *promotion("3")), Odds(kills=1), id="two promotions, one killed"),
        pytest.param((*promotion("2"), ROLLBACK), Odds(kills=1), id="promotion and rollback"),
        pytest.param((*promotion("2"), MONITOR), Odds(kills=1), id="promotion and monitor"),
        pytest.param((ROLLBACK, MONITOR), Odds(kills=1), id="rollback and monitor"),
        pytest.param((*promotion("2"), *promotion("3")), Odds(hangs=1), id="two promotions, one hangs"),
        pytest.param((*promotion("2"), SECOND_THOUGHTS), Odds(hangs=1), id="hangs until it was rolled back"),
        pytest.param((*promotion("2"), MONITOR), Odds(people=("3",)), id="alias moved by hand"),
        pytest.param((MONITOR, TWIN), Odds(people=("3",)), id="alias moved by hand, the same task twice"),
        pytest.param(promotion("2", retried=True), Odds(kills=1, people=("3", "1")), id="killed, moved by hand twice"),
    ],
)
def test_s32_s35_s36_one_champion_in_every_order(runs: tuple[Run, ...], odds: Odds) -> None:
    states, ends = walk(start, runs, odds, safe, at_the_end)
    assert states > 200
    assert ends > 20


def test_s32_the_walk_finds_what_happens_without_a_lease(monkeypatch: pytest.MonkeyPatch) -> None:
    def let_in(self: Held, state: State) -> None:
        state.lock = (self.double.holder, 1, False)

    monkeypatch.setattr(Held, "acquire", let_in)
    monkeypatch.setattr(Held, "_renew", lambda *_: None)
    with pytest.raises(AssertionError):
        walk(start, (*promotion("2"), *promotion("3")), Odds(), safe, at_the_end)
