"""A stretch of a day's rows: which of them count, and what the metrics say of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from continual.cells import kernel
from continual.cells.plan import Plan
from continual.cells.sums import EVERY, Layout
from continual.core.cells import ONE
from continual.errors import BatchError
from continual.metrics.base import Rows, Task

if TYPE_CHECKING:
    import pyarrow as pa

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Stretch:
    """label, weight (None = all 1): (n,); needs: (N, n) what metrics read; scores: version -> (K, n)."""

    plan: Plan
    day: int
    label: Floats
    weight: Floats | None
    needs: Floats
    scores: Mapping[str, Floats]

    @classmethod
    def read(
        cls,
        plan: Plan,
        day: int,
        piece: pa.Table,
        versions: Mapping[str, Sequence[str]],
        label: str,
        weight: str | None,
    ) -> Stretch:
        """
        Raises
        ------
        BatchError: a label outside the classes, a weight that is not positive.
        """
        weights = floats(piece, [weight])[0] if weight else None
        scores = {version: floats(piece, names) for version, names in versions.items()}
        out = cls(plan, day, floats(piece, [label])[0], weights, floats(piece, plan.needs), scores)
        _check(out.label, plan, weights)
        return out

    @cached_property
    def fine(self) -> dict[str, Mask]:
        """Rows with a valid score of each version."""
        return {version: _fine(score, self.plan.task) for version, score in self.scores.items()}

    @cached_property
    def valid(self) -> dict[str, Mask]:
        """Rows with a label and a valid score of each version."""
        labelled = ~np.isnan(self.label)
        return {version: fine & labelled for version, fine in self.fine.items()}

    @cached_property
    def _some_label(self) -> Floats:
        return np.nan_to_num(self.label) if np.isnan(self.label).any() else self.label

    @cached_property
    def alike(self) -> bool:
        """The versions answered the same rows."""
        first, *others = self.valid.values()
        return all(np.array_equal(first, other) for other in others)

    def cells(self, version: str) -> npt.NDArray[Any]:
        """(n,) label x bin of each row; what is not counted has the number of cells."""
        levels, bins = self.plan.shape or (0, 0)
        out = np.empty(len(self.label), dtype=np.uint16 if levels * bins < 2**16 else np.uint32)
        score, label, valid = self.scores[version], self._some_label, self.valid[version]
        if self.plan.task is Task.BINARY:
            found = self.plan.bins
            kernel.bin_scores(np.ascontiguousarray(score[0]), label, found.table, found.limit, found.steps, out)
        else:
            out[:] = label * bins + score.argmax(axis=0)
        if not valid.all():
            out[~valid] = levels * bins
        return out

    def part(self, at: slice | Mask) -> Stretch:
        """Some of the rows."""
        if isinstance(at, np.ndarray) and at.all():
            return self
        weight = None if self.weight is None else self.weight[at]
        scores = {version: score[:, at] for version, score in self.scores.items()}
        out = Stretch(self.plan, self.day, self.label[at], weight, self.needs[:, at], scores)
        vars(out)["valid"] = {version: self.valid[version][at] for version in scores}
        return out

    def fill(self, layout: Layout, out: Floats) -> None:
        """The terms, as the layout has them, into (rows of the layout, n or more); 0 where the owner has no answer.

        Where all versions answered the same rows, rows without an answer are not among the n.
        """
        for version, valid in self.valid.items():
            program, surprises = layout.told(version)
            if layout.alike:
                self._tell(version, program, surprises, out)
            else:
                own, told = self.part(valid), np.zeros((len(out), int(valid.sum())))
                own._tell(version, program, surprises, told)
                for row in program[:, 0].tolist():
                    out[row, : len(valid)][valid] = told[row]
                self._place(layout, version, {ONE: np.ones(len(told[0]))}, valid, out)
            if layout.plan.tellers:
                self._place(layout, version, self._terms(version), valid, out)
        kernel.subtract(layout.differences, len(self.label), out)
        if not layout.alike:
            self._only_both(layout, out)

    def _tell(self, version: str, program: Ints, surprises: list[int], out: Floats) -> None:
        score = np.ascontiguousarray(self.scores[version][0])
        kernel.tell(score, self.label, program, out)
        for row in surprises:
            likely = out[row, : len(score)]
            np.negative(np.log(likely, out=likely), out=likely)

    def _place(self, layout: Layout, version: str, terms: Mapping[str, Floats], valid: Mask, out: Floats) -> None:
        for name, value in terms.items():
            for owner in (version, EVERY):
                row = layout.rows.get((owner, name))
                if row is not None:
                    out[row, : len(valid)][slice(None) if layout.alike else valid] = value

    def _only_both(self, layout: Layout, out: Floats) -> None:
        n = len(self.label)
        for (owner, name), row in layout.rows.items():
            if owner in layout.pairs:
                a, b = layout.pairs[owner]
                both = self.valid[a] & self.valid[b]
                out[row, :n] = both if name == ONE else np.where(both, out[row, :n], 0.0)

    def _terms(self, version: str) -> dict[str, Floats]:
        """What the metrics say of the rows with an answer."""
        own = self.part(self.valid[version])
        score, n = own.scores[version], len(own.label)
        out: dict[str, Floats] = {}
        if not n:
            return {}
        weight = np.ones(n) if own.weight is None else own.weight
        columns = dict(zip(self.plan.needs, own.needs, strict=True))
        rows = Rows(own.label, weight, np.full(n, self.day), n, columns)
        answer = np.ascontiguousarray(score.T) if self.plan.task is Task.MULTICLASS else score[0]
        for metric in self.plan.tellers:
            out |= {term: value for term, value in metric.terms(rows, answer).items() if term not in self.plan.formulas}
        missing = set(self.plan.carried.terms) - set(self.plan.formulas) - out.keys()
        if missing:
            raise LookupError(f"no metric computed the terms {sorted(missing)} it carries")
        return out


def floats(piece: pa.Table, names: Sequence[str]) -> Floats:
    """(len(names), n) float64, null = NaN; one column without nulls is not copied."""
    each: list[Floats] = [piece.column(name).to_numpy().astype(np.float64, copy=False) for name in names]
    if len(each) == 1:
        return each[0].reshape(1, -1)
    return np.stack(each) if each else np.zeros((0, piece.num_rows))


def _fine(score: Floats, task: Task) -> Mask:
    fine = np.isfinite(score) if task is Task.REGRESSION else np.logical_and(score >= 0, score <= 1)
    return np.asarray(fine.all(axis=0) if len(fine) > 1 else fine[0])


def _check(labels: Floats, plan: Plan, weight: Floats | None) -> None:
    if weight is not None and not (weight > 0).all():
        raise BatchError("Weights must be positive.", "a weight that is not.", "correct the weight column.")
    classes = {Task.BINARY: 2, Task.MULTICLASS: plan.classes}.get(plan.task)
    if classes is None:
        return
    if (wrong := kernel.first_wrong(labels, classes)) >= 0:
        raise BatchError(
            f"A {plan.task.value} label must be a whole number from 0 to {classes - 1}.",
            f"{labels[wrong]:g}.",
            "correct the label, or add the class to the policy.",
        )
