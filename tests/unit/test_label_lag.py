"""The label-lag curve against statsmodels, label states, coverage, and whether the delay tells the outcome."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from statsmodels.duration.survfunc import SurvfuncRight

from continual.core.label_delay import delay_depends_on_outcome
from continual.core.label_lag import (
    Coverage,
    LabelState,
    coverage_table,
    durations,
    label_states,
    lag_curve,
    lag_curves,
)

AS_OF = datetime(2026, 3, 1, tzinfo=UTC)
NOW = np.datetime64("2026-03-01T00:00:00", "us")
DAY = timedelta(days=1)
NAT = np.datetime64("NaT", "us")


def _history(seed=0, n=3000, never=0.2, mean_days=3.0, unit="s", days=60):
    """Events of 60 days up to AS_OF, exponential lags, a share that never gets a label."""
    rng = np.random.default_rng(seed)
    event = NOW - (rng.random(n) * days * 86400).astype("timedelta64[s]")
    lag = rng.exponential(mean_days * 86400, n).astype("timedelta64[s]")
    known = event + lag.astype(f"timedelta64[{unit}]")
    known[rng.random(n) < never] = NAT
    return event, known


@pytest.mark.parametrize("unit", ["s", "D"])  # D: hundreds of ties
def test_the_curve_is_statsmodels_kaplan_meier_with_log_log_intervals(unit):
    event, known = _history(unit=unit, days=3)  # too few days to cluster
    curve = lag_curve(event, known, AS_OF)
    duration, arrived, _ = durations(event, known, AS_OF)
    theirs = SurvfuncRight(duration, arrived.astype(int))
    at = np.searchsorted(curve.lag, theirs.surv_times)
    assert np.array_equal(curve.lag, theirs.surv_times[theirs.n_events > 0])
    at = np.searchsorted(theirs.surv_times, curve.lag)
    assert curve.share == pytest.approx(1 - theirs.surv_prob[at], abs=1e-12)
    assert curve.at_risk.tolist() == theirs.n_risk[at].tolist()
    # theirs is on the plain scale: from their standard error to log(-log S) by the delta method
    surv = theirs.surv_prob[at]
    half = 1.959963984540054 * theirs.surv_prob_se[at] / (surv * np.abs(np.log(surv)))
    assert curve.low == pytest.approx(1 - surv ** np.exp(-half), rel=1e-9)
    assert curve.high == pytest.approx(1 - surv ** np.exp(half), rel=1e-9)
    for p in (0.1, 0.2, 0.3):
        assert curve.quantile(p).total_seconds() == theirs.quantile(p)


def test_young_rows_do_not_bias_the_curve_as_a_naive_share_would():
    """Truth: 1 - exp(-lag/3 d) of the 80% that come."""
    event, known = _history(n=20_000, days=10)
    curve = lag_curve(event, known, AS_OF)
    truth = 0.8 * (1 - np.exp(-5 / 3))
    naive = np.mean(known - event <= np.timedelta64(5, "D")) - np.mean(
        (known - event <= np.timedelta64(5, "D")) & (known > NOW)
    )
    assert curve.within(5 * DAY) == pytest.approx(truth, abs=0.01)
    assert naive < truth - 0.05
    at = np.searchsorted(curve.lag, 5 * 86400) - 1
    assert curve.low[at] < truth < curve.high[at]
    assert curve.within(11 * DAY) is None  # nobody was followed that long


def test_intervals_hold_the_truth_about_95_times_of_100():
    inside = 0
    for seed in range(200):
        curve = lag_curve(*_history(seed, n=150), AS_OF)
        at = np.searchsorted(curve.lag, 4 * 86400) - 1
        inside += curve.low[at] < 0.8 * (1 - np.exp(-4 / 3)) < curve.high[at]
    assert 180 <= inside <= 199


@pytest.mark.parametrize(("shock", "independent_enough"), [(0.0, True), (0.8, False)])
def test_intervals_hold_the_truth_also_when_the_labels_of_a_day_come_together(shock, independent_enough):
    """Each day has its own mean lag. Truth: the mean over days, from many days; Greenwood's interval misses it."""
    truth = np.mean(1 - np.exp(-4 / (3 * np.exp(shock * np.random.default_rng(0).normal(size=200_000)))))
    inside, narrow = 0, 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        day = np.repeat(np.arange(15), 60)
        event = NOW - np.timedelta64(30, "D") + (day * 86400 + 3600).astype("timedelta64[s]")
        mean = 3 * 86400 * np.exp(shock * rng.normal(size=15))[day]
        known = event + rng.exponential(mean).astype("timedelta64[s]")
        curve = lag_curve(event, known, AS_OF)
        alone = lag_curve(event - day * np.timedelta64(1, "D"), known - day * np.timedelta64(1, "D"), AS_OF)  # one day
        at = np.searchsorted(curve.lag, 4 * 86400) - 1
        inside += curve.low[at] <= truth <= curve.high[at]
        narrow += alone.low[at] <= truth <= alone.high[at]
    assert inside >= 90
    assert (narrow >= 90) == independent_enough


