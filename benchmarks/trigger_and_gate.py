"""The trigger and the gate read the same days: how often does luck that starts a retrain also promote its candidate?

    python benchmarks/trigger_and_gate.py --worlds 1500

Candidate and champion are equally good. Days of 1,000 labels (accuracy; standard error of a day's difference 1.3
points), labels a day late, a shadow a week. The product's trigger `cost` (default prices) looks every third day up to
day 90; where it fires, the gate compares candidate and champion on the 28 days before, which the trigger has seen.
`together`: correlation of the candidate's luck of a day with the shadow's. Nothing is corrected for the selection.
"""

from __future__ import annotations

import argparse
import time
from datetime import UTC, datetime, timedelta

import numpy as np
from scipy.stats import norm

from continual.core.prices import Prices
from continual.core.trigger_evidence import DayGain, TriggerEvidence
from continual.triggers.cost import Cost

START, NOISE, JUDGED, LAST, STEP = datetime(2024, 1, 1, tzinfo=UTC), 0.013, 28, 90, 3
#: Levels of a gate: of the default's first decision of a year, and one that spends nothing.
LEVELS = (0.00625, 0.05)
TOGETHER = (0.0, 0.5, 0.9)


def evidence(day: int, gains: np.ndarray) -> TriggerEvidence:
    """As of that day; the champion was trained on day 0, the first shadow is of day 7."""
    days = tuple(
        DayGain(f"{d}", d + 0.5, 1000, 1000, None, None, None, None, float(gains[d]), NOISE, f"s{d // 7}")
        for d in range(7, day - 1)
    )
    return TriggerEvidence(
        as_of=START + timedelta(days=day), last_retrain=START, new_labels=0, has_champion=True, champion="1",
        age=float(day), reigning=float(day), prices=Prices(bad_day=0), volume=1000.0, days=days,
    )  # fmt: skip


def fires(rng: np.random.Generator) -> tuple[int | None, np.ndarray]:
    """Day on which the trigger fires, None = never; the shadow's daily luck."""
    gains = rng.normal(0, NOISE, LAST + 1)
    looks = range(JUDGED + 1, LAST + 1, STEP)
    return next((day for day in looks if Cost().decide(evidence(day, gains)).retrain), None), gains


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--worlds", type=int, default=1500)
    worlds = parser.parse_args().worlds
    began, rng = time.process_time(), np.random.default_rng(0)
    scores: dict[float, list[float]] = {rho: [] for rho in TOGETHER}
    for _ in range(worlds):
        day, gains = fires(rng)
        own = rng.normal(0, NOISE, LAST + 1)
        if day is None:
            continue
        for rho, found in scores.items():
            mixed = rho * gains + np.sqrt(1 - rho**2) * own
            found.append(float(mixed[day - 1 - JUDGED : day - 1].mean() / (NOISE / np.sqrt(JUDGED))))
    share = len(scores[0.0]) / worlds
    print(f"the trigger fired in {share:.1%} of {worlds} spans of {LAST} days; {time.process_time() - began:.0f} CPU-s")
    for rho, found in scores.items():
        for level in LEVELS:
            given = float(np.mean(np.array(found) > norm.isf(level)))
            print(f"together {rho}, level {level}: passes {given:.1%} of candidates, {given * share:.2%} of spans")


if __name__ == "__main__":
    main()
