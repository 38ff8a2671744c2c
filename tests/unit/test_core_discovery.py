"""Discovery: finds what is planted, confirms on days it has not seen, and says it in words a policy takes."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from continual.core.discovery import Terms, discover
from continual.core.expression import mask, parse
from continual.core.slices import SliceSpec
from continual.core.stats.discovery import Search, paired_by_day
from continual.errors import NotEnoughData, SliceError

N = 6000


def _frame(seed):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "carrier": rng.choice(["UA", "AA", "it's", "x\ny"], N),
            "select": rng.choice(["a", None], N),
            "distance": np.where(rng.random(N) < 0.1, np.nan, rng.gamma(2, 500, N)),
            "seats": rng.integers(0, 4, N),
            "event_time": pd.Timestamp("2013-01-01", tz="UTC") + pd.to_timedelta(rng.integers(0, 40, N), unit="D"),
        }
    )
    return frame, rng


COLUMNS = ["carrier", "select", "distance", "seats"]


@pytest.mark.parametrize(
    "planted",
    ["carrier = 'it''s' AND seats = 2", "\"select\" IS NULL AND carrier = 'UA'", "distance IS NULL", "seats = 3"],
)
def test_a_planted_slice_is_confirmed_in_words_a_policy_takes(planted):
    frame, rng = _frame(1)
    weak = mask(planted, frame, N)
    loss = (rng.random(N) < 0.2 + 0.3 * weak).astype(float)
    best = discover(frame, loss, COLUMNS)[0]
    assert best.confirmed
    assert (mask(best.predicate, frame, N) == weak).all()
    assert best.low < 0.3 < best.high
    assert abs(best.effect - 0.3) < 0.08
    (item,) = yaml.safe_load(best.yaml)
    assert SliceSpec(**item).where == best.predicate


def test_a_planted_bin_is_found_near_its_edges():
    frame, rng = _frame(2)
    weak = (frame["distance"] < 400).to_numpy()
    best = discover(frame, (rng.random(N) < 0.2 + 0.3 * weak).astype(float), COLUMNS)[0]
    inside = mask(best.predicate, frame, N)
    assert best.confirmed
    assert best.predicate.startswith("distance < ")
    assert (inside & weak).sum() > 0.8 * inside.sum()


def test_what_is_weak_only_on_the_days_that_propose_is_not_confirmed():
    frame, rng = _frame(3)
    early = (frame["event_time"] < pd.Timestamp("2013-01-21", tz="UTC")).to_numpy()
    weak = mask("carrier = 'AA'", frame, N) & early
    found = discover(frame, (rng.random(N) < 0.2 + 0.3 * weak).astype(float), COLUMNS)
    proposed = next(s for s in found if s.predicate == "carrier = 'AA'")
    assert proposed.proposed_effect > 0.1
    assert not any(s.confirmed for s in found)


def test_a_smallest_effect_that_counts_is_demanded_of_the_days_held_out():
    frame, rng = _frame(4)
    loss = rng.normal(0, 0.1, N) + 0.1 * mask("carrier = 'AA'", frame, N)
    assert discover(frame, loss, COLUMNS, terms=Terms(effect=0.05))[0].confirmed
    assert not any(s.confirmed for s in discover(frame, loss, COLUMNS, terms=Terms(effect=0.11)))


def test_rows_without_a_label_are_left_out_and_the_answer_is_repeatable():
    frame, rng = _frame(5)
    loss = rng.random(N) + 0.2 * mask("seats = 1", frame, N)
    missing = rng.random(N) < 0.3
    first = discover(frame, np.where(missing, np.nan, loss), COLUMNS)
    shuffled = rng.permutation(np.flatnonzero(~missing))
    again = discover(frame.iloc[shuffled], loss[shuffled], COLUMNS)
    assert [(s.predicate, s.n) for s in first] == [(s.predicate, s.n) for s in again]
    assert all(parse(s.predicate) and s.days <= 20 for s in first)


def test_a_loss_without_spread_or_columns_without_values_find_nothing():
    frame, _ = _frame(6)
    assert discover(frame, np.ones(N), COLUMNS) == []
    assert discover(frame.assign(carrier=None), np.ones(N), ["carrier"]) == []


def test_what_discovery_cannot_use_is_named():
    frame, rng = _frame(7)
    with pytest.raises(SliceError, match="'gone' is missing"):
        discover(frame, rng.random(N), ["gone"])
    with pytest.raises(NotEnoughData, match="at least 10 days"):
        discover(frame, rng.random(N), COLUMNS, day=np.arange(N) % 9)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(st.integers(0, 10_000), st.integers(1, 12), st.booleans(), st.booleans())
def test_the_bound_never_hides_what_counting_everything_finds(seed, support, heavy, chosen):
    rng = np.random.default_rng(seed)
    codes, sizes = [rng.integers(0, 4, 80) for _ in range(4)], [4] * 4
    loss = rng.pareto(1.5, 80) if heavy else (rng.random(80) < 0.3).astype(float)
    search = Search(codes, sizes, loss, support, 0.0, 1 / rng.uniform(0.05, 1, 80) if chosen else None)
    best = search.run(3, 5, 1000)
    scores = []
    for size in (1, 2, 3):
        for columns in combinations(range(4), size):
            cells = []
            for values in np.ndindex(*(3,) * size):  # the last code of each column is no literal
                rows = np.logical_and.reduce([codes[c] == v for c, v in zip(columns, values, strict=True)])
                if rows.sum() >= support and search.over[rows].mean() > 1e-12:
                    cells.append(search.score(search.over[rows].mean(), int(rows.sum()), size))
            scores += sorted(cells)[-3:]
    assert [f.score for f in best] == pytest.approx(sorted(scores, reverse=True)[:5])


def test_labels_chosen_where_the_loss_is_high_make_no_slice_weak():
    """Of UA the doubtful half is asked ten times as often as the other; all carriers lose the same."""
    frame, rng = _frame(8)
    doubt = rng.random(N) < 0.5
    loss = (rng.random(N) < np.where(doubt, 0.5, 0.1)).astype(float)
    asked = np.where(frame["carrier"] == "UA", np.where(doubt, 1.0, 0.1), 0.5)
    loss[rng.random(N) >= asked] = np.nan
    assert any(s.confirmed and "UA" in s.predicate for s in discover(frame, loss, COLUMNS))
    assert not any(s.confirmed for s in discover(frame, loss, COLUMNS, weight=1 / asked))
    weak = (frame["seats"] == 3).to_numpy()
    found = discover(frame, loss + 0.3 * weak, COLUMNS, weight=1 / asked)[0]
    assert found.confirmed and found.predicate == "seats = 3" and found.low < 0.3 < found.high


def _uneven(seed):
    """In the slice mostly on odd days, and those are bad for everyone."""
    rng = np.random.default_rng(seed)
    day = np.repeat(np.arange(30), 100)
    return rng.normal(0, 1, 3000) + 5.0 * (day % 2), day, rng.random(3000) < np.where(day % 2, 0.5, 0.05)


def test_paired_by_day_removes_what_days_share():
    loss, day, inside = _uneven(0)
    assert loss[inside].mean() - loss[~inside].mean() > 1
    apart, worse = paired_by_day(loss, day, inside), paired_by_day(loss + inside, day, inside)
    assert abs(apart.effect) < 0.2
    assert (apart.n, apart.days) == (int(inside.sum()), 30)
    assert worse.effect == pytest.approx(apart.effect + 1)
    assert worse.p < 1e-6


def test_intervals_of_95_percent_cover_in_about_95_of_100_windows():
    found = [paired_by_day(*_uneven(seed)) for seed in range(100)]
    assert 89 <= sum(f.low < 0 < f.high for f in found) <= 99
    assert sum(f.p < 0.05 for f in found) <= 11


def test_paired_by_day_of_equal_days_is_the_t_test_of_daily_differences():
    from scipy.stats import ttest_1samp

    rng = np.random.default_rng(1)
    day, inside = np.repeat(np.arange(12), 20), np.tile(np.arange(20) < 5, 12)
    loss = rng.normal(0, 1, 240) + 0.3 * inside
    daily = [loss[(day == d) & inside].mean() - loss[(day == d) & ~inside].mean() for d in range(12)]
    reference = ttest_1samp(daily, 0, alternative="greater")
    found = paired_by_day(loss, day, inside)
    assert found.p == pytest.approx(reference.pvalue)
    assert found.effect == pytest.approx(np.mean(daily))
    assert (found.low, found.high) == pytest.approx(ttest_1samp(daily, 0).confidence_interval())


def test_no_spread_proves_nothing_and_two_days_are_too_few():
    day = np.repeat(np.arange(6), 4)
    inside = np.tile([True, False, False, False], 6)
    assert paired_by_day(inside.astype(float), day, inside).p == 1.0
    assert paired_by_day(inside[:8].astype(float), day[:8], inside[:8]) is None
