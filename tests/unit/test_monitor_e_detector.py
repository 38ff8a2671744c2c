from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pytest

from continual.core.alarm import PairedStream
from continual.core.canonical import canonical_json
from continual.core.stats.dependence import day_sums
from continual.core.stats.eprocess import log_factor, shiryaev_roberts
from continual.errors import ContinualError
from continual.monitors.base import MONITORS

MONITOR = MONITORS.get("e_detector")
START = date(2013, 8, 1)


def _stream(days, name="overall", tier="standard"):
    names = tuple((START + timedelta(days=i)).isoformat() for i in range(len(days)))
    return PairedStream(name, tier, names, tuple(np.asarray(day, dtype=float) for day in days))


def _right_wrong(rng, n, days, excess=0.0, since=0, discordance=0.08):
    """Days of n rows in {-1, 0, 1}; from day `since` the champion is wrong more often by `excess`."""
    found = []
    for day in range(days):
        shift = excess if day >= since else 0.0
        share = max(discordance, abs(shift))
        sign = np.where(rng.random(n) < (1 + shift / share) / 2, 1.0, -1.0)
        found.append(sign * (rng.random(n) < share))
    return found


def _shocked_brier(rng, n, days, offset=0.3, shock=0.7):
    """Two equally good models, off in opposite directions, under day shocks: rows of a day move together."""
    found = []
    for _ in range(days):
        logit = rng.normal(-1.4, 1, n)
        y = rng.random(n) < 1 / (1 + np.exp(-logit - rng.normal(0, shock)))
        a, b = (1 / (1 + np.exp(-logit - sign * offset)) for sign in (1, -1))
        found.append((a - y) ** 2 - (b - y) ** 2)
    return found


def _read(*streams, **fields):
    return MONITOR(**fields).read(streams)


def test_no_false_alarms_in_years_of_equal_models_overall_and_thirty_slices():
    rng, alarms = np.random.default_rng(0), 0
    for _ in range(3):
        streams = [_stream(_right_wrong(rng, 500, 180))]
        streams += [_stream(_right_wrong(rng, 3 + 2 * k, 180), f"s{k}") for k in range(30)]
        alarms += bool(_read(*streams).alarms)
    assert alarms == 0  # alpha = .05 a year bounds it; the bound is far from tight


def test_day_shocks_on_equal_models_do_not_alarm_although_the_plain_detector_does():
    rng = np.random.default_rng(1)
    years = [_shocked_brier(rng, 500, 120) for _ in range(8)]
    assert max(np.concatenate(days).mean() for days in years) < 0.0025, "equal models, or the test proves nothing"
    plain = {"trivial": 0, "day_correlation": 0, "min_days": 1}
    assert sum(bool(_read(_stream(days), **plain).alarms) for days in years) >= 6
    assert sum(bool(_read(_stream(days)).alarms) for days in years) == 0


@pytest.mark.parametrize(("n", "excess", "within"), [(2000, 0.05, 5), (2000, 0.02, 10), (2000, 0.01, 28)])
def test_a_fault_overall_is_found_within_days(n, excess, within):
    rng = np.random.default_rng(2)
    for _ in range(5):
        reading = _read(_stream(_right_wrong(rng, n, 60 + within, excess, since=60)))
        assert reading.alarms == ("overall",)
        alarmed = date.fromisoformat(reading.readings[0].alarmed_on)
        assert START + timedelta(days=60) <= alarmed < START + timedelta(days=60 + within)


@pytest.mark.parametrize(("n", "excess", "within"), [(40, 0.20, 9), (200, 0.20, 5), (40, 0.10, 15)])
@pytest.mark.parametrize("since", [0, 60])
def test_s39_a_slice_that_degrades_under_a_flat_aggregate_alarms(n, excess, within, since):
    rng = np.random.default_rng(3)
    length = since + within
    streams = [_stream(_right_wrong(rng, 2000, length))]
    streams += [_stream(_right_wrong(rng, 100, length), f"s{k}") for k in range(48)]
    streams.append(_stream(_right_wrong(rng, n, length, excess, since), "new_aircraft"))
    reading = _read(*streams)
    assert reading.alarms == ("new_aircraft",)
    worst = reading.readings[0]
    assert worst.slice == "new_aircraft"
    start = START + timedelta(days=since)
    assert worst.alarmed_on >= start.isoformat()
    assert abs(date.fromisoformat(worst.since) - start) <= timedelta(days=4)
    assert worst.mean_excess == pytest.approx(excess, abs=0.07)
    assert reading.reason.startswith(f"new_aircraft alarmed on {worst.alarmed_on}: champion loses .")
    assert "overall quiet" in reading.reason


