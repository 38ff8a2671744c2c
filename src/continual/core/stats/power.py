"""What a defined comparison can show: bounds at any level, the smallest regression it could see, rows still missing."""

from __future__ import annotations

import math
from dataclasses import dataclass

from continual.core.estimate import Comparison
from continual.core.stats import midp
from continual.core.stats.tails import Z_POWER_80, one_sided_lower, quantile


@dataclass(frozen=True)
class Paired:
    """The numbers of a defined `Comparison`, none of them None but `df` (normal) and `discordant` (no meaning)."""

    gain: float
    se: float
    low: float
    high: float
    p_harm: float
    n: int
    df: float | None
    discordant: int | None

    @classmethod
    def of(cls, found: Comparison | None) -> Paired | None:
        """The numbers of `found`; None when there is no comparison or it is undefined."""
        if found is None or found.gain is None or found.se is None or found.p_harm is None:
            return None
        low = found.gain if found.low is None else found.low
        high = found.gain if found.high is None else found.high
        return cls(found.gain, found.se, low, high, found.p_harm, found.n, found.df, found.discordant)

    @property
    def row_variance(self) -> float:
        """Variance of one row's paired difference (for right/wrong about the discordance)."""
        return self.n * self.se**2

    def lower(self, alpha: float) -> float:
        """One-sided lower bound of the gain at level `alpha`."""
        return one_sided_lower(self.gain, self.se, self.df, alpha) if self.se else self.gain

    def minimum_detectable(self, alpha: float) -> float | None:
        """Smallest regression seen with power .80 by a one-sided test at `alpha`, in the metric's unit.

        Exact for right/wrong metrics below 500 rows; None when no regression could be seen.
        """
        if self.discordant is not None and self.n < midp.EXACT_BELOW:
            return midp.minimum_detectable(self.n, min((self.discordant + 1) / self.n, 1.0), alpha)
        return (quantile(1 - alpha, self.df) + Z_POWER_80) * self.se


def rows_to_rule_out(row_variance: float, regression: float, alpha: float) -> int:
    """Rows whose one-sided bound at `alpha` excludes `regression` > 0 with power .80 when there is none."""
    return math.ceil(row_variance * ((quantile(1 - alpha, None) + Z_POWER_80) / regression) ** 2)
