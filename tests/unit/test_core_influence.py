"""One source's share of a training set is capped, and no more rows go than must."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from continual.core.influence import largest_count, within_share


@given(st.lists(st.integers(1, 400), min_size=1, max_size=8), st.sampled_from([0.1, 0.25, 0.34, 0.5, 0.75, 1.0]))
def test_s62_no_source_has_more_than_its_share_and_as_many_rows_as_can_stay(counts: list[int], share: float) -> None:
    most = largest_count(counts, share)
    if most is None:
        assert len(counts) * share < 1 + 1e-9 or max(counts) > share * sum(counts)
        return
    left = [min(n, most) for n in counts]
    assert max(left) <= share * sum(left) + 1  # a row is not divided
    if most < max(counts):
        more = [min(n, most + 2) for n in counts]
        assert max(more) > share * sum(more)


def test_s62_a_source_that_floods_is_cut_and_the_others_stay_whole() -> None:
    source = np.array(["good"] * 60 + ["fair"] * 40 + ["flood"] * 10_000, dtype=object)
    order = np.random.default_rng(0).random(len(source))
    kept = within_share(source, order, 0.5)
    assert kept is not None
    assert {name: int(kept[source == name].sum()) for name in ("good", "fair", "flood")} == {
        "good": 60, "fair": 40, "flood": 100,
    }  # fmt: skip
    assert order[kept & (source == "flood")].max() < order[~kept].min()


def test_s62_too_few_sources_for_the_share_is_no_answer() -> None:
    assert within_share(np.array(["only"] * 9, dtype=object), np.arange(9.0), 0.5) is None


@pytest.mark.parametrize("share", [0.5, 1.0])
def test_what_is_within_the_share_stays_whole(share: float) -> None:
    source = np.array(["a", "b"] * 10, dtype=object)
    kept = within_share(source, np.arange(20.0), share)
    assert kept is not None and kept.all()
