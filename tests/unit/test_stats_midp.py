from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from continual.core.stats.midp import corrected_spread, midp_harm, minimum_detectable, rows_to_prove


@pytest.mark.parametrize(("b", "c"), [(0, 0), (0, 1), (5, 0), (0, 12), (7, 7), (30, 12), (200, 260), (4000, 4100)])
def test_midp_equals_its_definition(b, c):
    m = b + c
    assert midp_harm(b, c) == pytest.approx(binom.sf(c, m, 0.5) + binom.pmf(c, m, 0.5) / 2, rel=1e-9)


def test_midp_is_symmetric_half_without_discordance_and_keeps_its_level():
    assert midp_harm(0, 0) == midp_harm(9, 9) == pytest.approx(0.5)
    assert midp_harm(3, 9) + midp_harm(9, 3) == pytest.approx(1)
    for m in (10, 40, 200):
        rejects = [c for c in range(m + 1) if midp_harm(m - c, c) <= 0.05]
        assert binom.pmf(rejects, m, 0.5).sum() < 0.06  # mid-p exceeds its level slightly, by design


def test_rows_to_prove_are_the_published_ones():
    assert rows_to_prove(0.08, 0.02) == pytest.approx(2621, rel=0.001)
    assert rows_to_prove(0.08, 0.05) == pytest.approx(542, rel=0.001)


def test_minimum_detectable_is_seen_with_power_80():
    n, delta, alpha = 200, 0.08, 0.002
    effect = minimum_detectable(n, delta, alpha)
    assert effect is not None
    rng = np.random.default_rng(0)
    m = rng.binomial(n, max(delta, effect), 4000)
    c = rng.binomial(m, (1 + effect / max(delta, effect)) / 2)
    power = np.mean([midp_harm(int(k - a), int(a)) <= alpha for k, a in zip(m, c, strict=True)])
    assert power == pytest.approx(0.8, abs=0.03)


def test_tiny_slices_see_only_breaks_and_large_ones_follow_the_formula():
    assert minimum_detectable(60, 0.08, 0.002) > 0.15  # the normal formula claims .136
    assert minimum_detectable(5, 0.08, 0.002) is None
    assert minimum_detectable(10_000, 0.08, 0.002) == pytest.approx((2.878 + 0.8416) * np.sqrt(0.08 / 10_000), rel=1e-3)
    assert minimum_detectable(499, 0.08, 0.002) == pytest.approx(minimum_detectable(500, 0.08, 0.002), rel=0.15)


def test_corrected_spread_never_claims_certainty():
    assert corrected_spread(0, 0, 50) > 0
    assert corrected_spread(0, 50, 50) > 0
    assert corrected_spread(300, 200, 10_000) == pytest.approx(np.sqrt((0.0501 - 0.01**2) / 10_000), rel=1e-6)