@pytest.mark.parametrize("noisy", [0, 7, 200])
@pytest.mark.parametrize("n", [50, 5000])
def test_s47_one_noisy_window_does_not_alarm(noisy, n):
    days = _right_wrong(np.random.default_rng(4), 50, 220)
    days[noisy] = np.ones(n)
    reading = _read(_stream(days))
    assert reading.alarms == ()
    assert _read(_stream(days), min_days=1, day_correlation=0).alarms == ("overall",)


def test_a_trivial_but_certain_loss_is_no_reason_to_roll_back():
    days = [np.full(5000, 0.001)] * 100
    assert _read(_stream(days)).alarms == ()
    assert _read(_stream(days), trivial=0, day_correlation=0).alarms == ("overall",)


def test_a_better_champion_never_alarms():
    days = _right_wrong(np.random.default_rng(5), 500, 100, excess=-0.05)
    reading = _read(_stream(days))
    assert reading.alarms == ()
    assert reading.readings[0].evidence < 1


def test_alpha_is_shared_out_and_never_exceeded():
    streams = [_stream([]), *(_stream([], f"c{k}", "critical") for k in range(2))]
    streams += [_stream([], f"s{k}", "standard") for k in range(5)] + [_stream([], "t", "long_tail")]
    thresholds = MONITOR().thresholds(streams)
    assert thresholds["overall"] == pytest.approx(365 / 0.025)
    assert thresholds["c0"] == pytest.approx(365 / (0.0125 / 2))
    assert thresholds["s0"] == thresholds["t"] == pytest.approx(365 / (0.0125 / 6))
    assert sum(365 / t for t in thresholds.values()) == pytest.approx(0.05)
    alone = MONITOR().thresholds([_stream([])])
    assert alone == {"overall": pytest.approx(365 / 0.05)}
    only_critical = MONITOR().thresholds(streams[:3])
    assert only_critical["c0"] == pytest.approx(365 / 0.0125)


def test_plain_settings_give_the_published_detector():
    days = _right_wrong(np.random.default_rng(6), 80, 30, excess=0.01)
    reading = _read(_stream(days), trivial=0, day_correlation=0, min_days=1)
    expected = shiryaev_roberts([log_factor(day) for day in days])[-1]
    assert np.log(reading.readings[0].evidence) == pytest.approx(expected)


def test_too_few_labels_cannot_alarm():
    days = [np.ones(1)] * 29
    assert _read(_stream(days)).alarms == ()
    assert _read(_stream(days), min_labels=20).alarms == ("overall",)


@pytest.mark.parametrize("lasting", [False, True])
def test_an_alarm_stays_as_it_was_when_later_days_arrive_and_empty_days_change_nothing(lasting):
    days = _right_wrong(np.random.default_rng(7), 300, 60, excess=0.10, since=20)
    first = _read(_stream(days[:35]), lasting_shocks=lasting).readings[0]
    assert first.alarmed_on is not None
    assert _read(_stream(days), lasting_shocks=lasting).readings[0] == first
    listed = _stream([part for day in days[:30] for part in (day, [])])
    silent = replace(listed, days=listed.days[::2], excess=listed.excess[::2])
    assert _read(listed, lasting_shocks=lasting).readings[0] == _read(silent, lasting_shocks=lasting).readings[0]


