"""Every order in which the steps of several moves of a champion, crashes, hangs and people can come.

The protocol is the product's own code (`flows/champion.py`). Under it lie stores that do what theirs promise in one
step each: a ledger with unique keys, a history, a lease, a registry whose aliases anybody can set. Before each step
a run hands over (greenlets), so that all interleavings can be walked, depth first; a state that was seen is not walked
again. What the real stores do in a step is tested against real ones (tests/integration).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from greenlet import greenlet

from continual.errors import ContinualError, LeaseHeld, PromotionRefused
from continual.flows import champion
from continual.models.registry import CHAMPION, PREVIOUS

NOON = datetime(2024, 1, 1, 12, tzinfo=UTC)
AGREE = "ledger and alias agree"


class Killed(BaseException):
    """kill -9: no handler of the code under test runs."""


@dataclass
class State:
    """What is kept outside the runs. lock: (holder, token, ran out)."""

    ledger: list[Any] = field(default_factory=list)
    aliases: dict[str, str] = field(default_factory=dict)
    history: list[Any] = field(default_factory=list)
    quarantined: set[str] = field(default_factory=set)
    lock: tuple[str | None, int, bool] = (None, 0, False)

    def key(self) -> tuple[Any, ...]:
        ledger = tuple(e.key for e in self.ledger)
        history = tuple((r.version, r.decision_key) for r in self.history)
        return ledger, tuple(sorted(self.aliases.items())), history, frozenset(self.quarantined), self.lock


@dataclass(frozen=True)
class Run:
    """One run of a flow. retry_of: name of the run that must have been killed before this one may begin."""

    name: str
    holder: str
    act: Callable[[Any], Any]
    retry_of: str | None = None


@dataclass(frozen=True)
class Odds:
    """How much may go wrong: kills, leases that run out while somebody works, versions people put in as champion."""

    kills: int = 0
    hangs: int = 0
    people: tuple[str, ...] = ()


class Machine:
    """One execution: runs as greenlets over one state."""

    def __init__(self, start: Callable[[], State], runs: tuple[Run, ...], odds: Odds) -> None:
        self.state, self.runs, self.odds = start(), runs, odds
        self.seen: dict[str, list[str]] = {run.name: [] for run in runs}
        self.ended: dict[str, Any] = {}
        self._lets = {run.name: greenlet(self._of(run)) for run in runs}

    def _of(self, run: Run) -> Callable[[], None]:
        def go() -> None:
            try:
                self.ended[run.name] = run.act(Double(self, run))
            except ContinualError as error:
                self.ended[run.name] = error
            except Killed as killed:
                self.ended[run.name] = killed

        return go

    def choices(self) -> list[tuple[str, str]]:
        """What may happen next."""
        alive = [r for r in self.runs if r.name not in self.ended and self._may_begin(r)]
        found = [("step", r.name) for r in alive]
        if self.odds.kills:
            found += [("kill", r.name) for r in alive if self.seen[r.name]]
        holder, _, over = self.state.lock
        if holder is not None and not over and (self.odds.hangs or self._dead(holder)):
            found.append(("run out", holder))
        return found + [("person", version) for version in self.odds.people[:1]]

    def _may_begin(self, run: Run) -> bool:
        return run.retry_of is None or isinstance(self.ended.get(run.retry_of), Killed)

    def _dead(self, holder: str) -> bool:
        """Nobody is left to release the lease: its time runs out for sure."""
        return not any(r.holder == holder and r.name not in self.ended and self._may_begin(r) for r in self.runs)

    def do(self, choice: tuple[str, str]) -> None:
        what, who = choice
        if what == "step":
            self._step(who)
        elif what == "kill":
            self.odds = replace(self.odds, kills=self.odds.kills - 1)
            self._lets[who].throw(Killed())
        elif what == "run out":
            if not self._dead(who):
                self.odds = replace(self.odds, hangs=self.odds.hangs - 1)
            self.state.lock = (*self.state.lock[:2], True)
        else:
            self.odds = replace(self.odds, people=self.odds.people[1:])
            self.state.aliases[CHAMPION] = who

    def key(self) -> tuple[Any, ...]:
        """Two executions with this in common go on alike: the code is deterministic in what its steps returned."""
        runs = tuple((name, tuple(told), str(self.ended.get(name))) for name, told in self.seen.items())
        return self.state.key(), runs, self.odds

    def finish(self) -> str:
        """The next flow, once every lease has run out: what a reconcile says at last."""
        self.state.lock = (*self.state.lock[:2], True)
        last = Run("next", "next", lambda ws: champion.reconcile(ws, NOON))
        self.runs, self.seen["next"] = (*self.runs, last), []
        self._lets["next"] = greenlet(self._of(last))
        while "next" not in self.ended:
            self._step("next")
        return self.ended["next"]

    def _step(self, name: str) -> None:
        if not self._lets[name]:
            self._lets[name].switch()  # to its first hand-over, before which it did nothing
        if name not in self.ended:
            self._lets[name].switch()


class Double:
    """What `flows/champion.py` asks of a workspace; each call is one step."""

    app = "loans"

    def __init__(self, machine: Machine, run: Run) -> None:
        self.machine, self.name, self.run, self.holder = machine, run.name, run.name, run.holder
        self.loaded = SimpleNamespace(hash="policy")
        self.db = self
        self.ledger = _Steps(self, get=_get, last=_last, append=_append)
        self.champions = _Steps(self, read=_read, current=_current, append=_crown)
        self.versions = _Steps(self, versions=_versions, register=_nothing, quarantine_version=_quarantine)
        self.registry = _Steps(
            self,
            champion=_alias,
            aliases=_aliases,
            set_alias=_set,
            delete_alias=_delete,
            tag=_nothing,
            version=_version,
        )

    def fresh_registry(self) -> Any:
        return self.registry

    def step(self, do: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        greenlet.getcurrent().parent.switch()
        told = self.machine.seen[self.name]
        try:
            found = do(self.machine.state, *arguments, **named)
        except ContinualError as error:
            told.append(f"{do.__name__}{arguments}: {type(error).__name__}")
            raise
        told.append(f"{do.__name__}{arguments}: {found}")
        return found


class _Steps:
    def __init__(self, double: Double, **steps: Callable[..., Any]) -> None:
        for name, do in steps.items():
            setattr(self, name, lambda *a, _do=do, **n: double.step(_do, *a, **n))


class Held:
    """The lease, as `stores/lease.py` promises it."""

    def __init__(self, double: Double, expected: str | None) -> None:
        self.double, self.expected, self.token = double, expected, 0

    def acquire(self, state: State) -> int:
        holder, token, over = state.lock
        if holder not in (None, self.double.holder) and not over:
            raise LeaseHeld("one at a time", f"{holder} holds it", "wait")
        state.lock = (self.double.holder, token + 1, False)
        self.token = token + 1
        return self.token

    def _renew(self, state: State) -> None:
        if state.lock[:2] != (self.double.holder, self.token):
            raise LeaseHeld("one at a time", "lost the lease", "wait")
        state.lock = (*state.lock[:2], False)

    def _confirm(self, state: State, found: str | None) -> None:
        self._renew(state)
        if found != self.expected:
            raise PromotionRefused("still the champion", f"{found}", "judge again")

    def renew(self) -> None:
        self.double.step(self._renew)

    def confirm(self, found: str | None) -> None:
        self.double.step(self._confirm, found)

    def release(self, state: State) -> None:
        if state.lock[1] == self.token:
            state.lock = (None, self.token, False)


@contextmanager
def lease(db: Double, app: str, holder: str, ttl: Any, expected: str | None) -> Iterator[Held]:
    held = Held(db, expected)
    db.step(held.acquire)
    try:
        yield held
    except Killed:
        raise
    except BaseException:
        db.step(held.release)
        raise
    db.step(held.release)


def walk(
    start: Callable[[], State], runs: tuple[Run, ...], odds: Odds, safe: Callable[[Machine], None],
    at_the_end: Callable[[Machine], None],
) -> tuple[int, int]:  # fmt: skip
    """Every execution, depth first; (states, ends). `safe` holds in each state, `at_the_end` where nothing is left
    to happen."""
    seen: set[Any] = set()
    ends, todo = 0, [()]
    while todo:
        path = todo.pop()
        machine = _replay(start, runs, odds, path)
        while (key := machine.key()) not in seen:
            seen.add(key)
            choices = machine.choices()
            over = all(what == "person" for what, _ in choices)
            try:
                safe(machine)
                if over:
                    at_the_end(machine)
            except AssertionError as error:
                error.add_note(_story(start, runs, odds, path))
                raise
            if over:
                ends += 1
                break
            todo += [(*path, other) for other in choices[1:]]
            path = (*path, choices[0])
            machine.do(choices[0])
    return len(seen), ends


def _story(start: Callable[[], State], runs: tuple[Run, ...], odds: Odds, path: tuple[tuple[str, str], ...]) -> str:
    """How it came to that, a line a step."""
    machine, lines = Machine(start, runs, odds), []
    for what, who in path:
        machine.do((what, who))
        told = machine.seen.get(who, [""])[-1:] if what == "step" else [""]
        lines.append(f"{who}: {what} {''.join(told)}"[:150])
    return "\n".join(lines)


def _replay(
    start: Callable[[], State], runs: tuple[Run, ...], odds: Odds, path: tuple[tuple[str, str], ...]
) -> Machine:
    machine = Machine(start, runs, odds)
    for choice in path:
        machine.do(choice)
    return machine


# --- what a step does ---


def _get(state: State, key: str) -> Any:
    return next((entry for entry in state.ledger if entry.key == key), None)


def _last(state: State, *kinds: str) -> Any:
    return next((e for e in reversed(state.ledger) if not kinds or e.kind in kinds), None)


def _append(state: State, kind: str, key: str, as_of: Any, reason: str, evidence: Any, *_: Any) -> Any:
    stored = _get(state, key)
    if stored is None:
        stored = SimpleNamespace(kind=kind, key=key, as_of=as_of, reason=reason, evidence=evidence)
        state.ledger.append(stored)
    return stored


def _read(state: State) -> list[Any]:
    return list(state.history)


def _current(state: State) -> Any:
    return state.history[-1] if state.history else None


def _crown(state: State, version: str, kind: str, as_of: Any, key: str) -> None:
    if any(reign.decision_key == key for reign in state.history):
        return
    if version in state.quarantined:
        raise PromotionRefused("not quarantined", version, "another")
    state.history.append(SimpleNamespace(seq=len(state.history) + 1, version=version, kind=kind, as_of=as_of,
                                         decision_key=key))  # fmt: skip


def _versions(state: State, version: str) -> list[Any]:
    return [SimpleNamespace(state="quarantined", reason="bad")] if version in state.quarantined else []


def _quarantine(state: State, version: str, reason: str) -> None:
    state.quarantined.add(version)


def _alias(state: State) -> str | None:
    return state.aliases.get(CHAMPION)


def _aliases(state: State) -> dict[str, str]:
    return dict(state.aliases)


def _set(state: State, alias: str, version: str) -> None:
    state.aliases[alias] = version


def _delete(state: State, alias: str) -> None:
    state.aliases.pop(alias, None)


def _version(state: State, version: str) -> Any:
    return SimpleNamespace(run_id="run")


def _nothing(state: State, *_: Any, **__: Any) -> None:
    return None


def reign(version: str, previous: str | None = None) -> State:
    """`version` reigns and everything agrees."""
    state = State(aliases={CHAMPION: version, **({PREVIOUS: previous} if previous else {})})
    entry = _append(state, "champion", f"{version}:confirmed", NOON, "", {"target": version})
    _crown(state, version, "promote", NOON, entry.key)
    return state
