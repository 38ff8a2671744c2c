"""Everything a trigger may look at: frozen, serialisable, the same decision again from the ledger."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from continual.core.canonical import plain
from continual.core.prices import POINT, Prices
from continual.core.window import utc


@dataclass(frozen=True)
class DayGain:
    """One matured day of the present champion against a fresh model (the shadow), on identical labelled rows that
    neither was trained on.

    day: ISO date, UTC. age: days since the champion could be trained, on average over the rows. n, n_labelled: rows of
    the day. champion, low, high: its primary metric with the 95% interval; fresh: the shadow's. gain: how much better
    the shadow is, **positive = shadow better** whatever the metric's direction, in the metric's unit; se: its standard
    error. None = undefined that day (no label, one class, no shadow yet). shadow: instant of the shadow that answered.
    """

    day: str
    age: float
    n: int
    n_labelled: int
    champion: float | None
    low: float | None
    high: float | None
    fresh: float | None
    gain: float | None
    se: float | None
    shadow: str | None = None


@dataclass(frozen=True)
class Generation:
    """How fast an earlier champion went stale, as sums over its matured days: of weight w = 1/se^2, age a in days and
    gain g of a fresh model over it, in the metric's unit: waa = sum w a^2, wag = sum w a g."""

    version: str
    days: int
    waa: float
    wag: float


@dataclass(frozen=True)
class PastRetrain:
    """What an earlier retrain took and brought. cpu_seconds: of all its training, None = not measured. labels: asked
    for because of it. promoted, rolled_back: what became of its candidate. gain: measured gain per day over the model
    it replaced, in points; None = not known yet."""

    as_of: str
    cpu_seconds: float | None
    labels: int
    promoted: bool
    rolled_back: bool = False
    gain: float | None = None


@dataclass(frozen=True)
class Look:
    """A metric on a slice in a past window, and what it should be: the same at the champion's promotion.

    end: ISO instant the window ends. better: +1 when higher is better, -1 when lower is. reference: expected value,
    None = unknown.
    """

    end: str
    slice: str
    metric: str
    better: int
    value: float | None
    low: float | None
    high: float | None
    n_labelled: int
    reference: float | None


@dataclass(frozen=True)
class ColumnDrift:
    """How far a column has moved from the champion's training rows. distance: kind of the family; value, low, high: the
    effect size with its 95% interval, None = undefined; expected: what chance gives when nothing moved."""

    column: str
    distance: str
    value: float | None
    low: float | None
    high: float | None
    expected: float | None
    n: int


@dataclass(frozen=True)
class ShadowSpent:
    """Shadow fits since the last retrain: how many, their CPU-seconds, and the newest one's instant (ISO) and rows."""

    fits: int
    cpu_seconds: float
    newest: str
    rows: int


@dataclass(frozen=True)
class TriggerEvidence:
    """as_of: instant of knowledge. last_retrain: as_of of the last retrain decision that trained, or None.
    new_labels: matured labelled rows since then. has_champion: a version serves.

    champion: its version; age: days since it could be trained; reigning: days since its promotion.
    prices: of the policy; None in evidence of an earlier release. point: size of one point in the metric's unit.
    volume: predictions a day, of late. days: the champion's matured days, oldest first. generations: earlier champions.
    retrains: earlier retrains, oldest first. looks: metrics per slice, oldest first. drift: per column and distance.
    Parts a trigger does not ask for (`Trigger.needs`) are empty.
    """

    as_of: datetime
    last_retrain: datetime | None
    new_labels: int
    has_champion: bool
    champion: str | None = None
    age: float | None = None
    reigning: float | None = None
    prices: Prices | None = None
    point: float = POINT
    volume: float = 0.0
    days: tuple[DayGain, ...] = ()
    generations: tuple[Generation, ...] = ()
    retrains: tuple[PastRetrain, ...] = ()
    shadow: ShadowSpent | None = None
    looks: tuple[Look, ...] = ()
    drift: tuple[ColumnDrift, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """JSON types only."""
        out: dict[str, Any] = plain(asdict(self))
        return out

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> TriggerEvidence:
        """Also of evidence that an earlier release wrote, without the fields that came later."""
        last, prices, shadow = (value.get(name) for name in ("last_retrain", "prices", "shadow"))
        parts: dict[str, Any] = {
            name: tuple(kind(**one) for one in value.get(name, ())) for name, kind in _PARTS.items()
        }
        parts["as_of"] = utc(value["as_of"])
        parts["last_retrain"] = utc(last) if last is not None else None
        parts["prices"] = Prices(**prices) if prices is not None else None
        parts["shadow"] = ShadowSpent(**shadow) if shadow is not None else None
        return cls(**{**value, **parts})

    @property
    def since_retrain(self) -> float | None:
        """Days since the last retrain; negative in a backfill of an older instant."""
        return None if self.last_retrain is None else (self.as_of - self.last_retrain).total_seconds() / 86_400


_PARTS: dict[str, Any] = {
    "days": DayGain,
    "generations": Generation,
    "retrains": PastRetrain,
    "looks": Look,
    "drift": ColumnDrift,
}
