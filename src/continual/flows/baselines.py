"""Majority (or mean) and persistence on the rows that judge a candidate, measured with every candidate."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from continual.core.baselines import Baseline, persistent, usual, usual_name
from continual.core.verdict import OVERALL, SliceEvidence
from continual.core.window import Window
from continual.flows.measure import labelled, rows_in
from continual.flows.workspace import Workspace

if TYPE_CHECKING:
    from datetime import datetime

    import pandas as pd

    from continual.core.estimate import Estimate
    from continual.flows.judged_rows import JudgedRows
    from continual.metrics.base import Metric

#: Before the judged rows, besides the lag: where the last known label of the first of them is looked for.
BEFORE = timedelta(days=7)


def baselines(
    ws: Workspace, rows: JudgedRows, found: Sequence[SliceEvidence], window: Window, as_of: datetime
) -> list[Baseline]:
    """Every metric of the policy over all rows; [] without a labelled one or without rows to learn the usual from.

    found: what the models did on the same rows.
    """
    frame, target = rows.kept, ws.policy.label.target
    use = labelled(frame)
    learnt = rows.trained[0]["label"].to_numpy(dtype=float) if rows.trained else np.empty(0)
    learnt = learnt[np.isfinite(learnt)]
    if not use.any() or not len(learnt):
        return []
    own = frame[use]
    constant = usual(target, learnt, len(own))
    answers = {usual_name(target): constant, "persistence": _last_known(ws, own, window, as_of, constant)}
    models, out = _overall(found), []
    for metric in ws.policy.metrics:
        judged = rows_in(frame, np.ones(len(frame), dtype=bool), metric.needs)
        for name, answer in answers.items():
            value = metric.estimate(judged, answer).value
            candidate, champion = models.get(metric.name, (None, None))
            out.append(Baseline(name, metric.name, _sign(metric), value, candidate, champion))
    return out


def _sign(metric: Metric) -> int:
    return 1 if metric.higher_is_better else -1


def _overall(found: Sequence[SliceEvidence]) -> dict[str, tuple[float | None, float | None]]:
    """metric -> (candidate, champion) on all rows."""
    overall = next((s for s in found if s.slice == OVERALL), None)
    if overall is None:
        return {}
    return {m.metric: (_value(m.candidate), _value(m.champion)) for m in overall.metrics}


def _value(found: Estimate | None) -> float | None:
    return found.value if found is not None else None


def _last_known(ws: Workspace, own: pd.DataFrame, window: Window, as_of: datetime, other: Any) -> Any:
    """As the label of the newest row that was labelled when the row was predicted."""
    wide = Window(window.start - ws.policy.label.lag - BEFORE, window.end)
    told = ws.log.read_labelled(wide, as_of, ["record_key", "event_time"])
    told = told[told["label"].notna()]
    events, known = (told[name].to_numpy("datetime64[us]") for name in ("event_time", "label_known_at"))
    at = own["event_time"].to_numpy("datetime64[us]")
    return persistent(ws.policy.label.target, at, told["label"].to_numpy(dtype=float), events, known, other)


def metrics_of(found: Sequence[Baseline]) -> dict[str, float]:
    """MLflow metric name -> value, `roc_auc/baseline_majority`."""
    return {f"{b.metric}/baseline_{b.name}": b.value for b in found if b.value is not None}


def read_back(record: dict[str, Any]) -> list[Baseline]:
    """Of an evaluation's evidence; [] of one of an earlier release."""
    return [Baseline(**one) for one in record.get("baselines", ())]


def sentences(found: Sequence[Baseline], primary: str) -> Iterator[str]:
    """Of the primary metric, for people."""
    for one in found:
        if one.metric == primary and one.value is not None:
            yield f"{one.name} {one.value:.4g}" + (", which the model does not beat" if one.beats else "")
