"""When to retrain, on what: one policy over one stream with labels some batches late, exactly, from cached fits.

After every batch there is a look. A model that trains at look t learns from the batches whose labels came by then, and
serves from batch t + 1. There is no gate: what is compared is when to retrain and on what. The first model learns from
the batches before the stream starts, all labelled.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from policies_data import Stream
from policies_fits import Fits


def quality(task: str, metric: str, y: np.ndarray, answers: np.ndarray) -> float:
    """Accuracy, AUC, or R2; higher is better, a point is 0.01."""
    if task == "reg":
        return 1 - float(((y - answers) ** 2).sum() / ((y - y.mean()) ** 2).sum())
    if task == "multi":
        return float((answers.argmax(axis=1) == y).mean())
    if metric == "roc_auc":
        from sklearn.metrics import roc_auc_score

        return float(roc_auc_score(y, answers))
    return float(((answers > 0.5) == y).mean())


def losses(task: str, y: np.ndarray, answers: np.ndarray) -> np.ndarray:
    """(n,) error of each row in [0, 1]: wrong or not; of numbers the absolute error."""
    if task == "reg":
        return np.abs(answers - y)
    return (answers.argmax(axis=1) != y if task == "multi" else (answers > 0.5) != y).astype(float)


@dataclass
class Walk:
    """A policy under way. champion: (window length, last batch trained on). look: batch just served; told: last batch
    whose labels are there. since: look of the last retrain."""

    stream: Stream
    fits: Fits
    delay: int
    length: int | None
    champion: tuple[int | None, int]
    look: int = 0
    since: int = 0
    retrains: list[int] = field(default_factory=list)
    cpu: float = 0.0

    @property
    def told(self) -> int:
        return self.look - self.delay

    def rows(self, batch: int) -> slice:
        return self.fits.rows(batch, batch)

    def y(self, batch: int) -> np.ndarray:
        return self.stream.y[self.rows(batch)]

    def error(self, batch: int) -> np.ndarray:
        """Losses of the champion on a batch it was not trained on."""
        return losses(self.stream.task, self.y(batch), self.fits.of_batch(*self.champion, batch))


#: At a look: train now?
Rule = Callable[[Walk], bool]


@dataclass(frozen=True)
class Ran:
    """value: composite quality. retrains: looks that trained. cpu: seconds of all fits (`Fits.cost`), with shadows."""

    value: float
    retrains: list[int]
    cpu: float
    answers: np.ndarray


def walk(
    stream: Stream, fits: Fits, rule: Rule, delay: int, length: int | None = None, metric: str | None = None
) -> Ran:
    """From the first batch served to the last."""
    state = Walk(stream, fits, delay, length, (None, stream.start - 1), since=stream.start - 1)
    parts = []
    for batch in range(stream.start, stream.batches):
        parts.append(fits.of_batch(*state.champion, batch))
        state.look = batch
        if batch < stream.batches - 1 and state.told > state.champion[1] and rule(state):
            state.champion = (state.length, state.told)
            state.since = batch
            state.retrains.append(batch)
            state.cpu += fits.cost(*state.champion)
    answers = np.concatenate(parts)
    y = stream.y[fits.rows(stream.start, stream.batches - 1)]
    return Ran(quality(stream.task, metric or stream.metric, y, answers), state.retrains, state.cpu, answers)


def never(_: Walk) -> bool:
    """Static."""
    return False


def every(batches: int) -> Rule:
    """Every so many batches."""
    return lambda state: state.look - state.since >= batches


class TwoWindows:
    """`rule` says when; what on, the windows themselves say: of the models that both windows gave at the last retrain,
    the one that erred less on the batches told since (older retrains count half as much each) names the window. Both
    are trained, and paid."""

    def __init__(self, rule: Rule, lengths: tuple[int | None, ...]) -> None:
        self.rule, self.lengths = rule, lengths
        self.lost = dict.fromkeys(lengths, 0.0)
        self.last: int | None = None

    def __call__(self, state: Walk) -> bool:
        if not self.rule(state):
            return False
        since = state.stream.start - 1 if self.last is None else self.last
        for length in self.lengths:
            told = range(since + 1, state.told + 1)
            parts = [losses(state.stream.task, state.y(b), state.fits.of_batch(length, since, b)) for b in told]
            self.lost[length] = 0.5 * self.lost[length] + float(np.concatenate(parts).mean())
        state.length = min(self.lengths, key=lambda length: self.lost[length])
        state.cpu += sum(state.fits.cost(length, state.told) for length in self.lengths if length != state.length)
        self.last = state.told
        return True


def performance(points: float = 0.05) -> Rule:
    """When the champion's error on the newest labelled batch is so much above that on its first one (of numbers: in
    units of the first error)."""
    first: dict[tuple[int | None, int], float] = {}

    def rule(state: Walk) -> bool:
        now = float(state.error(state.told).mean())
        usual = first.setdefault(state.champion, now)
        return now - usual > points * (usual if state.stream.task == "reg" else 1)

    return rule


def adwin() -> Rule:
    """ADWIN (Bifet & Gavalda 2007, river's) on the errors in order, as their labels come; a detected rise retrains."""
    from river.drift import ADWIN

    held: dict[str, object] = {}

    def rule(state: Walk) -> bool:
        if held.get("champion") != state.champion:
            held.update(champion=state.champion, detector=ADWIN(), seen=state.champion[1])
        detector, risen = held["detector"], False
        scale = 1.0
        for batch in range(int(held["seen"]) + 1, state.told + 1):  # type: ignore[call-overload]
            errors = state.error(batch)
            if state.stream.task == "reg":
                scale = float(held.setdefault("scale", 4 * errors.mean()))  # type: ignore[arg-type]
            for error in np.minimum(errors / scale, 1):
                before = detector.estimation  # type: ignore[attr-defined]
                detector.update(float(error))  # type: ignore[attr-defined]
                risen |= bool(detector.drift_detected and detector.estimation > before)  # type: ignore[attr-defined]
        held["seen"] = state.told
        return risen

    return rule
