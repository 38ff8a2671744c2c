"""The labelled rows a training window offers, or the reason why it offers none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from continual.core.window import Window, utc
from continual.errors import NotEnoughData
from continual.flows.measure import labelled
from continual.flows.unlabelled import first
from continual.flows.workspace import Workspace
from continual.policy.training_window import InfluenceCap, TrainingWindow, WindowPolicy

if TYPE_CHECKING:
    import pandas as pd

    from continual.policy.models import Policy

Floats = npt.NDArray[np.float64]
Instants = npt.NDArray[np.datetime64]
#: Days that are read at a time.
PART = timedelta(days=2)
#: Column of a dataset with what its rows weigh in training; absent = all the same.
WEIGHT = "sample_weight"
_CAP_SEED = 62


@dataclass(frozen=True)
class TrainingRows:
    """frame: (n, ...) labelled rows of the window by record key. unlabelled: (m,) instants of the others, datetime64.
    left_out: sentences on rows that may not train. spare: (k, ...) of the unlabelled rows, in a fixed random order."""

    frame: pd.DataFrame
    unlabelled: Instants = field(default_factory=lambda: np.zeros(0, dtype="datetime64[us]"))
    left_out: tuple[str, ...] = ()
    spare: pd.DataFrame | None = None

    @property
    def coverage(self) -> float:
        """Share with a label; NaN without rows."""
        n = len(self.frame) + len(self.unlabelled)
        return len(self.frame) / n if n else np.nan

    def within(self, window: Window) -> TrainingRows:
        """Those of a part of the window."""
        start, end = _instant(window.start), _instant(window.end)
        others = (self.unlabelled >= start) & (self.unlabelled < end)
        spare = None if self.spare is None else _inside(self.spare, window)
        return TrainingRows(_inside(self.frame, window), self.unlabelled[others], self.left_out, spare)


def read(
    ws: Workspace, window: Window, as_of: datetime, snapshots: Mapping[str, int] | None = None, spare: int = 0
) -> TrainingRows:
    """What was logged and labelled by `as_of`. Rows that ingest set aside were never logged; those that a quarantined
    version served are left out if the policy says so. A part of the days at a time: held are the labelled rows, and of
    the others the first `spare` in the order of `unlabelled.first`."""
    import pandas as pd

    bad: dict[str, int] = {}
    if ws.policy.window.leave_out_quarantined_models:
        bad = {found.version: 0 for found in ws.versions.versions(state="quarantined")}
    frames, others = [], []
    held: pd.DataFrame | None = None
    for part in ws.log.read_labelled_parts(_parts(window), as_of, _columns(ws.policy), snapshots):
        served = part["model_version"].isin(list(bad)).to_numpy(dtype=bool)
        for version, n in part.loc[served, "model_version"].value_counts().items():
            bad[str(version)] += int(n)
        known = labelled(part)
        frames.append(part[known & ~served])
        rest = part[~known & ~served]
        others.append(rest["event_time"].to_numpy(dtype="datetime64[us]"))
        held = first(rest if held is None else pd.concat([held, rest]), spare, ws.policy.seed) if spare else None
    full = [frame for frame in frames if len(frame)] or frames[:1]
    rows = pd.concat(full).sort_values("record_key", ignore_index=True)
    return TrainingRows(rows, np.concatenate(others), _said(bad), _spared(ws.policy.window.influence, held))


def _inside(frame: pd.DataFrame, window: Window) -> pd.DataFrame:
    time = frame["event_time"]
    return frame[(time >= window.start) & (time < window.end)].reset_index(drop=True)


def _columns(policy: Policy) -> list[str]:
    """What a retrain may read of a logged row."""
    by = [policy.window.influence.by] if policy.window.influence else []
    own = ["record_key", "event_time", "model_version"]
    return list(dict.fromkeys([*own, *policy.columns, *policy.primary.needs, *by]))


def _parts(window: Window) -> list[Window]:
    """PART days each, in order."""
    edges = [window.start + n * PART for n in range(-((window.start - window.end) // PART))]
    return [Window(start, min(start + PART, window.end)) for start in edges]


def _said(bad: Mapping[str, int]) -> tuple[str, ...]:
    versions = ", ".join(sorted(version for version, n in bad.items() if n))
    if not versions:
        return ()
    return (f"{sum(bad.values()):,} rows left out: quarantined version {versions} served them",)


def _instant(value: datetime) -> np.datetime64:
    return np.datetime64(utc(value).replace(tzinfo=None))


def usable(policy: WindowPolicy, rows: TrainingRows, window: Window) -> pd.DataFrame:
    """The labelled ones, of each source as many as `influence` allows (s62).

    Raises
    ------
    NotEnoughData: too few, too small a share with a label, too few sources, or a hole in the window (s7).
    """
    pool = _bounded(policy.influence, rows.frame)
    _check_number(policy, pool, window, rows.left_out)
    _check_coverage(policy, rows.coverage, window)
    _check_holes(policy, pool, window)
    return pool


def _bounded(cap: InfluenceCap | None, pool: pd.DataFrame) -> pd.DataFrame:
    if cap is None or pool.empty:
        return pool
    kept = _within(cap, pool)
    if kept is None:
        raise NotEnoughData(
            f"No source may have more than {cap.share:.0%} of the training rows (window.influence).",
            f"{pool[cap.by].nunique(dropna=False)} of {cap.by}, the largest with "
            f"{pool[cap.by].value_counts(normalize=True, dropna=False).iloc[0]:.0%}.",
            "wait for rows of other sources, or raise window.influence.share.",
        )
    return pool[kept].reset_index(drop=True)


def _within(cap: InfluenceCap, pool: pd.DataFrame) -> npt.NDArray[np.bool_] | None:
    """(n,) which rows of a source stay, a function of their keys alone; None = no part of them holds the cap."""
    from continual.core.influence import within_share
    from continual.samplers._designs import keyed_uniform

    source = pool[cap.by].astype(object).where(pool[cap.by].notna(), "(none)").to_numpy(dtype=object)
    return within_share(source, keyed_uniform(pool["record_key"].to_numpy(dtype=object), _CAP_SEED), cap.share)


def _spared(cap: InfluenceCap | None, spare: pd.DataFrame | None) -> pd.DataFrame | None:
    """Rows without a label under the same cap; where no part of them holds it, none."""
    if cap is None or spare is None or spare.empty:
        return spare
    kept = _within(cap, spare)
    return spare.iloc[:0] if kept is None else spare[kept].reset_index(drop=True)


def weights(policy: WindowPolicy, choice: TrainingWindow, rows: pd.DataFrame, end: datetime) -> Floats | None:
    """(n,) of training rows: 2^(-age / half_life), age before `end`; times 1 / probability if the policy says so; the
    mean of those with a label is 1. None = all the same. rows: event_time, label and probability. A row without a label
    stands for itself alone, whatever the chance of the others was."""
    weight, known = np.ones(len(rows)), labelled(rows)
    if choice.half_life is not None:
        age = np.datetime64(end.replace(tzinfo=None)) - rows["event_time"].to_numpy("datetime64[us]")
        weight = np.exp2(-age.astype("timedelta64[us]").astype(float) / (1e6 * choice.half_life.total_seconds()))
    if policy.weigh_by_probability:
        weight = weight / np.where(known, rows["probability"].to_numpy(dtype=float), 1.0)
    if not known.any() or np.ptp(weight) == 0:
        return None
    return np.asarray(weight / weight[known].mean())


def _check_number(policy: WindowPolicy, pool: pd.DataFrame, window: Window, left_out: tuple[str, ...]) -> None:
    if len(pool) < policy.min_rows:
        raise NotEnoughData(
            f"Training needs at least {policy.min_rows:,} labelled rows (window.min_rows).",
            "; ".join([f"{len(pool):,} in {window}", *left_out]) + ".",
            "wait for labels, widen window.length or lower window.min_rows.",
        )


def _check_coverage(policy: WindowPolicy, coverage: float, window: Window) -> None:
    if coverage < policy.min_coverage:
        raise NotEnoughData(
            f"Of the training window's rows {policy.min_coverage:.0%} must have a label (window.min_coverage).",
            f"{coverage:.1%} in {window}.",
            "wait for labels, look for what holds them up (`continual labels`), or lower window.min_coverage.",
        )


def _check_holes(policy: WindowPolicy, pool: pd.DataFrame, window: Window) -> None:
    times = np.sort(np.r_[_instant(window.start), pool["event_time"].to_numpy("datetime64[us]")])
    hole = np.diff(np.r_[times, _instant(window.end)])
    widest = int(hole.argmax())
    if hole[widest] > np.timedelta64(policy.max_hole):
        raise NotEnoughData(
            f"The training window must have no gap longer than {policy.max_hole} (window.max_hole).",
            f"{hole[widest].astype('timedelta64[h]')} after {str(times[widest])[:16]}Z.",
            "ingest the missing days or replay their quarantined batches, then start the retrain again.",
        )