def test_shocks_that_last_alarm_unless_they_are_paid_for_and_a_fault_is_still_found():
    """Shocks of 3 points with an autocorrelation of .5: nobody is worse."""

    def days(rng, length, fault=0.0, since=0):
        shock, out = 0.0, []
        for day in range(length):
            shock = 0.5 * shock + np.sqrt(1 - 0.5**2) * rng.normal(0, 0.03)
            out.append(_right_wrong(rng, 1000, 1, np.clip(shock + fault * (day >= since), -0.07, 0.3))[0])
        return out

    quiet = [_stream(days(np.random.default_rng(seed), 250)) for seed in range(16)]
    assert sum(bool(_read(s, lasting_shocks=False).alarms) for s in quiet) >= 4, "or the attack is none"
    assert sum(bool(_read(s).alarms) for s in quiet) <= 1
    assert _read(_stream(days(np.random.default_rng(1), 100, 0.15, 60))).alarms == ("overall",)


def _under_one_storm(rng, length, fault):
    """overall and ten slices of 60 rows a day under shocks of 5 points that all share and that last; the first slice
    is worse by `fault`."""
    shock, days = 0.0, []
    for _ in range(28 + length):
        shock = 0.5 * shock + np.sqrt(1 - 0.5**2) * rng.normal(0, 0.05)
        means = np.clip(shock + np.r_[fault, np.zeros(9)], -0.4, 0.4)
        days.append([_right_wrong(rng, 60, 1, mean)[0] for mean in means])
    parts = [[day[k] for day in days] for k in range(10)]
    named = {"overall": [np.concatenate(day) for day in days], **{f"s{k}": own for k, own in enumerate(parts)}}
    before = {name: tuple(day_sums(day) for day in own[:28]) for name, own in named.items()}
    return [replace(_stream(own[28:], name), before=before[name]) for name, own in named.items()]


def test_a_fault_of_one_slice_under_shocks_that_all_share_is_found_sooner_beside_the_other_rows():
    sooner = []
    for seed in range(6):
        streams = _under_one_storm(np.random.default_rng(seed), 28, 0.0)
        broken = _under_one_storm(np.random.default_rng(seed), 28, 0.15)[1]
        assert _read(*streams).alarms == ()
        broken = replace(broken, before=streams[1].before)  # the fault comes with the deployment
        beside, alone = (
            _read(streams[0], broken, *streams[2:]),
            _read(broken, *streams[2:]),
        )  # nothing known of all rows
        days = [{r.slice: r.alarmed_on for r in reading.readings}["s0"] for reading in (beside, alone)]
        assert days[0] is not None, "found within four weeks"
        sooner.append(days[1] is None or days[0] < days[1])
    assert sum(sooner) >= 5


def test_nothing_to_compare_is_said_and_is_no_alarm():
    none, empty = _read(), _read(_stream([]), _stream([[], []], "a"))
    assert (none.alarms, empty.alarms) == ((), ())
    assert "no previous champion" in none.reason
    assert "no matured rows" in empty.reason
    assert empty.readings[0].mean_excess is None
    assert empty.readings[0].evidence == 0


@pytest.mark.parametrize(
    ("streams", "says"),
    [
        ([_stream([[0.1]]), _stream([[0.1]])], "one stream"),
        ([PairedStream("overall", "standard", ("2013-08-02", "2013-08-01"), (np.zeros(1), np.zeros(1)))], "in order"),
        ([PairedStream("overall", "standard", ("2013-08-02",), ())], "1 days, 0 arrays"),
        ([_stream([[0.1], [float("nan")]])], "finite"),
        ([_stream([[3.0]])], "within"),
    ],
)
def test_malformed_streams_are_refused(streams, says):
    with pytest.raises(ContinualError, match=says):
        _read(*streams)


def test_readings_of_a_broken_year_are_plain_json():
    reading = _read(_stream([np.ones(5000)] * 365), _stream([[]], "a", "long_tail"))
    assert '"alarms":["overall"]' in canonical_json(reading)
    assert np.isfinite(reading.readings[0].evidence)


def test_schema_documents_every_parameter():
    schema = MONITOR.model_json_schema()
    assert schema["properties"]["kind"]["const"] == "e_detector"
    assert all(field.get("description") for field in schema["properties"].values())


def test_s47_one_wild_first_day_does_not_alarm_either():
    days = _right_wrong(np.random.default_rng(10), 50, 60)
    days[0] = np.ones(5000)
    assert _read(_stream(days)).alarms == ()
