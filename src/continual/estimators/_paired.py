"""Evidence on the difference of two models: rows where they agree contribute exactly 0 and need no label."""

from __future__ import annotations

import numpy as np

from continual.estimators._evidence import Bools, Draws, Evidence, Floats, Ints


def paired(
    champion: Floats,
    candidate: Floats,
    agree: Bools,
    day: Ints,
    *,
    expected: Floats | None = None,
    probability: Floats | None = None,
    draws: Draws | None = None,
    reach: float = np.inf,
) -> Evidence:
    """Per-row gains champion - candidate of two losses; every estimator reads them like any statistic.

    champion, candidate: (N,) losses, NaN without a label. agree: (N,) rows where both lose the same whatever the
    label (same decision, for 0/1; same score, for others). expected: (N,) gain that the models' calibrated
    confidence expects. probability, draws: of the design, see `Evidence`. reach: largest possible gain of a row.

    Raises
    ------
    ValueError: lengths differ, or the losses of a labelled row differ although the models agree.
    """
    gain = np.asarray(champion, dtype=float) - np.asarray(candidate, dtype=float)
    differs = np.abs(np.where(agree, gain, 0.0)) > 1e-9
    if differs.any():
        raise ValueError(f"rows where the models agree must have equal losses, {differs.sum()} have not")
    return Evidence(gain, day, expected, probability, draws, np.asarray(agree, dtype=bool), -reach, reach)