def test_labels_that_never_come_are_a_plateau_and_no_quantile():
    curve = lag_curve(*_history(n=5000, never=0.3), AS_OF)
    assert curve.plateau == pytest.approx(0.3, abs=0.03)
    assert curve.quantile(0.9) is None
    assert curve.quantile(0.5) == timedelta(seconds=float(curve.lag[np.searchsorted(curve.share, 0.5)]))
    assert curve.longest_wait > curve.lag[-1]
    assert (curve.n, curve.n_labelled) == (5000, int((_history(n=5000, never=0.3)[1] <= NOW).sum()))


def test_every_label_there_is_certain_and_none_is_honest():
    event = np.full(4, NOW - np.timedelta64(10, "D"))
    known = event + np.array([1, 1, 2, 3]).astype("timedelta64[D]")
    curve = lag_curve(event, known, AS_OF)
    assert curve.share.tolist() == pytest.approx([0.5, 0.75, 1.0])
    assert (curve.plateau, curve.complete, curve.within(99 * DAY)) == (0.0, True, 1.0)
    assert (curve.low[-1], curve.high[-1]) == (curve.low[-2], 1.0)
    none = lag_curve(event, np.full(4, NAT), AS_OF)
    assert (none.plateau, none.quantile(0.01), none.within(9 * DAY), none.longest_wait) == (1.0, None, 0.0, 864000.0)
    empty = lag_curve(event[:0], known[:0], AS_OF)
    assert (empty.n, empty.plateau, empty.quantile(0.5), empty.within(DAY)) == (0, None, None, None)


def test_only_what_was_known_at_the_instant_counts():
    event = NOW + np.array([-3, -2, -1, 1]).astype("timedelta64[D]")
    known = NOW + np.array([-4, 1, 0, 2]).astype("timedelta64[D]")
    duration, arrived, exists = durations(event, known, AS_OF)
    assert (duration[:3] / 86400).tolist() == [0, 2, 1]  # known before the event: lag 0
    assert arrived.tolist() == [True, False, True, False]
    assert exists.tolist() == [True, True, True, False]
    curve = lag_curve(event, known, AS_OF)
    assert (curve.n, curve.n_labelled) == (3, 2)
    with pytest.raises(ValueError, match="needs a time zone"):
        lag_curve(event, known, datetime(2026, 3, 1))


def test_slices_by_mask_and_by_code_are_each_its_own_curve():
    event, known = _history()
    codes = np.random.default_rng(1).integers(-1, 3, len(event))
    names = ["a", "b", "c"]
    by_code = lag_curves(event, known, AS_OF, (codes, names))
    by_mask = lag_curves(event, known, AS_OF, {name: codes == i for i, name in enumerate(names)})
    for i, name in enumerate(names):
        alone = lag_curve(event[codes == i], known[codes == i], AS_OF)
        for found in (by_code[name], by_mask[name]):
            assert found.n == (codes == i).sum()
            assert found.share == pytest.approx(alone.share)
            assert np.array_equal(found.lag, alone.lag)


def test_states_and_coverage_of_every_row():
    event = NOW - np.array([1, 2, 3, 9, 10, 1, -1]).astype("timedelta64[D]")
    known = np.array([NAT, NAT, NAT, NAT, NAT, NOW, NAT])
    states = label_states(event, known, AS_OF, lag=2 * DAY, never_after=10 * DAY)
    assert [LabelState(s).name for s in states] == [
        "PENDING", "OVERDUE", "OVERDUE", "OVERDUE", "NEVER", "ARRIVED", "ABSENT"
    ]  # fmt: skip
    table = coverage_table(
        states, {"all": np.ones(7, bool), "young": event >= NOW - np.timedelta64(1, "D"), "no": event > NOW}
    )
    assert table[0] == Coverage("all", 6, 1, 1, 3, 1)
    assert (table[0].share, table[0].of_due) == (1 / 6, 1 / 5)
    assert (table[1].arrived, table[1].pending, table[1].of_due) == (1, 1, 1.0)
    assert (table[2].n, table[2].share, table[2].of_due) == (0, None, None)
    coded = coverage_table(states, (np.array([0, 0, 0, 1, 1, -1, 1]), ["x", "y"]))
    assert coded == [Coverage("x", 3, 0, 1, 2, 0), Coverage("y", 2, 0, 0, 1, 1)]
    assert coded[0].as_dict()["of_due"] == 0.0
    with pytest.raises(ValueError, match="must not be shorter"):
        label_states(event, known, AS_OF, lag=2 * DAY, never_after=DAY)


