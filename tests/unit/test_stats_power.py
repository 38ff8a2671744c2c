from __future__ import annotations

import pytest

from continual.core.estimate import Comparison
from continual.core.stats.power import Paired, rows_to_rule_out
from continual.core.stats.tails import lower_tail, quantile


def test_undefined_comparisons_have_no_numbers():
    assert Paired.of(None) is None
    assert Paired.of(Comparison.undefined(3, "few")) is None


def test_the_one_sided_bound_agrees_with_the_p_value():
    found = Paired.of(Comparison(-0.02, 0.01, -0.04, 0.0, lower_tail(-2.0, 12), 400, "t", 12))
    assert found is not None
    # The upper one-sided bound at level p_harm is exactly 0; by symmetry the lower one of the mirrored gain.
    mirrored = Paired.of(Comparison(0.02, 0.01, 0.0, 0.04, 1 - found.p_harm, 400, "t", 12))
    assert mirrored is not None
    assert mirrored.lower(found.p_harm) == pytest.approx(0, abs=1e-9)
    assert found.lower(0.05) == pytest.approx(-0.02 - 1.7823 * 0.01, rel=1e-4)


def test_right_wrong_metrics_use_the_exact_minimum_detectable_below_500_rows():
    exact = Paired.of(Comparison(0.0, 0.0376, -0.07, 0.07, 0.5, 60, "mid-p", None, 5))
    normal = Paired.of(Comparison(0.0, 0.0376, -0.07, 0.07, 0.5, 60, "t", None))
    assert exact is not None
    assert normal is not None
    assert exact.minimum_detectable(0.002) > normal.minimum_detectable(0.002)


def test_rows_to_rule_out_have_the_promised_power():
    n = rows_to_rule_out(0.09, 0.1, 0.05)
    se = (0.09 / n) ** 0.5
    assert lower_tail(0.1 / se - quantile(0.95, None), None) == pytest.approx(0.8, abs=0.01)
