"""What every estimator can do: an honest estimate of a mean from few, actively chosen, partly missing labels."""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from continual.core.estimate import Comparison, Estimate
from continual.core.family import Family, Strategy
from continual.core.stats.additive import compared
from continual.core.stats.clustered import Spread, clustered_spread, wider
from continual.core.stats.tails import quantile
from continual.estimators._difference import Fit
from continual.estimators._evidence import Bools, Draws, Evidence, Floats, Ints
from continual.estimators._flaws import answered, label_flaw, surrogate_flaw
from continual.estimators._interval import interval, shape, skewed

__all__ = ["ESTIMATORS", "Bools", "Draws", "Estimator", "Evidence", "Fit", "Floats", "Ints"]
ESTIMATORS = Family("estimator", "continual.estimators")
AGREE = "the models agree on every row"


@dataclass(frozen=True)
class Measured:
    """A mean over all rows with its 95% interval; alike: every label said the same."""

    value: float
    low: float
    high: float
    spread: Spread
    alike: bool
    method: str


class Estimator(Strategy):
    """Mean of the per-row statistic of `Evidence`, with a 95% interval; undefined with the reason otherwise.

    Rows known to be 0 cost no label: the mean is that of the other rows times their share. For future traffic the
    variance is the wider of independent rows and days (5 days or more), t quantile; for the window itself it is the
    variance of the choice of labels (independent between rows, so that days do not matter), 0 with every label.
    """

    family: ClassVar[Family] = ESTIMATORS
    #: In `Estimate.method`; what the number rests on.
    label: ClassVar[str] = ""
    needs_surrogate: ClassVar[bool] = False
    #: Labels are weighted by their chance, so that a few of them may carry the estimate.
    weighs: ClassVar[bool] = False

    target: Literal["traffic", "window"] = Field(
        "traffic", description="What the interval is about: future traffic like this window, or this very window."
    )

    @abstractmethod
    def fit(self, evidence: Evidence) -> Fit:
        """The estimate on evidence without flaw and without rows known to be 0."""

    def applies(self, evidence: Evidence) -> bool:
        """Whether `estimate` would be defined."""
        return self._flaw(evidence) is None

    def flaw(self, evidence: Evidence) -> str | None:
        """Why `evidence`, without its rows known to be 0, gives no estimate, or None."""
        return label_flaw(evidence) or (surrogate_flaw(evidence) if self.needs_surrogate else None)

    def estimate(self, evidence: Evidence) -> Estimate:
        """The mean over all rows of `evidence`; undefined, never 0, when it cannot be known."""
        n, k = len(evidence), evidence.n_labelled
        why = self._flaw(evidence)
        if why:
            return Estimate.undefined(n, k, why)
        found = self._measure(evidence)
        return Estimate(found.value, found.low, found.high, n, k, found.method)

    def compare(self, evidence: Evidence) -> Comparison:
        """The mean as a paired comparison; `evidence.observed` is a difference, positive = candidate better.

        n: labels on rows where the models differ. When all say the same, their spread is that of the score interval.
        """
        k = evidence.n_labelled
        why = self._flaw(evidence)
        if why:
            return Comparison.undefined(k, why)
        found = self._measure(evidence)
        spread = found.spread
        if found.alike:
            half = max(found.value - found.low, found.high - found.value)
            spread = wider(spread, Spread(half / quantile(0.975, spread.df), spread.df, spread.days))
        return compared(found.value, spread, k, f"paired, {found.method}")

    def estimate_slice(self, evidence: Evidence, member: Bools) -> Estimate:
        """The mean over the rows of `member` (N,); some estimators borrow what they fitted on all rows."""
        return self.estimate(evidence.only(member))

    def _flaw(self, evidence: Evidence) -> str | None:
        inner = evidence.uncertain()
        return None if len(evidence) and not len(inner) else self.flaw(inner)

    def _measure(self, evidence: Evidence) -> Measured:
        inner, note = answered(evidence.uncertain())
        if not len(inner):
            return Measured(0.0, 0.0, 0.0, Spread(0.0, 1, 0), alike=False, method=f"exactly 0: {AGREE}")
        fit, share, alike = self.fit(inner), len(inner) / len(evidence), _alike(inner)
        value = min(max(fit.value, inner.lowest), inner.highest)
        spread = self._spread(evidence, fit)
        unit = Spread(spread.se / share, spread.df, spread.days)
        cap = fit.effective(window=self.target == "window") if alike else math.inf
        if self.weighs and inner.skewed and not math.isfinite(inner.highest - inner.lowest):
            low, high = self._skewed(value, unit, fit, inner)
        else:
            low, high = interval(value, unit, inner.lowest, inner.highest, typical=fit.typical, at_most=cap)
        return Measured(value * share, low * share, high * share, spread, alike, self._method(spread) + note)

    def _skewed(self, value: float, spread: Spread, fit: Fit, evidence: Evidence) -> tuple[float, float]:
        skew, df = shape(fit, window=self.target == "window")
        low, high = skewed(value, Spread(spread.se, min(spread.df, df), spread.days), skew)
        return max(low, evidence.lowest), min(high, evidence.highest)

    def _spread(self, evidence: Evidence, fit: Fit) -> Spread:
        """Spread of the mean over all rows, those known to be 0 included."""
        share, df = len(fit.shares) / len(evidence), max(fit.labels - fit.parameters, 1)
        inflation = fit.labels / df
        if self.target == "window":
            return Spread(share * math.sqrt(fit.design * inflation), df, 0)
        shares = share * fit.shares
        if evidence.known_zero is not None:
            # which rows are known to be 0 is itself a matter of traffic
            everywhere = np.full(len(evidence), -fit.value * share / len(evidence))
            everywhere[~evidence.known_zero] += shares + fit.value / len(evidence)
            shares = everywhere
        iid = Spread(math.sqrt(inflation * float(np.sum(shares**2))), df, 0)
        return clustered_spread(shares, evidence.day, iid)

    def _method(self, spread: Spread) -> str:
        about = "this window" if self.target == "window" else "future traffic"
        how = "choice of labels" if self.target == "window" else spread.how
        return f"{self.label}, 95% interval for {about}, {how}"


def _alike(evidence: Evidence) -> bool:
    """Whether every label says the same, so that their spread says nothing."""
    value = evidence.observed[evidence.labelled]
    return len(value) > 0 and float(np.ptp(value)) <= 1e-12 * max(1.0, float(np.abs(value).max()))