# --- does the delay tell the outcome? ---------------------------------------------------------------------------


def _outcomes(rng, days, per_day, shock, slower):
    """Both the delay and the rate of outcomes jump from day to day by `shock`; label 1 takes exp(slower) as long."""
    day = np.repeat(np.arange(days), per_day)
    event = NOW - np.timedelta64(60, "D") + (day * 86400 + rng.integers(0, 86400, len(day))).astype("timedelta64[s]")
    label = (rng.random(len(day)) < np.clip(0.2 + 0.1 * shock * rng.normal(size=days), 0.02, 0.9)[day]).astype(float)
    mean = 2 * 86400 * np.exp(shock * rng.normal(size=days))[day] * np.exp(slower * label)
    known = event + rng.exponential(mean).astype("timedelta64[s]")
    known[rng.random(len(day)) < 0.1] = NAT
    return event, known, label


@pytest.mark.parametrize("shock", [0.0, 1.0])
def test_false_alarms_of_the_delay_test_are_as_published_also_when_days_jump_together(shock):
    rng = np.random.default_rng(1)
    found = [delay_depends_on_outcome(*_outcomes(rng, 20, 60, shock, 0.0), AS_OF, 10 * DAY).depends for _ in range(150)]
    assert sum(found) <= 15  # 5% of 150 are 7.5; more than 15 has a chance of .4%
    slow = [delay_depends_on_outcome(*_outcomes(rng, 20, 60, shock, 0.6), AS_OF, 10 * DAY).depends for _ in range(30)]
    assert sum(slow) >= 25


def test_a_delay_that_depends_on_the_outcome_is_said_in_a_sentence():
    found = delay_depends_on_outcome(*_outcomes(np.random.default_rng(2), 40, 500, 1.0, 0.7), AS_OF, 10 * DAY)
    assert found.depends
    assert 0.55 < found.low < found.effect < found.high < 0.75
    assert found.p < 1e-6
    assert found.median_upper > found.median_lower
    assert found.reason.startswith("the delay depends on the outcome: in 6")
    assert "label 1 comes later than 0" in found.reason
    assert found.reason.endswith(f"{found.n:,} labels of 40 days")


def test_the_rank_test_is_mann_whitneys_within_a_day():
    from scipy.stats import mannwhitneyu

    rng = np.random.default_rng(3)
    event, known, label = _outcomes(rng, 6, 80, 0.0, 0.3)
    day = event.astype("datetime64[D]")
    found = delay_depends_on_outcome(event, known, label, AS_OF, 50 * DAY)
    shares, weights = [], []
    for d in np.unique(day):
        use = (day == d) & ~np.isnat(known)
        lag = (known - event)[use].astype(float)
        late, soon = lag[label[use] == 1], lag[label[use] == 0]
        shares.append(mannwhitneyu(late, soon).statistic / (len(late) * len(soon)))
        weights.append(len(late) * len(soon) / (use.sum() + 1))
    assert found.effect == pytest.approx(np.average(shares, weights=weights))


def test_numbers_are_split_at_their_median_and_young_cohorts_are_left_out():
    event, known, label = _outcomes(np.random.default_rng(4), 40, 100, 0.0, 1.0)
    value = label * 10 + np.arange(len(label)) / len(label)
    found = delay_depends_on_outcome(event, known, value, AS_OF, 10 * DAY)
    assert "above" in found.reason
    assert found.effect > 0.5
    young = delay_depends_on_outcome(event, known, label, AS_OF, 58 * DAY)
    assert young.effect is None
    assert young.reason == "undefined: 2 days have matured labels of both outcomes, 5 are needed"
    assert young.as_dict()["p"] is None
    one = delay_depends_on_outcome(event, known, np.ones(len(label)), AS_OF, 10 * DAY)
    assert one.reason.startswith("undefined: 0 days")
    with pytest.raises(ValueError, match="one length"):
        delay_depends_on_outcome(event, known, label[1:], AS_OF, DAY)
