"""Several windows kept fresh side by side, each as often as it needs, and what is served is their weighted mean.

A weight is exp(-RATE x points of error lately): the exponential weights of prediction with expert advice (Cesa-Bianchi
& Lugosi 2006, section 2.2), on errors that fade. A batch whose labels come is put to the model that each window had
when the batch was served, so that the choice costs no fit.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from policies_data import Stream
from policies_fits import Fits
from policies_simulate import Ran, losses, quality

#: Per point of error; and what is left of a batch's error one batch later.
RATE, KEPT = 0.3, 0.8
#: Of a weighted sum: what weighs less is not asked.
LEAST = 1e-6


class Arms:
    """The models of one walk. plan: length of a window in batches (None = all) -> batches between its fits."""

    def __init__(self, stream: Stream, fits: Fits, plan: Mapping[int | None, int]) -> None:
        self.stream, self.fits, self.plan = stream, fits, plan
        first = stream.start - 1
        self.made = {length: [(first, (None, first))] for length in plan}
        self.lost = dict.fromkeys(plan, 0.0)
        self.unit = 1.0
        if stream.task == "reg":
            self.unit = float(self._loss((None, first), stream.start).mean())

    def answer(self, batch: int) -> np.ndarray:
        """Weighted mean of the newest models' answers."""
        lost = np.array(list(self.lost.values()))
        weight = np.exp(-RATE * (lost - lost.min()))
        weight /= weight.sum()
        newest = [made[-1][1] for made in self.made.values()]
        found = [w * self.fits.of_batch(*model, batch) for w, model in zip(weight, newest, strict=True) if w > LEAST]
        return np.asarray(np.sum(found, axis=0))

    def learn(self, told: int) -> None:
        """The labels of a batch came."""
        for length, made in self.made.items():
            then = next(model for look, model in reversed(made) if look < told)
            error = 100 * float(self._loss(then, told).mean()) / self.unit
            self.lost[length] = KEPT * self.lost[length] + error

    def refresh(self, look: int, told: int) -> float:
        """CPU-seconds of the fits that were due."""
        spent = 0.0
        for length, every in self.plan.items():
            since, model = self.made[length][-1]
            if look - since >= every and told > model[1]:
                self.made[length].append((look, (length, told)))
                spent += self.fits.cost(length, told)
        return spent

    def _loss(self, model: tuple[int | None, int], batch: int) -> np.ndarray:
        rows = self.fits.rows(batch, batch)
        return losses(self.stream.task, self.stream.y[rows], self.fits.of_batch(*model, batch))


def walk_arms(stream: Stream, fits: Fits, plan: Mapping[int | None, int], delay: int) -> Ran:
    """As `policies_simulate.walk`. A fit of any window counts as a retrain."""
    arms, parts, cpu, retrains = Arms(stream, fits, plan), [], 0.0, []
    for batch in range(stream.start, stream.batches):
        parts.append(arms.answer(batch))
        if batch - delay >= stream.start:
            arms.learn(batch - delay)
        if batch < stream.batches - 1 and batch - delay >= stream.start - 1:
            spent = arms.refresh(batch, batch - delay)
            cpu += spent
            retrains += [batch] if spent else []
    answers = np.concatenate(parts)
    y = stream.y[fits.rows(stream.start, stream.batches - 1)]
    return Ran(quality(stream.task, stream.metric, y, answers), retrains, cpu, answers)
