"""Labels that somebody chose must not lean the monitor, and days before the deployment make it fast, not wrong."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest

from continual.core.alarm import PairedStream
from continual.core.slices import Slice
from continual.core.stats.dependence import day_sums
from continual.core.stats.past import past_change
from continual.errors import ContinualError
from continual.flows.paired_streams import Losses, streams, weights
from continual.flows.weights import INCLUSION
from continual.monitors.base import MONITORS

MONITOR = MONITORS.get("e_detector")()
START = date(2013, 8, 1)
#: Half of the rows are asked about often, half seldom.
OFTEN, SELDOM = 0.9, 0.1


def _stream(days, weight=None, before=()):
    names = tuple((START + timedelta(days=i)).isoformat() for i in range(len(days)))
    return PairedStream("overall", "standard", names, tuple(days), weight, before)


def _signs(rng, n, mean, share=0.1):
    return np.where(rng.random(n) < (1 + mean / share) / 2, 1.0, -1.0) * (rng.random(n) < share)


def _chosen(seed, often, seldom, days=60, n=1000):
    """Daily excess of the labelled rows and their weights; often, seldom: true mean excess of the two halves."""
    rng, found, weight = np.random.default_rng(seed), [], []
    for _ in range(days):
        excess = np.concatenate([_signs(rng, n // 2, often), _signs(rng, n // 2, seldom)])
        chance = np.repeat([OFTEN, SELDOM], n // 2)
        seen = rng.random(n) < chance
        found.append(excess[seen])
        weight.append(SELDOM / chance[seen])
    return found, tuple(weight)


@pytest.mark.parametrize("seed", range(5))
def test_s13_a_champion_that_is_better_on_all_rows_does_not_alarm_on_the_rows_somebody_chose(seed):
    days, weight = _chosen(seed, often=0.02, seldom=-0.04)
    assert MONITOR.read([_stream(days)]).alarms == ("overall",), "or the choice does not mislead"
    reading = MONITOR.read([_stream(days, weight)])
    assert reading.alarms == ()
    assert reading.readings[0].mean_excess == pytest.approx(-0.01, abs=0.01)


@pytest.mark.parametrize("seed", range(3))
def test_s13_a_champion_that_is_worse_on_all_rows_alarms_although_the_chosen_ones_hide_it(seed):
    days, weight = _chosen(seed, often=-0.02, seldom=0.09)
    assert MONITOR.read([_stream(days)]).alarms == ()
    assert MONITOR.read([_stream(days, weight)]).alarms == ("overall",)


def test_equal_weights_change_nothing():
    days, _ = _chosen(0, 0.02, 0.02)
    ones = tuple(np.ones(len(rows)) for rows in days)
    assert MONITOR.read([_stream(days, ones)]) == MONITOR.read([_stream(days)])


@pytest.mark.parametrize("bad", [0.0, 1.5])
def test_a_weight_outside_is_refused(bad):
    with pytest.raises(ContinualError, match="weight must lie"):
        MONITOR.read([_stream([np.zeros(2)], (np.array([1.0, bad]),))])


def _frame(chance, labelled):
    when = pd.to_datetime(["2013-08-01", "2013-08-01", "2013-08-02", "2013-08-02"], utc=True)
    frame = pd.DataFrame({"event_time": when, "label": np.where(labelled, 1.0, np.nan), "carrier": list("aabb")})
    return frame if chance is None else frame.assign(**{INCLUSION: chance})


def test_the_least_chance_is_that_of_all_rows_of_slice_and_day_labelled_or_not():
    frame = _frame([0.2, 0.8, 0.5, 1.0], [False, True, True, True])
    slices = [Slice("overall", "TRUE", "standard", None), Slice("a", "carrier = 'a'", "standard", "overall")]
    found = weights(frame, slices)
    assert found["overall"] == pytest.approx([1.0, 0.25, 1.0, 0.5])
    assert found["a"][:2] == pytest.approx([1.0, 0.25])
    assert weights(_frame(None, [True] * 4), slices) is None
    use = frame["label"].notna().to_numpy()
    losses = Losses(frame[use].reset_index(drop=True), np.array([0.1, 0.2, 0.3]), {k: w[use] for k, w in found.items()})
    overall, a = streams(losses, slices, {"a": (day_sums(np.zeros(3)),)})
    assert [list(w) for w in overall.weight] == [[0.25], [1.0, 0.5]]
    assert (a.days, len(a.before), overall.before) == (("2013-08-01",), 1, ())
    assert streams(losses.only(np.array([True, False, False])), slices)[0].n == 1


def test_days_before_the_deployment_make_a_fault_on_day_0_found_as_fast_as_one_on_day_60():
    rng = np.random.default_rng(1)
    quiet, faulty = ([_signs(rng, 2000, mean) for _ in range(28)] for mean in (0.0, 0.02))
    late, early = _stream(faulty), _stream(faulty, before=tuple(day_sums(day) for day in quiet))
    waits = [MONITOR.read([s]).readings[0].alarmed_on for s in (early, late)]
    assert waits[0] < waits[1]
    assert MONITOR.read([replace(early, excess=tuple(quiet))]).alarms == ()


def test_days_before_that_moved_together_slow_it_down():
    rng = np.random.default_rng(2)
    shocked = [_signs(rng, 2000, float(np.clip(rng.normal(0, 0.04), -0.09, 0.09))) for _ in range(28)]
    stream = _stream([_signs(rng, 2000, 0.02) for _ in range(10)])
    calm = MONITOR.read([stream]).readings[0]
    wary = MONITOR.read([replace(stream, before=tuple(day_sums(day) for day in shocked))]).readings[0]
    assert wary.evidence < calm.evidence


def test_s13_a_change_of_who_is_asked_is_no_change_of_a_version():
    rng, day = np.random.default_rng(3), np.repeat(np.arange(60), 400)
    hard = rng.random(len(day)) < 0.5
    loss = np.where(hard, 0.4, 0.1) + rng.normal(0, 0.05, len(day))
    chance = np.where(hard & (day >= 53), 0.9, 0.3)
    seen = rng.random(len(day)) < chance
    assert past_change("1", day[seen], loss[seen], 0.02).worse
    assert not past_change("1", day[seen], loss[seen], 0.02, 1 / chance[seen]).worse
