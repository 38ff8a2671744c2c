"""Rows that two versions scored -> the streams a monitor reads: by slice and day, weighted where labels were chosen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from continual.core.alarm import PairedStream
from continual.core.slices import Slice, masks
from continual.core.stats.dependence import DaySums, day_sums
from continual.errors import ContinualError
from continual.flows.judged_rows import judged_rows
from continual.flows.measure import labelled
from continual.flows.weights import inclusion
from continual.flows.workspace import Workspace
from continual.policy.windows import retrain_windows

if TYPE_CHECKING:
    import pandas as pd

    from continual.stores.champions import Reign

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Before = Mapping[str, tuple[DaySums, ...]]


@dataclass(frozen=True)
class Losses:
    """frame: (n, ...) labelled rows. excess: (n,) champion's loss minus the previous version's. weights: slice -> (n,)
    weights in (0, 1], see `PairedStream`; None where no label was chosen."""

    frame: pd.DataFrame
    excess: Floats
    weights: Mapping[str, Floats] | None = None

    def only(self, keep: Bools) -> Losses:
        """The rows under the mask (n,)."""
        weights = None if self.weights is None else {name: w[keep] for name, w in self.weights.items()}
        return Losses(self.frame[keep].reset_index(drop=True), self.excess[keep], weights)

    def of(self, name: str) -> Floats:
        """(n,) weights of a slice."""
        return np.ones(len(self.excess)) if self.weights is None else self.weights[name]


def weights(frame: pd.DataFrame, slices: Sequence[Slice]) -> dict[str, Floats] | None:
    """slice -> (N,) least chance of a label among the slice's rows of the day, labelled or not, over the row's own;
    None without a draw. The least must not depend on which rows were chosen, or the weighted mean leans."""
    chance = inclusion(frame)
    if chance is None:
        return None
    _, day = np.unique(_days(frame), return_inverse=True)
    out = {}
    for name, inside in masks(slices, frame).items():
        least = np.ones(int(day.max(initial=-1)) + 1)
        np.minimum.at(least, day[inside], chance[inside])
        out[name] = np.minimum(least[day] / chance, 1.0)
    return out


def streams(losses: Losses, slices: Sequence[Slice], before: Before | None = None) -> list[PairedStream]:
    """One stream per slice, rows grouped by UTC day."""
    names, day = np.unique(losses.frame["event_time"].to_numpy("datetime64[D]"), return_inverse=True)
    inside = masks(slices, losses.frame)
    out = []
    for item in slices:
        use = np.flatnonzero(inside[item.name])
        if np.any(np.diff(day[use]) < 0):
            use = use[np.argsort(day[use], kind="stable")]
        seen, first = np.unique(day[use], return_index=True)
        weight = None if losses.weights is None else _split(losses.weights[item.name][use], first)
        days, parts = tuple(str(names[i]) for i in seen), _split(losses.excess[use], first)
        out.append(PairedStream(item.name, item.tier, days, parts, weight, (before or {}).get(item.name, ())))
    return out


def _split(values: Floats, first: npt.NDArray[np.intp]) -> tuple[Floats, ...]:
    return tuple(np.split(values, first[1:])) if len(first) else ()


def _days(frame: pd.DataFrame) -> npt.NDArray[np.int64]:
    return frame["event_time"].to_numpy("datetime64[D]").astype(np.int64)


def days_before(ws: Workspace, reign: Reign, previous: str, slices: Sequence[Slice]) -> Before:
    """The days on which the gate compared the two versions, known when this reign began; measured once and kept in the
    ledger, since scoring them again at every look would cost more than the look. Empty where they cannot be scored."""
    key = f"paired_days:{reign.seq}:{reign.version}:{previous}"
    entry = ws.ledger.get(key)
    if entry is None:
        found, reason = _measured_before(ws, reign, previous, slices)
        record = {"champion": reign.version, "previous": previous, "days": found}
        entry = ws.ledger.append("paired_days", key, reign.as_of, reason, record, ws.loaded.hash, ws.run)
    return {name: tuple(DaySums(*day) for day in days) for name, days in entry.evidence["days"].items()}


def _measured_before(
    ws: Workspace, reign: Reign, previous: str, slices: Sequence[Slice]
) -> tuple[dict[str, list[list[float]]], str]:
    try:
        window = retrain_windows(ws.policy, reign.as_of).evaluation
        rows = judged_rows(ws, reign.version, previous, window, reign.as_of)
    except ContinualError as error:
        return {}, f"no day before the promotion compares versions {reign.version} and {previous}: {error}"
    use = labelled(rows.kept)
    label, ours, theirs = rows.kept["label"].to_numpy(dtype=float, na_value=np.nan)[use], rows.ours[use], rows.theirs
    excess = np.full(len(use), np.nan)
    if theirs is not None and use.any():
        excess[use] = ws.policy.label.target.excess(ours, theirs[use], label)
    found = Losses(rows.kept, excess, weights(rows.kept, slices)).only(use)
    days = _aligned(streams(found, slices))
    said = f"{int(use.sum()):,} rows of {window} say how much rows of a day move together"
    return days, f"{said}, versions {reign.version} and {previous}"


def _aligned(found: Sequence[PairedStream]) -> dict[str, list[list[float]]]:
    """Every slice on the same days, n = 0 where it has no rows: slices of one day are read beside each other."""
    calendar, out = sorted({day for stream in found for day in stream.days}), {}
    for stream in found:
        sums = {day: list(day_sums(rows)) for day, rows in zip(stream.days, _bets(stream), strict=True) if len(rows)}
        out[stream.slice] = [sums.get(day, [0.0, 0.0, 0.0]) for day in calendar]
    return out


def _bets(stream: PairedStream) -> list[Floats]:
    weight = stream.weight or tuple(np.ones(len(rows)) for rows in stream.excess)
    return [rows * w for rows, w in zip(stream.excess, weight, strict=True)]
