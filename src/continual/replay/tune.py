"""A better policy from history, within a budget, judged on later history than it was chosen on.

Successive halving (Jamieson & Talwalkar 2016) over a small grid: all candidates on the first part of history, the
better half on more of it, and so on; the one that is left meets the policy in force on the last part, which chose
nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from continual.core.prices import POINT
from continual.core.window import utc
from continual.errors import NotEnoughData
from continual.replay.comparison import Comparison, Scored, compare
from continual.replay.contenders import CURRENT, Contender, patched
from continual.replay.lab import Lab, Progress

if TYPE_CHECKING:
    from continual.policy.load import LoadedPolicy
    from continual.policy.models import Policy

#: Shares of the span: the rungs of the halving, the last of which ends the choosing; the rest judges.
RUNGS = (0.35, 0.65)


@dataclass(frozen=True)
class Net:
    """What a policy is worth beside the one in force over the judged span, in `unit`. gain: worth of the better metric,
    with its 95% interval; cost: of more retrains and CPU (negative = saved); net: gain - cost."""

    unit: str
    days: float
    gain: float
    low: float
    high: float
    cost: float

    @property
    def net(self) -> float:
        return self.gain - self.cost

    @property
    def sure(self) -> bool:
        """Whether even the low end pays."""
        return self.low - self.cost > 0


@dataclass(frozen=True)
class Tuned:
    """changes: fields to edit, {} = keep the policy. reason: a sentence. net: on the judged span, None when nothing
    paid before it. tried: candidate -> its net value where it was last chosen on. comparison: of the judged span."""

    changes: dict[str, Any]
    reason: str
    name: str
    net: Net | None
    tried: dict[str, float]
    comparison: Comparison | None

    def as_dict(self) -> dict[str, Any]:
        """For programs."""
        numbers = None if self.net is None else {**asdict(self.net), "net": self.net.net, "sure": self.net.sure}
        judged = None if self.comparison is None else self.comparison.as_dict()
        own = {"changes": self.changes, "reason": self.reason, "name": self.name, "tried": self.tried}
        return {**own, "net": numbers, "judged": judged}


def grid(policy: Policy) -> dict[str, dict[str, Any]]:
    """Name -> changes: when, on how much, apart and together; most likely to matter first."""
    length = policy.window.length
    often: dict[str, dict[str, Any]] = {
        "when it pays": {"trigger": {"kind": "cost"}},
        **{f"every {days} days": {"trigger": {"kind": "schedule", "every_days": days}} for days in (28, 14, 56)},
        "when it pays, shadow every 28 days": {"trigger": {"kind": "cost"}, "shadow": {"every": "28d"}},
    }
    spans = {f"{part.days} days of rows": _sliding(part) for part in (length / 2, length * 2, length / 4) if part.days}
    spans["all rows"] = {"window": {"kind": "expanding"}}
    spans["better of two windows"] = {"window": {"candidates": [_other(policy)]}}
    both = {f"{a}, {b}": {**often[a], **spans[b]} for b in spans for a in often}
    found = {**spans, **often, **both}
    return {name: changes for name, changes in found.items() if not _same(policy, changes)}


def _other(policy: Policy) -> dict[str, Any]:
    """What the policy's own window is compared with at every retrain: all rows, or a quarter."""
    if policy.window.kind == "sliding":
        return {"kind": "expanding"}
    return {"kind": "sliding", "length": f"{policy.window.length.days}d"}


def _sliding(length: timedelta) -> dict[str, Any]:
    return {"window": {"kind": "sliding", "length": f"{length.days}d"}}


def _same(policy: Policy, changes: dict[str, Any]) -> bool:
    """Compared as the policy's own types: a duration is the same in any spelling."""
    for name, part in changes.items():
        now = getattr(policy, name)
        if part.get("kind", getattr(now, "kind", None)) != getattr(now, "kind", None):
            return False
        then = type(now).model_validate({**now.model_dump(mode="json"), **part})
        if then != now:
            return False
    return True


