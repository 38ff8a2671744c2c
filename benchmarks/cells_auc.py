"""How far ranking metrics from score bins are from exact ones, beside how uncertain the exact ones are anyway."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from sklearn.metrics import average_precision_score, roc_auc_score

from continual.cells.bins import ScoreBins
from continual.core.stats.delong import auc_influence, delong_spread

POSITIVES, SHARE, DRAWS = (10, 30, 100, 1_000, 10_000), 0.01, 200
RESOLUTIONS = (256, 1024)


def few_positives() -> str:
    """Markdown: largest and root mean square errors over draws with `SHARE` positives, by the number of positives."""
    lines = [
        "| positives | rows | draws | standard error of the AUC | AUC, 256 bins: rms, largest | AUC, 1,024 bins "
        "| PR AUC, 256 bins | PR AUC, 1,024 bins |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for positives in POSITIVES:
        draws = min(DRAWS, 2_000_000 * 2 // (100 * positives) + 8)
        spread, errors = _errors(positives, draws)
        cells = [f"{_rms(e):.1e}, {np.abs(e).max():.1e}" for e in errors]
        lines.append(f"| {positives:,} | {round(positives / SHARE):,} | {draws} | {spread:.1e} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _errors(positives: int, draws: int) -> tuple[float, npt.NDArray[np.float64]]:
    """Mean standard error (DeLong) of the AUC, and (4, draws) errors: AUC at each resolution, then PR AUC."""
    bins, spreads, found = [ScoreBins(r) for r in RESOLUTIONS], [], []
    for draw in range(draws):
        rng = np.random.default_rng([11, positives, draw])
        y = np.zeros(round(positives / SHARE))
        y[:positives] = 1.0
        # scores of a calibrated-looking model of a rare event, AUC about 0.8
        score = 1 / (1 + np.exp(-(rng.normal(-5.3, 1.1, len(y)) + 1.3 * y)))
        spreads.append(delong_spread(y, auc_influence(y, score, np.ones(len(y)))[1]).se)
        exact = [roc_auc_score(y, score), average_precision_score(y, score)]
        binned = [one.index(score) for one in bins]
        auc = [roc_auc_score(y, b) - exact[0] for b in binned]
        found.append([*auc, *(average_precision_score(y, b) - exact[1] for b in binned)])
    return float(np.mean(spreads)), np.array(found).T


def _rms(errors: npt.NDArray[np.float64]) -> float:
    return float(np.sqrt(np.mean(errors**2)))


if __name__ == "__main__":
    print(few_positives())
