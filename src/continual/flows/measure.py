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
    """The labelled rows of `frame` under the mask `where`; n counts the unlabelled too. needs: columns to go along."""
    use = where & labelled(frame)
    day = frame["event_time"].to_numpy(dtype="datetime64[D]").astype(np.int64)
    return Rows(
        y=frame["label"].to_numpy(dtype=float, na_value=np.nan)[use],
        weight=np.ones(int(use.sum())),
        day=day[use],
        n=int(where.sum()),
        columns={name: frame[name].to_numpy(dtype=float, na_value=np.nan)[use] for name in needs},
    )


def measure(
    frame: pd.DataFrame,
    slices: Sequence[Slice],
    metrics: Sequence[Metric],
    candidate: Floats,
    champion: Floats | None,
) -> tuple[SliceEvidence, ...]:
    """Every metric on every slice, both models on identical rows.

    frame: (n, ...) with label (null = unknown) and event_time. candidate, champion: (n,) scores.
    """
    inside, known = masks(slices, frame), labelled(frame)
    needs = {name for metric in metrics for name in metric.needs}
    out = []
    for item in slices:
        rows = rows_in(frame, inside[item.name], needs)
        use = inside[item.name] & known
        scores = (candidate[use], None if champion is None else champion[use])
        evidence = tuple(_one(metric, rows, *scores) for metric in metrics)
        out.append(SliceEvidence(item.name, item.tier, item.parent, evidence))
    return tuple(out)


def _one(metric: Metric, rows: Rows, candidate: Floats, champion: Floats | None) -> MetricEvidence:
    return MetricEvidence(
        metric=metric.name,
        priority=metric.priority,
        candidate=metric.estimate(rows, candidate),
        champion=None if champion is None else metric.estimate(rows, champion),
        comparison=None if champion is None else metric.compare(rows, candidate, champion),
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