def tune(lab: Lab, base: LoadedPolicy, candidates: int = 8, jobs: int = 1, progress: Progress | None = None) -> Tuned:
    """candidates: how many of the grid are tried; each costs at most one replay, most a third of one.

    Raises
    ------
    NotEnoughData: the history is too short to choose and to judge.
    """
    looks = lab.looks(base)
    span = looks[-1].end - looks[0].start
    ends = [looks[0].start + share * span for share in RUNGS]
    changes = dict(list(grid(base.policy).items())[:candidates])
    own = Contender(CURRENT, base)
    left = [Contender(_slug(name), patched(base, change, base.path)) for name, change in changes.items()]
    names = {_slug(name): change for name, change in changes.items()}
    tried: dict[str, float] = {}
    for until in ends:
        left = _halved(lab, own, left, until, jobs, progress, tried)
    left = [one for one in left if tried[one.name] > 0]
    if not left:
        return Tuned({}, "keep the policy: none of the others paid where it was chosen", CURRENT, None, tried, None)
    best = left[0]
    played = lab.play_all([own, best], jobs, progress)
    judged = compare(lab.history, base.policy, played, since=ends[-1], against=CURRENT)
    net = net_value(base.policy, judged, best.name)
    return _proposed(names[best.name], best.name, net, tried, judged)


def _halved(
    lab: Lab,
    own: Contender,
    others: Sequence[Contender],
    until: datetime,
    jobs: int,
    progress: Progress | None,
    tried: dict[str, float],
) -> list[Contender]:
    """The better half of the candidates, best first; what they were worth goes into `tried`. Early nothing pays yet."""
    if not others:
        return []
    played = lab.play_all([own, *others], jobs, progress, until)
    served = [one for one in played if (one.served >= 0).any()]
    if served[:1] != played[:1]:
        raise NotEnoughData(
            "The policy in force must have had a champion where candidates are chosen.",
            f"none until {until:%Y-%m-%d}.",
            "replay a longer history, or lower window.min_rows or the floor.",
        )
    found = compare(lab.history, own.loaded.policy, served, against=CURRENT)
    worth = {one.name: net_value(own.loaded.policy, found, one.name).net for one in served[1:]}
    tried.update(worth)
    ranked = sorted((one for one in others if one.name in worth), key=lambda one: -worth[one.name])
    return ranked[: max(1, len(others) // 2)]


def net_value(policy: Policy, found: Comparison, name: str) -> Net:
    """Of the policy `name` beside the one in force, on the rows compared; by `prices` of the policy in force.
    found: compared against it."""
    ours, theirs = _of(found, name), _of(found, CURRENT)
    prices, days = policy.prices, (found.end - found.start) / timedelta(days=1)
    each = prices.worth(1.0, found.rows / days) * days / (prices.point_size or POINT)
    worse = (ours.regret, ours.regret_high, ours.regret_low)
    gain, low, high = (0.0 if value is None else -value for value in worse)
    retrains, seconds = (_within(ours, found, count) - _within(theirs, found, count) for count in (True, False))
    cost = retrains * prices.retrain + seconds * prices.cpu_second
    return Net(prices.unit, days, gain * each, low * each, high * each, cost)


def _of(found: Comparison, name: str) -> Scored:
    return next(one for one in found.policies if one.played.name == name)


def _within(one: Scored, found: Comparison, count: bool) -> float:
    """Retrains, or the CPU seconds of all fits, inside the span compared."""
    made = one.played.fits if count else (*one.played.fits, *one.played.shadows)
    inside = [seconds for at, seconds in made if found.start <= utc(at) < found.end]
    return float(len(inside)) if count else sum(inside)


def _proposed(changes: dict[str, Any], name: str, net: Net, tried: dict[str, float], judged: Comparison) -> Tuned:
    said = (
        f"{net.net:+.1f} {net.unit} over {net.days:.0f} later days that chose nothing "
        f"(95% [{net.low - net.cost:+.1f}, {net.high - net.cost:+.1f}]; {net.cost:+.1f} of it is cost)"
    )
    if net.sure:
        return Tuned(changes, f"{name}: {said}", name, net, tried, judged)
    return Tuned({}, f"keep the policy: the best other, {name}, is not sure to pay: {said}", name, net, tried, judged)


def _slug(name: str) -> str:
    return name.replace(", ", "_").replace(" ", "-")
