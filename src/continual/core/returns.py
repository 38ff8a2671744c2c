"""What retraining brought in sum, and how good its forecasts were."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Returns:
    """Sums over retrains whose prices are in `unit` (the newest one's; others are `other_unit` many).

    retrains, promoted, rejected, waiting: how many; waiting = promoted, labels not matured. cost: of all of them.
    scored: promoted ones whose gain was measured. gain: their measured worth, 0 for rejected ones. forecast: sum of the
    forecasts of the scored ones that had one. measured: their measured worth, to compare with. covered: share of them
    whose forecast interval and measured interval overlap; bias: mean of measured - forecast; None without one.
    """

    unit: str
    retrains: int
    promoted: int
    rejected: int
    waiting: int
    scored: int
    cost: float
    gain: float
    compared: int
    forecast: float
    measured: float
    covered: float | None
    bias: float | None
    other_unit: int

    @property
    def net(self) -> float:
        return self.gain - self.cost

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "net": self.net}


def returns(rows: Iterable[Mapping[str, Any]]) -> Returns:
    """rows: of the table `retrain_result`, oldest first; undefined numbers are None."""
    everything = list(rows)
    unit = str(everything[-1]["unit"]) if everything else ""
    own = [row for row in everything if row["unit"] == unit]
    promoted = [row for row in own if row["outcome"] == "promoted"]
    scored = [row for row in promoted if row["gain"] is not None]
    pairs = [row for row in scored if row["forecast"] is not None]
    off = [row["gain"] - row["forecast"] for row in pairs]
    return Returns(
        unit=unit,
        retrains=len(own),
        promoted=len(promoted),
        rejected=sum(row["outcome"] == "rejected" for row in own),
        waiting=len(promoted) - len(scored),
        scored=len(scored),
        cost=float(sum(row["cost"] for row in own)),
        gain=float(sum(row["gain"] for row in scored)),
        compared=len(pairs),
        forecast=float(sum(row["forecast"] for row in pairs)),
        measured=float(sum(row["gain"] for row in pairs)),
        covered=float(np.mean([_overlap(row) for row in pairs])) if pairs else None,
        bias=float(np.mean(off)) if off else None,
        other_unit=len(everything) - len(own),
    )


def _overlap(row: Mapping[str, Any]) -> bool:
    """Two 95% intervals, of the forecast and of what was measured."""
    return bool(row["forecast_low"] <= row["gain_high"] and row["gain_low"] <= row["forecast_high"])


def sentences(told: Returns) -> list[str]:
    """The sums, for people."""
    out = [
        f"{told.retrains} retrains: {told.promoted} promoted, {told.waiting} of them wait for labels, {told.rejected} "
        "rejected; "
        f"measured gain {told.gain:.3g}, cost {told.cost:.3g}, net {told.net:+.3g} {told.unit}"
    ]
    if told.compared and told.covered is not None and told.bias is not None:
        out.append(
            f"{told.compared} forecasts were measured: {told.forecast:.3g} forecast, {told.measured:.3g} came "
            f"({told.bias:+.3g} on average); the intervals of {told.covered:.0%} meet"
        )
    if told.other_unit:
        out.append(f"{told.other_unit} older retrains are in another unit and not summed")
    return out
