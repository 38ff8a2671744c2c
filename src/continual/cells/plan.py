"""What a set of cells holds: the slices, what the metrics carry, the bins of the score."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from continual.cells.bins import ScoreBins
from continual.cells.block import FORMAT
from continual.core.canonical import digest
from continual.core.cells import ONE, Carried, Formula
from continual.core.slices import SliceSpec
from continual.metrics.base import Metric, Task, carried_by

#: Pairs of versions are called by both names.
PAIR = "~"


@dataclass(frozen=True)
class Plan:
    """specs: slices besides `overall`. resolution: score bins of a binary model. classes: K of a multiclass model.
    projections: name and expression of the computed columns."""

    specs: tuple[SliceSpec, ...]
    metrics: tuple[Metric, ...]
    task: Task = Task.BINARY
    resolution: Any = 256
    classes: int = 0
    projections: tuple[tuple[str, str], ...] = ()

    @cached_property
    def carried(self) -> Carried:
        """Union of what the metrics need, each part sorted; `one` is left out of the terms."""
        found = carried_by(self.metrics)
        return replace(found, terms=tuple(sorted({*found.terms} - {ONE})), products=tuple(sorted(found.products)))

    @cached_property
    def formulas(self) -> dict[str, Formula]:
        """Terms that need no metric: those that the first metric that carries them has a formula for."""
        out: dict[str, Formula | None] = {}
        for own in (metric.carried() for metric in self.metrics if self.task is Task.BINARY):
            for term in own.terms if own else ():
                out.setdefault(term, own.formulas.get(term) if own else None)
        return {term: formula for term, formula in out.items() if formula}

    @cached_property
    def tellers(self) -> tuple[Metric, ...]:
        """Metrics that compute the other terms: each term by the first that carries it."""
        missing, out = set(self.carried.terms) - set(self.formulas), []
        for metric in self.metrics:
            own = metric.carried()
            if own is not None and not missing.isdisjoint(own.terms):
                out.append(metric)
                missing -= set(own.terms)
        return tuple(out)

    @cached_property
    def kept(self) -> dict[Any, Any]:
        """What follows from the plan and is made once for all days, by whoever makes it."""
        return {}

    @cached_property
    def bins(self) -> ScoreBins:
        return ScoreBins(self.resolution, self.carried.thresholds)

    @cached_property
    def shape(self) -> tuple[int, int] | None:
        """(L, B) of the counts; None where no metric needs them or the label is a number."""
        if not self.carried.counts or self.task is Task.REGRESSION:
            return None
        return (2, len(self.bins)) if self.task is Task.BINARY else (self.classes, self.classes)

    @cached_property
    def needs(self) -> tuple[str, ...]:
        """Logged columns the metrics read, sorted."""
        return tuple(sorted({name for metric in self.metrics for name in metric.needs}))

    @cached_property
    def layout(self) -> str:
        """Hash of everything that decides what the cells of a day are. Which slices are listed (`top`, `min_rows`),
        their tier and parent are decided when they are read, so changing them re-uses the cells."""
        cut = [spec.model_dump(include={"name", "where", "by", "cross", "bins"}, mode="json") for spec in self.specs]
        carried = [self.carried.terms, self.carried.products, self.carried.counts]
        return digest([FORMAT, cut, carried, self.bins.as_dict(), self.task.value, self.classes, self.projections])[:32]


def pair_name(candidate: str, champion: str) -> str:
    """Name of the cells of two versions' differences."""
    return f"{candidate}{PAIR}{champion}"


def pairs_of(versions: Sequence[str]) -> list[tuple[str, str]]:
    """Every version with every later one."""
    return [(a, b) for i, a in enumerate(versions) for b in versions[i + 1 :]]
