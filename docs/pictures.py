"""Draws docs/images/staleness.png: what the trigger `cost` makes of noisy days. Run: python docs/pictures.py

An invented champion: fresh for twenty days, then the world turns and it loses 1.2 points. The days are drawn with the
noise of 1,000 labels; estimate, S and the decision are the product's own functions.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from continual.core.forecast import forecast
from continual.core.prices import Prices
from continual.core.staleness import excess
from continual.core.trigger_evidence import DayGain, TriggerEvidence
from continual.plots.style import BLUE, INK, RED, figure, legend, plain

START, TURN, NOISE, LAST = datetime(2024, 1, 1, tzinfo=UTC), 20, 0.013, 60
IMAGE = Path(__file__).parent / "images" / "staleness.png"


def days(until: int) -> tuple[DayGain, ...]:
    """Measured by `until`, labels a day late, a shadow a week."""
    rng = np.random.default_rng(3)
    gains = [(0.012 if day >= TURN else 0.0) + rng.normal(0, NOISE) for day in range(LAST)]
    return tuple(
        DayGain(
            f"{START + timedelta(days=d):%Y-%m-%d}",
            d + 0.5,
            1000,
            1000,
            None,
            None,
            None,
            None,
            gains[d],
            NOISE,
            f"s{d // 7}",
        )
        for d in range(7, until - 1)
    )


def evidence(day: int) -> TriggerEvidence:
    """As of that day; nobody has retrained since the champion."""
    prices = Prices(bad_day=0.0)
    return TriggerEvidence(
        as_of=START + timedelta(days=day), last_retrain=START, new_labels=0, has_champion=True, champion="1",
        age=float(day), reigning=float(day), prices=prices, volume=1000.0, days=days(day),
    )  # fmt: skip


def main() -> None:
    looks = np.arange(8, 38)
    found = [forecast(evidence(int(day))) for day in looks]
    lost = np.array([one.lost for one in found if one])
    cost = next(one.cost for one in found if one)
    due = int(looks[np.argmax(lost >= cost)])
    made, axes = figure(8, 5)
    axes.remove()
    above, below = made.subplots(2, 1, sharex=True)
    plain(above)
    plain(below)
    at = np.arange(1.0, due + 1)
    told = excess(evidence(due), at)
    half = 1.96 * np.sqrt(np.diag(told.covariance))
    known = days(due)
    above.plot([d.age for d in known], [100 * (d.gain or 0) for d in known], ".", color=INK, label="a day, as measured")
    above.fill_between(at, told.mean - half, told.mean + half, color=BLUE, alpha=0.2, linewidth=0)
    above.plot(at, told.mean, color=BLUE, label="estimated excess, 95%")
    above.step([0, TURN, due], [0, 1.2, 1.2], where="post", color=RED, linestyle="--", label="truth")
    above.set(ylabel="points lost to a fresh model")
    legend(above, loc="upper left")
    below.plot(looks, lost, color=BLUE, label="S, lost since the last retrain")
    below.axhline(cost, color=INK, linestyle=":", label="price of a retrain")
    below.axvline(due, color=RED, linewidth=1)
    below.annotate(f"retrain, day {due}", (due, 0), xytext=(4, 4), textcoords="offset points", color=RED, fontsize=9)
    below.set(xlabel="days since the champion was trained", ylabel="point-days")
    legend(below, loc="upper left")
    made.savefig(IMAGE, dpi=130, facecolor="white")


if __name__ == "__main__":
    main()
