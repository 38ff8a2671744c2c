"""Labelled rows and scores -> estimates and paired comparisons, on every slice."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from continual.core.slices import Slice, masks
from continual.core.verdict import MetricEvidence, SliceEvidence
from continual.core.window import Window
from continual.flows.weights import inclusion
from continual.metrics.base import Metric, Rows

if TYPE_CHECKING:
    import pandas as pd

    from continual.stores.evaluations import Evaluation

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


def labelled(frame: pd.DataFrame) -> Bools:
    """(n,) rows whose label is known."""
    return frame["label"].notna().to_numpy(dtype=bool)


def rows_in(frame: pd.DataFrame, where: Bools, needs: Iterable[str] = ()) -> Rows:
    """The labelled rows of `frame` under the mask `where`; n counts the unlabelled too. needs: columns to go along.

    Rows whose labels were chosen weigh 1 / their chance of a label (`weights.with_inclusion`): Hajek's estimate.
    """
    return _Table.read(frame, needs).rows(where)


@dataclass(frozen=True)
class _Table:
    """The columns of a frame that measuring reads, each converted once; all (n,)."""

    y: Floats
    known: Bools
    weight: Floats
    day: npt.NDArray[np.int64]
    columns: Mapping[str, Floats]

    @classmethod
    def read(cls, frame: pd.DataFrame, needs: Iterable[str]) -> _Table:
        chance = inclusion(frame)
        return cls(
            y=frame["label"].to_numpy(dtype=float, na_value=np.nan),
            known=labelled(frame),
            weight=np.ones(len(frame)) if chance is None else 1 / chance,
            day=frame["event_time"].to_numpy(dtype="datetime64[D]").astype(np.int64),
            columns={name: frame[name].to_numpy(dtype=float, na_value=np.nan) for name in needs},
        )

    def rows(self, where: Bools) -> Rows:
        use = np.flatnonzero(where & self.known)
        return Rows(
            y=self.y[use],
            weight=self.weight[use],
            day=self.day[use],
            n=int(where.sum()),
            columns={name: values[use] for name, values in self.columns.items()},
        )


def measure(
    frame: pd.DataFrame,
    slices: Sequence[Slice],
    metrics: Sequence[Metric],
    candidate: Floats,
    champion: Floats | None,
    noise: bool = False,
) -> tuple[SliceEvidence, ...]:
    """Every metric on every slice, both models on identical rows. noise: with what it takes to take wrong labels out.

    frame: (n, ...) with label (null = unknown) and event_time. candidate, champion: (n,) scores.
    """
    inside = masks(slices, frame)
    table = _Table.read(frame, {name for metric in metrics for name in metric.needs})
    out = []
    for item in slices:
        rows = table.rows(inside[item.name])
        use = np.flatnonzero(inside[item.name] & table.known)
        scores = (candidate[use], None if champion is None else champion[use])
        evidence = tuple(_one(metric, rows, *scores, noise=noise) for metric in metrics)
        out.append(SliceEvidence(item.name, item.tier, item.parent, evidence))
    return tuple(out)


def _one(metric: Metric, rows: Rows, candidate: Floats, champion: Floats | None, *, noise: bool) -> MetricEvidence:
    return MetricEvidence(
        metric=metric.name,
        priority=metric.priority,
        candidate=metric.estimate(rows, candidate),
        champion=None if champion is None else metric.estimate(rows, champion),
        comparison=None if champion is None else metric.compare(rows, candidate, champion),
        noise=metric.noise_terms(rows, candidate, champion) if noise and champion is not None else None,
    )


@dataclass(frozen=True)
class Occasion:
    """What a set of evaluations was made for. purpose: gate or monitor."""

    purpose: str
    window: Window
    as_of: datetime
    decision_key: str


def evaluations(evidence: Sequence[SliceEvidence], versions: Mapping[str, str], occasion: Occasion) -> list[Evaluation]:
    """Rows of the `evaluation` table. versions: 'candidate' and 'champion' -> model version."""
    from continual.stores.evaluations import Evaluation

    return [
        Evaluation(
            purpose=occasion.purpose,
            window=occasion.window,
            as_of=occasion.as_of,
            model_version=version,
            slice=item.slice,
            metric=found.metric,
            estimate=getattr(found, role),
            decision_key=occasion.decision_key,
        )
        for item in evidence
        for found in item.metrics
        for role, version in versions.items()
    ]
