from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from continual.core.stats.holm import holm


def test_textbook_example():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20), st.floats(0.001, 0.3))
def test_adjusted_p_below_alpha_is_exactly_the_step_down_procedure(p_values, alpha):
    adjusted = holm(p_values)
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    rejected = set()
    for step, i in enumerate(order):
        if p_values[i] * (len(p_values) - step) > alpha:
            break
        rejected.add(i)
    assert {i for i, p in enumerate(adjusted) if p <= alpha} == rejected
    assert all(a >= p or a == 1 for a, p in zip(adjusted, p_values, strict=True))


@pytest.mark.parametrize("bad", [[float("nan")], [-0.1], [1.2]])
def test_what_is_no_p_value_is_refused(bad):
    with pytest.raises(ValueError, match=r"\[0, 1\]"):
        holm(bad)
