"""Generators with a planted truth, and the shortest way from their rows to the real gate and the real monitor.

Two models disagree on a share `DISAGREE` of the rows. `effect` is the planted mean of the paired difference (gate:
candidate minus champion, positive = better; monitor: excess loss of the champion, positive = worse). In a
day-clustered world each day moves the difference by a shock with standard deviation SHOCK: half of its variance is
shared by all slices, half is the slice's own. Shocks are cut symmetrically, so that the planted mean stays exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt

from continual.core.alarm import PairedStream
from continual.core.estimate import Comparison, Estimate
from continual.core.stats.dependence import day_sums
from continual.core.verdict import OVERALL, GateEvidence, MetricEvidence, PastDecision, SliceEvidence, Verdict
from continual.gates.base import GATES, MetricTerms
from continual.metrics.base import METRICS, Metric, Rows
from continual.monitors.base import MONITORS, Monitor

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

DISAGREE, ACCURACY, SHOCK = 0.08, 0.80, 0.02
MARGIN = {"accuracy": 0.02, "brier": 0.01}
GATE, MONITOR = GATES.get("graded")(), MONITORS.get("e_detector")()
#: The published detector without its protection against rows of a day that move together: for attribution only.
PLAIN = MONITORS.get("e_detector")(trivial=0, day_correlation=0, min_days=1, lasting_shocks=False)
METRIC: dict[str, Metric] = {kind: METRICS.get(kind)(owner="benchmark") for kind in MARGIN}
TERMS = {
    kind: {kind: MetricTerms("primary", margin, None, METRIC[kind].higher_is_better)} for kind, margin in MARGIN.items()
}
START = date(2013, 1, 1)


def disagreement(effect: Floats, least: float = DISAGREE) -> Floats:
    """Share of rows on which the models differ: `least`, or more where the effect needs room for the shocks."""
    return np.maximum(least, np.abs(effect) + 2 * SHOCK)


def shocks(rng: np.random.Generator, days: int, slices: int, clustered: bool) -> Floats:
    """Shift of the mean difference, shape (days, slices); zeros for independent rows."""
    if not clustered:
        return np.zeros((days, slices))
    common, own = rng.normal(0, SHOCK / np.sqrt(2), (days, 1)), rng.normal(0, SHOCK / np.sqrt(2), (days, slices))
    return common + own


def daily_mean(effect: Floats, shock: Floats, least: float = DISAGREE) -> Floats:
    """Mean difference of each day and slice: effect + shock, cut symmetrically to what the disagreement allows."""
    room = disagreement(effect, least) - np.abs(effect)
    return effect + np.clip(shock, -room, room)


@dataclass(frozen=True)
class Window:
    """Labelled rows of an evaluation window: slice and day of each row, whether the champion is right, the shocks."""

    where: Ints
    day: Ints
    right: npt.NDArray[np.bool_]
    shock: Floats

    def __add__(self, later: Window) -> Window:
        day = np.concatenate([self.day, later.day + len(self.shock)])
        where, right = np.concatenate([self.where, later.where]), np.concatenate([self.right, later.right])
        return Window(where, day, right, np.concatenate([self.shock, later.shock]))


@dataclass(frozen=True)
class Scored:
    """A window with the scores of both models, as a metric reads it."""

    where: Ints
    day: Ints
    y: Floats
    candidate: Floats
    champion: Floats


def window(rng: np.random.Generator, sizes: Sequence[int], days: int, clustered: bool) -> Window:
    """Fresh rows, `sizes` per slice, spread over `days`."""
    where = np.repeat(np.arange(len(sizes)), sizes)
    day, right = rng.integers(0, days, len(where)), rng.random(len(where)) < ACCURACY
    return Window(where, day, right, shocks(rng, days, len(sizes), clustered))


def candidate(rng: np.random.Generator, rows: Window, effect: Floats) -> Scored:
    """A candidate better by `effect` (one number per slice, share of right decisions) on the rows of a window.

    It differs from the champion at random given whether the champion is right, so that on a reused window all
    candidates share the champion's luck.
    """
    share = disagreement(effect)
    mean = daily_mean(effect, rows.shock)
    win, lose = (share + mean) / 2 / (1 - ACCURACY), (share - mean) / 2 / ACCURACY
    flip = rng.random(len(rows.where)) < np.where(rows.right, lose[rows.day, rows.where], win[rows.day, rows.where])
    right = rows.right.astype(float)
    return Scored(rows.where, rows.day, np.ones(len(right)), np.where(flip, 1 - right, right), right)


def equal_probabilities(rng: np.random.Generator, sizes: Sequence[int], days: int, clustered: bool) -> Scored:
    """Two probability models with the same law of error; clustered: each has its own bias of the day (logit .2)."""
    where = np.repeat(np.arange(len(sizes)), sizes)
    day, logit = rng.integers(0, days, len(where)), rng.normal(-1.3, 1.2, len(where))
    y = (rng.random(len(where)) < 1 / (1 + np.exp(-logit))).astype(float)
    bias = rng.normal(0, 0.2 if clustered else 0.0, (2, days))
    scores = [1 / (1 + np.exp(-logit - rng.normal(0, 0.4, len(where)) - bias[i][day])) for i in range(2)]
    return Scored(where, day, y, scores[0], scores[1])


def _measured(name: str, kind: str, comparison: Comparison) -> SliceEvidence:
    # Without floors no decision of the gate reads the models' own values: not measured, to save the time.
    placeholder = Estimate(0.5, 0.4, 0.6, comparison.n, comparison.n, "not measured")
    metric = MetricEvidence(kind, "primary", placeholder, placeholder, comparison)
    return SliceEvidence(name, "standard", None, (metric,))


def _compared(kind: str, part: Scored) -> Comparison:
    n = len(part.y)
    return METRIC[kind].compare(Rows(part.y, np.ones(n), part.day, n), part.candidate, part.champion)


def evidence(rows: Scored, slices: int, kind: str = "accuracy", uses: int = 0) -> GateEvidence:
    """What the gate reads: overall and the first `slices` slices (rows must be sorted by slice if there are any)."""
    found = [_compared(kind, rows)]
    edges = np.searchsorted(rows.where, np.arange(slices + 1)) if slices else []
    for k in range(slices):
        cut = slice(edges[k], edges[k + 1])
        found.append(
            _compared(
                kind, Scored(rows.where[cut], rows.day[cut], rows.y[cut], rows.candidate[cut], rows.champion[cut])
            )
        )
    return evidence_of(found, kind, uses)


def evidence_of(
    comparisons: Sequence[Comparison],
    kind: str = "accuracy",
    uses: int = 0,
    history: tuple[PastDecision, ...] | None = None,
    span: dict[str, str] | None = None,
) -> GateEvidence:
    """Of the comparisons overall and on each slice. history: earlier decisions, None = no yearly budget; span: window
    of the evaluation."""
    names = (OVERALL, *(f"s{k}" for k in range(len(comparisons) - 1)))
    parts = tuple(_measured(name, kind, found) for name, found in zip(names, comparisons, strict=True))
    span = span or {"start": "2013-07-01T00:00:00+00:00", "end": "2013-07-29T00:00:00+00:00"}
    return GateEvidence("v2", "v1", parts, names[1:], span, span["end"], uses, history=history)


def judge(rows: Scored, slices: int, kind: str = "accuracy", uses: int = 0) -> Verdict:
    """The real gate with its defaults."""
    return GATE.judge(evidence(rows, slices, kind, uses), TERMS[kind])


def excess(rng: np.random.Generator, days: int, rows: int, effect: Floats, clustered: bool, since: int = 0) -> Floats:
    """Daily paired losses in {-1, 0, 1}, shape (days, slices, rows), of a champion that gets worse on day `since`.

    effect: by how much, one number per slice, share of wrong decisions. rows: per day and slice.
    """
    planted = np.where(np.arange(days)[:, None] >= since, effect, 0.0)
    share, mean = disagreement(planted), daily_mean(planted, shocks(rng, days, len(effect), clustered))
    draw = rng.random((days, len(effect), rows), dtype=np.float32)
    worse, differ = ((share + mean) / 2)[..., None], share[..., None]
    return (draw < worse).astype(float) - ((draw >= worse) & (draw < differ))


def stream(name: str, days: Sequence[Floats], before: Sequence[Floats] = ()) -> PairedStream:
    """One stream from day 0 on; no days: a slice that counts in the sharing of alpha only. before: days of the gate."""
    names = tuple((START + timedelta(days=i)).isoformat() for i in range(len(days)))
    return PairedStream(name, "standard", names, tuple(days), before=tuple(day_sums(day) for day in before))


def alarm_day(streams: Sequence[PairedStream], monitor: Monitor = MONITOR) -> int | None:
    """Index of the first day on which the real monitor alarms anywhere; None = never."""
    found = [date.fromisoformat(r.alarmed_on) for r in monitor.read(streams).readings if r.alarmed_on]
    return (min(found) - START).days if found else None
