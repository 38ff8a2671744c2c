"""Calibration error: do events of probability p happen in a share p of cases."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from continual.core.cells import Carried
from continual.metrics._linearised import Whys
from continual.metrics._ranking import RankingMetric, cut
from continual.metrics.base import Floats


class CalibrationError(RankingMetric):
    """Expected calibration error: mean over rows of |rate of positives - mean score| of their bin, in [0, 1].

    `bins` equal-width bins of [0, 1]; lower is better (Naeini et al. 2015). A plug-in estimate: for a calibrated model
    too high by about sqrt(bins / rows) / 3 (Kumar et al. 2019). From cells a score counts as its bin's centre: about
    1e-3 off. Interval: delta method, clustered by day, and lower by what noise alone gives in the bins that could be
    calibrated. Undefined with fewer than 5 labels or
    scores outside [0, 1].
    """

    kind: Literal["calibration_error"] = Field("calibration_error", description="Expected calibration error.")
    bins: int = Field(10, ge=1, le=1000, description="Number of equal-width bins of [0, 1].")
    higher_is_better: ClassVar[bool] = False
    probabilities: ClassVar[bool] = True
    by_class: ClassVar[bool] = False
    how: ClassVar[str] = "expected calibration error"
    how_cells: ClassVar[str] = "binned, approximate to about 1e-3"

    @property
    def name(self) -> str:
        return self.kind if self.bins == 10 else f"{self.kind}@{self.bins}"

    def carried(self) -> Carried | None:
        own = super().carried()
        edges = tuple(k / self.bins for k in range(1, self.bins))
        return own and Carried(own.terms, own.products, counts=True, thresholds=edges)

    def reasons(self, table: Floats, weight: Floats) -> Whys:
        return [None] * len(table)

    def value_and_gradient(self, table: Floats, center: Floats) -> tuple[Floats, Floats]:
        gaps, onto = self._bins(center)
        sums = np.einsum("slb,lb->sb", table, gaps) @ onto
        total = table.sum(axis=(1, 2))
        value = np.abs(sums).sum(axis=1) / total
        slope = (np.sign(sums) @ onto.T)[:, None, :] * gaps - value[:, None, None]
        return value, slope / total[:, None, None]

    def optimism(self, table: Floats, center: Floats, weight: Floats) -> Floats:
        gaps, onto = self._bins(center)
        gap = np.abs(np.einsum("slb,lb->sb", table, gaps) @ onto)
        noise = np.sqrt(weight[:, None] * (np.einsum("slb,lb->sb", table, gaps**2) @ onto))
        # |noise| of a calibrated bin is sqrt(2 / pi) sigma on average; a bin clearly off has none of it.
        return np.asarray(np.sum(_FOLDED * noise * (gap < 2 * noise), axis=1) / table.sum(axis=(1, 2)))

    def _bins(self, center: Floats) -> tuple[Floats, Floats]:
        """Label - score of each cell of the table (2, B), and which of the bins each column is in (B, bins)."""
        coarse = cut(center, self.bins)
        onto = (coarse[:, None] == np.unique(coarse)[None, :]).astype(np.float64)
        return np.stack([-center, 1 - center]), onto


#: Mean of |z| of a standard normal z.
_FOLDED = 0.7978845608028654
