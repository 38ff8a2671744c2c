"""Estimates while labels are few: label-free or from chosen labels, each scored once its window has settled.

They are an early warning beside the settled numbers: purpose `estimate`, never read by the gate. The method of each
names the estimator that the evidence allowed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from continual.core.canonical import plain
from continual.core.estimate import Estimate
from continual.core.slices import masks, resolve
from continual.core.verdict import OVERALL
from continual.core.window import Window, floor_day, utc
from continual.estimators._calibrate import Recalibration, recalibrate
from continual.estimators._choose import score_choice
from continual.flows import cells
from continual.flows.day_rows import LIVE
from continual.flows.logged import labelled_rows
from continual.flows.measure import measure
from continual.flows.surrogates import Served, estimated, label_free
from continual.flows.weights import inclusion, requests_of, with_inclusion
from continual.flows.workspace import Outcome, Workspace
from continual.policy.windows import matured_until

if TYPE_CHECKING:
    import pandas as pd

    from continual.stores.evaluations import Evaluation

PURPOSE, SCORED = "estimate", "estimates_scored"
#: A slice whose labels have come on this share of rows has settled: its value is the truth of earlier estimates.
SETTLED = 0.9
#: Matured days on which the served score is recalibrated.
PAST = timedelta(days=28)
RECORD_COLUMNS = ("method", "n", "covered", "mean_error", "mean_absolute_error", "mean_half_width")


def estimate(ws: Workspace, window: Window, as_of: datetime) -> Outcome:
    """Every metric on every slice of `window` from the labels that are there, with the served, recalibrated score for
    the rest; nothing is written for a window whose labels are all there.

    Labels that came by themselves before their time are left out: how early they come may depend on what they say.
    """
    as_of = utc(as_of)
    frame = _served_rows(ws, window, as_of)
    chosen = inclusion(frame) is not None
    if frame.empty or (not chosen and frame["label"].notna().mean() >= SETTLED):
        return Outcome(f"no estimate needed in {window}", {"written": 0})
    served = _served(ws, frame, as_of)
    fresh = list(_evaluations(ws, frame, served if chosen else label_free(served), window, as_of))
    written = ws.evaluations.write(ws.evaluations.changed(fresh))
    how = f"{int(np.isfinite(served.y).sum()):,} chosen labels" if chosen else "no labels: early warning only"
    return Outcome(f"{written:,} estimates of {window} from {how}", {"written": written})


def estimate_open(ws: Workspace, windows: list[Window], as_of: datetime) -> Outcome:
    """`estimate` for the days that have not matured, and for those of `windows` in which labels were chosen."""
    start, end = max(matured_until(ws.policy, as_of), floor_day(ws.policy.active.start)), floor_day(as_of)
    todo = [Window(start, end)] if start < end else []
    todo += [w for w in windows if w not in todo and requests_of(ws).any_in(w, as_of)]
    found = [estimate(ws, window, as_of) for window in todo]
    return Outcome("; ".join(f.reason for f in found), {"written": sum(f.data["written"] for f in found)})


def settled(ws: Workspace, window: Window, as_of: datetime) -> list[Evaluation] | None:
    """The live model's metrics with chosen labels weighted by 1 / their chance; None where no label was asked for, so
    that every row counts the same and cells say as much."""
    if not requests_of(ws).any_in(window, as_of):
        return None
    from continual.stores.evaluations import Evaluation

    frame = _served_rows(ws, window, as_of)
    slices, score = resolve(ws.policy.slices, frame), ws.policy.label.target.answers(frame)
    return [
        Evaluation("monitor", window, as_of, LIVE, item.slice, found.metric, found.candidate)
        for item in measure(frame, slices, ws.policy.metrics, score, None)
        for found in item.metrics
    ]


def score_estimates(ws: Workspace, as_of: datetime) -> Outcome:
    """Compare the estimates of every window that has matured since with what it settled at; one ledger entry of kind
    `estimates_scored` for each window. A slice whose labels never came has no truth and is not scored."""
    as_of = utc(as_of)
    end, oldest = matured_until(ws.policy, as_of), as_of - ws.policy.label.given_up_after - PAST
    windows = [w for w in ws.evaluations.windows(PURPOSE, LIVE) if oldest <= w.end <= end]
    said = [text for window in windows if (text := _score(ws, window, as_of))]
    return Outcome("; ".join(said) or "no estimate to score", {"windows": len(said)})


def estimate_record(ws: Workspace) -> pd.DataFrame:
    """How estimates fared, by method (kind of estimator): n, covered (share of 95% intervals that held the settled
    value), mean_error, mean_absolute_error (in half widths of the interval), mean_half_width (in the metric's unit)."""
    import pandas as pd

    scored = [one for entry in ws.ledger.entries(kind=SCORED) for one in entry.evidence["scores"]]
    rows = []
    for kind in sorted({one["method"] for one in scored}):
        own = [one for one in scored if one["method"] == kind]
        error = np.array([np.nan if one["error"] is None else one["error"] for one in own], dtype=float)
        half = [(one["high"] - one["low"]) / 2 for one in own]
        covered = float(np.mean([one["covered"] for one in own]))
        rows.append((kind, len(own), covered, _mean(error), _mean(np.abs(error)), float(np.mean(half))))
    return pd.DataFrame(rows, columns=list(RECORD_COLUMNS))


def _mean(values: Any) -> float:
    finite = values[np.isfinite(values)]
    return float(finite.mean()) if len(finite) else float("nan")


def _served_rows(ws: Workspace, window: Window, as_of: datetime) -> pd.DataFrame:
    """Rows with an answer, labelled as known by then, with the chance of a label where it was recorded."""
    frame = with_inclusion(ws, labelled_rows(ws, window, as_of), window, as_of)
    answers = ws.policy.label.target.answers(frame)
    use = np.isfinite(answers if answers.ndim == 1 else answers.sum(axis=1))
    return frame[use].reset_index(drop=True)


def _served(ws: Workspace, frame: pd.DataFrame, as_of: datetime) -> Served:
    target = ws.policy.label.target
    score = target.answers(frame)
    chance = None if target.task == "regression" else score
    if target.task == "binary":
        chance = _recalibration(ws, as_of)(score)
    return Served(
        y=frame["label"].to_numpy(dtype=float, na_value=np.nan),
        score=score,
        chance=chance,
        day=frame["event_time"].to_numpy(dtype="datetime64[D]").astype(np.int64),
        probability=inclusion(frame),
        columns={n: frame[n].to_numpy(dtype=float, na_value=np.nan) for m in ws.policy.metrics for n in m.needs},
    )


def _recalibration(ws: Workspace, as_of: datetime) -> Recalibration:
    """What matured labels say of the served score, from cells; the score as it is where there are none."""
    end = matured_until(ws.policy, as_of)
    start = max(end - PAST, floor_day(ws.policy.active.start))
    found = cells.read(ws, [LIVE], Window(start, end), as_of).get(LIVE) if start < end else None
    if found is None or found.counts is None or found.center is None:
        return Recalibration()
    counts = found.counts[:, found.slices.index(OVERALL)].astype(float).sum(axis=0)
    return recalibrate(found.center, counts[1], counts[0])


def _evaluations(
    ws: Workspace, frame: pd.DataFrame, served: Served, window: Window, as_of: datetime
) -> Iterator[Evaluation]:
    from continual.stores.evaluations import Evaluation

    slices = resolve(ws.policy.slices, frame)
    inside = masks(slices, frame)
    for item in slices:
        for metric in ws.policy.metrics:
            found = estimated(metric, served, inside[item.name], "window")
            yield Evaluation(PURPOSE, window, as_of, LIVE, item.name, metric.name, found)


def _score(ws: Workspace, window: Window, as_of: datetime) -> str | None:
    key = f"{SCORED}:{window.start.isoformat()}:{window.end.isoformat()}"
    if ws.ledger.get(key) is not None:
        return None
    truth = {name: value for name, value in _truth(ws, window, as_of)}
    made = ws.evaluations.read(window, as_of, purpose=PURPOSE, model_version=LIVE)
    made = made[(made["window_start"] == window.start) & (made["window_end"] == window.end)]
    scores = [one for row in made.to_dict("records") if (one := _one(row, truth))]
    if not scores:
        return None
    held = sum(one["covered"] for one in scores)
    reason = f"estimates of {window}: {held} of {len(scores)} intervals held what it settled at"
    ws.ledger.append(SCORED, key, as_of, reason, {"window": window.as_dict(), "scores": scores}, ws.loaded.hash, ws.run)
    return reason


def _truth(ws: Workspace, window: Window, as_of: datetime) -> Iterator[tuple[tuple[str, str], float]]:
    """(slice, metric) -> value, where nearly all labels have come."""
    found = cells.read(ws, [LIVE], window, as_of).get(LIVE)
    if found is None:
        return
    for metric in ws.policy.metrics:
        for name, value in zip(found.slices, metric.from_cells(found), strict=True):
            if value.value is not None and (value.coverage or 0.0) >= SETTLED:
                yield (name, metric.name), value.value


def _one(row: dict[Any, Any], truth: dict[tuple[str, str], float]) -> dict[str, Any] | None:
    """How one estimate fared; None: it was undefined, or nothing is known better."""
    settled_at, kind = truth.get((row["slice"], row["metric"])), re.search(r"chosen: (\w+)", row["method"])
    if settled_at is None or kind is None or np.isnan(row["value"]):
        return None
    made = Estimate(row["value"], row["low"], row["high"], row["n"], row["n_labelled"], row["method"])
    score = score_choice(made, settled_at)
    if score is None:
        return None
    told = {"slice": row["slice"], "metric": row["metric"], "method": kind[1], "as_of": row["as_of"].isoformat()}
    numbers = {"value": made.value, "low": made.low, "high": made.high, "truth": settled_at}
    error = score.error if np.isfinite(score.error) else None
    return {**told, **plain(numbers), "covered": score.covered, "error": error}
