"""Draws docs/images/evidence.png: noisy days, and the evidence that grows out of them. Run: python docs/evidence.py

An invented slice of 200 labels a day in which the two versions differ on 8% of the rows. On day 60 the champion begins
to err 3 points more often. Bets and evidence are the product's own functions.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from continual.core.stats.eprocess import log_factor, shiryaev_roberts
from continual.plots.style import BLUE, INK, RED, figure, legend, plain

ROWS, DIFFER, BREAK, LOSS, LAST = 200, 0.08, 60, 0.03, 90
#: Looks a year over the level of this slice's alarm.
NEEDED = np.log10(365 / 0.05)
IMAGE = Path(__file__).parent / "images" / "evidence.png"


def days() -> list[np.ndarray]:
    """Excess losses of each day's rows: 1 = only the champion errs, -1 = only the previous version does."""
    rng = np.random.default_rng(5)
    found = []
    for day in range(LAST):
        lean = LOSS / 2 if day >= BREAK else 0.0
        shares = [DIFFER / 2 - lean, 1 - DIFFER, DIFFER / 2 + lean]
        found.append(rng.choice([-1.0, 0.0, 1.0], ROWS, p=shares))
    return found


def main() -> None:
    rows = days()
    path = np.array(shiryaev_roberts([log_factor(day) for day in rows])) / np.log(10)
    alarm = int(np.argmax(path >= NEEDED))
    made, axes = figure(8, 5)
    axes.remove()
    above, below = made.subplots(2, 1, sharex=True)
    plain(above)
    plain(below)
    means = [100 * day.mean() for day in rows]
    above.plot(range(alarm + 1), means[: alarm + 1], ".", color=INK, label="a day: points the champion loses more")
    above.step([0, BREAK, alarm], [0, 100 * LOSS, 100 * LOSS], where="post", color=RED, linestyle="--", label="truth")
    above.axhline(0, color=INK, linewidth=0.6)
    above.set(ylabel="points")
    legend(above, loc="upper left")
    below.plot(range(alarm + 1), path[: alarm + 1], color=BLUE, label="evidence, powers of ten")
    below.axhline(NEEDED, color=INK, linestyle=":", label="alarm: 365 looks / 5%")
    below.axvline(alarm, color=RED, linewidth=1)
    below.annotate(f"day {alarm}", (alarm, 0), xytext=(-40, 6), textcoords="offset points", color=RED, fontsize=9)
    below.set(xlabel="days since the promotion", ylabel="evidence, log10")
    legend(below, loc="upper left")
    made.savefig(IMAGE, dpi=110, facecolor="white")
    print(f"alarm on day {alarm}, {alarm - BREAK} days after the break")


if __name__ == "__main__":
    main()
