"""A difference of two models without the wrong labels, for wrong labels that do not depend on a model's answer.

With rate eta for both classes, the labels' own expectation of a row's loss l is known, so that
(1 - eta) l(y) - eta l(1 - y), divided by 1 - 2 eta, has the mean that right labels would give: Natarajan et al. 2013,
"Learning with noisy labels" (NeurIPS 26). For right/wrong that is d / (1 - 2 eta). A ranking loses the factor
(1 - 2 eta) pi (1 - pi) / (p (1 - p)), p the share of label 1 that is seen and pi the true one: Menon et al. 2015,
"Learning from corrupted binary labels via class-probability estimation" (ICML). The rate's own error goes in by the
delta method.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import NamedTuple

from continual.core.estimate import Comparison, Estimate
from continual.core.label_noise import NoiseRate, NoiseTerms
from continual.core.stats.tails import lower_tail, quantile


def noise_adjusted(found: Comparison, noise: NoiseRate, terms: NoiseTerms | None = None) -> Comparison:
    """`found`, a comparison on noisy labels, as it would be on right ones. terms: None = right/wrong losses.

    `p_harm` stays where noise only shrinks the difference (right/wrong, rankings); the mean of another loss it can also
    move. Undefined when the difference or the rate is, or when the rate may leave nothing to see.
    """
    rate, terms = noise.estimate, terms or NoiseTerms()
    if found.gain is None or found.se is None:
        return found
    if rate.value is None or rate.high is None or noise.se is None:
        return Comparison.undefined(found.n, f"noise rate {rate.method}")
    if rate.high >= 0.5:
        return Comparison.undefined(found.n, f"noise may be {rate.high:.0%}: labels may be no better than chance")
    known = _Noise(rate.value, rate.high, noise.se, f"{rate.value:.1%} noise from {_source(rate)}")
    if terms.flipped is not None:
        return _mean(found, (found.gain, found.se), terms.flipped, known)
    if terms.positives is not None:
        return _ranking(found, (found.gain, found.se), terms.positives, known)
    return _shrunk(found, (found.gain, found.se), known.kept, 2 / known.kept, known)


class _Noise(NamedTuple):
    """A rate that is known, its upper bound and standard error."""

    eta: float
    high: float
    se: float
    said: str

    @property
    def kept(self) -> float:
        return 1 - 2 * self.eta


#: Gain and standard error.
_Seen = tuple[float, float]


def _ranking(found: Comparison, seen: _Seen, positives: float, noise: _Noise) -> Comparison:
    rarer = min(positives, 1 - positives)
    if rarer <= noise.high:
        why = f"{rarer:.1%} of the labels are of the rarer class, and as many may be wrong"
        return Comparison.undefined(found.n, why)
    one, other = positives - noise.eta, 1 - positives - noise.eta
    kept = one * other / (noise.kept * positives * (1 - positives))
    return _shrunk(found, seen, kept, abs(2 / noise.kept - 1 / one - 1 / other), noise)


def _shrunk(found: Comparison, seen: _Seen, kept: float, sensitivity: float, noise: _Noise) -> Comparison:
    """The difference / `kept`. sensitivity: |d log kept / d eta|."""
    gain = seen[0] / kept
    se = math.hypot(seen[1] / kept, gain * sensitivity * noise.se)
    return _with(found, gain, se, f"divided by {kept:.3f} for {noise.said}")


def _mean(found: Comparison, seen: _Seen, flipped: Comparison, noise: _Noise) -> Comparison:
    """Standard errors add up (never too narrow): the two comparisons are of the same rows."""
    if flipped.gain is None or flipped.se is None:
        return Comparison.undefined(found.n, f"with the other label: {flipped.method}")
    gain = ((1 - noise.eta) * seen[0] - noise.eta * flipped.gain) / noise.kept
    own = ((1 - noise.eta) * seen[1] + noise.eta * flipped.se) / noise.kept
    se = math.hypot(own, (seen[0] - flipped.gain) / noise.kept**2 * noise.se)
    adjusted = _with(found, gain, se, f"both labels weighed for {noise.said}")
    return replace(adjusted, p_harm=lower_tail(gain / se, found.df) if se else 0.5)


def _with(found: Comparison, gain: float, se: float, how: str) -> Comparison:
    half = quantile(0.975, found.df) * se
    method = f"{found.method}; {how}"
    return replace(found, gain=gain, se=se, low=gain - half, high=gain + half, method=method, discordant=None)


def _source(rate: Estimate) -> str:
    return f"{rate.n_labelled} double labels" if rate.n_labelled else rate.method


def of_majority(noise: NoiseRate, people: int) -> NoiseRate:
    """Rate of a label that the majority of `people` gave, each wrong with the rate of `noise` by themselves; where an
    even number is split, one more decides."""
    rate, votes = noise.estimate, people + (people % 2 == 0)
    if rate.value is None or rate.low is None or rate.high is None or noise.se is None or votes == 1:
        return noise
    low, value, high = (_majority_wrong(eta, votes) for eta in (rate.low, rate.value, rate.high))
    slope = (_majority_wrong(min(rate.value + 1e-6, 1.0), votes) - value) / 1e-6
    se = max(slope * noise.se, (high - low) / 4)
    method = f"{rate.method}; of the majority of {votes}"
    return NoiseRate(replace(rate, value=value, low=low, high=high, method=method), se)


def _majority_wrong(eta: float, votes: int) -> float:
    most = range(votes // 2 + 1, votes + 1)
    return float(sum(math.comb(votes, k) * eta**k * (1 - eta) ** (votes - k) for k in most))
