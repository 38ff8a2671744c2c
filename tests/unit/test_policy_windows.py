"""Windows of a retrain and the durations they are made of."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from continual.core.duration import parse, spell
from continual.core.window import Window, day_window, days_of, floor_day, utc
from continual.errors import ContinualError, NotEnoughData
from continual.policy.load import parse_policy
from continual.policy.models import Active
from continual.policy.windows import matured_until, report_window, retrain_windows

DAY = timedelta(days=1)
spans = st.builds(timedelta, hours=st.integers(1, 24 * 200))
instants = st.datetimes(datetime(2012, 12, 1), datetime(2014, 6, 1), timezones=st.sampled_from([UTC]))


@pytest.fixture(scope="module")
def policy(flights_text):
    return parse_policy(flights_text, "flights.yaml").policy


def _with(policy, lag=None, start=None, **window):
    label = policy.label.model_copy(update={"lag": lag} if lag is not None else {})
    active = Active(start=start) if start else policy.active
    window = policy.window.model_copy(update=window)
    return policy.model_copy(update={"label": label, "active": active, "window": window})


@settings(max_examples=300, deadline=None, derandomize=True)
@given(
    instants,
    spans,
    spans,
    st.builds(timedelta, hours=st.integers(0, 24 * 60)),
    st.sampled_from(["sliding", "expanding"]),
)
def test_s8_s9_training_and_judging_rows_are_disjoint_and_all_matured(policy, as_of, length, evaluation, lag, kind):
    policy = _with(policy, lag=lag, length=length, evaluation=evaluation, kind=kind)
    try:
        windows = retrain_windows(policy, as_of)
    except NotEnoughData:
        assert floor_day(as_of - lag) - evaluation <= policy.active.start
        return
    training, judging = windows.training, windows.evaluation
    assert not training.overlaps(judging)
    assert training.end == judging.start
    assert judging.end == matured_until(policy, as_of) == floor_day(judging.end) <= as_of - lag
    assert as_of - lag - judging.end < DAY  # no matured day is left out
    assert judging.end - judging.start == evaluation
    assert training.start >= policy.active.start
    assert training.start == policy.active.start or (kind == "sliding" and training.end - training.start == length)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(instants, st.integers(1, 60))
def test_windows_move_forward_with_as_of(policy, as_of, days):
    assume(as_of > policy.active.start + timedelta(days=40))
    now, later = retrain_windows(policy, as_of), retrain_windows(policy, as_of + days * DAY)
    assert later.evaluation.end - now.evaluation.end == days * DAY
    assert now.training.start <= later.training.start


def test_sliding_and_expanding_on_a_day_everybody_can_count(policy):
    as_of = datetime(2013, 8, 1, 12, tzinfo=UTC)  # 36 h before: the night to 31 July
    windows = retrain_windows(policy, as_of)
    assert str(windows.training) == "2013-04-03..2013-07-03Z"
    assert str(windows.evaluation) == "2013-07-03..2013-07-31Z"
    expanding = retrain_windows(_with(policy, kind="expanding"), as_of)
    assert str(expanding.training) == "2013-01-01..2013-07-03Z"
    assert expanding.evaluation == windows.evaluation


def test_another_time_zone_is_the_same_instant(policy):
    east = datetime.fromisoformat("2013-08-01T21:00:00+09:00")
    assert retrain_windows(policy, east) == retrain_windows(policy, datetime(2013, 8, 1, 12, tzinfo=UTC))


def test_s7_too_little_history_is_said_with_dates(policy):
    with pytest.raises(NotEnoughData) as caught:
        retrain_windows(policy, datetime(2013, 1, 20, tzinfo=UTC))
    assert "as of 2013-01-20 the judging window starts 2012-12-21, history 2013-01-01" in caught.value.got
    assert "shorten window.evaluation" in caught.value.remedy


def test_the_longest_durations_do_not_overflow(policy):
    as_of = datetime(2013, 8, 1, tzinfo=UTC)
    century = parse("36525d")
    assert retrain_windows(_with(policy, length=century), as_of).training.start == policy.active.start
    with pytest.raises(NotEnoughData):
        retrain_windows(_with(policy, evaluation=century, lag=century), as_of)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("36h", timedelta(hours=36)),
        ("91d", 91 * DAY),
        ("2w", 14 * DAY),
        ("15m", DAY / 96),
        (" 30s ", DAY / 2880),
        ("0d", 0 * DAY),
    ],
)
def test_durations_as_people_write_them(text, value):
    assert parse(text) == value
    assert parse(spell(value)) == value


@pytest.mark.parametrize(
    "text", ["", "36", 36, "h", "1.5h", "-1d", "36 h ours", "٣h", "1d2h", None, True, "36527d", "9" * 400 + "d"]
)
def test_what_is_no_duration_is_refused_with_an_example(text):
    with pytest.raises(ValueError, match=r"such as '36h'|hundred years"):
        parse(text)


@given(st.integers(0, 10**9))
def test_spelling_a_duration_can_be_read_back(seconds):
    assert parse(spell(timedelta(seconds=seconds))) == timedelta(seconds=seconds)


def test_window_is_half_open_utc_and_reads_back():
    window = Window("2013-01-01T00:00:00+00:00", "2013-01-02T01:00:00+01:00")
    assert (window.days, str(window)) == (1.0, "2013-01-01..2013-01-02Z")
    assert Window.from_dict(window.as_dict()) == window
    assert not window.overlaps(Window(window.end, window.end + DAY))
    assert window.overlaps(Window(window.end - timedelta(microseconds=1), window.end))


def test_instants_without_a_zone_and_empty_windows_are_refused():
    with pytest.raises(ValueError, match=r"needs a time zone"):
        utc("2013-01-01T00:00:00")
    with pytest.raises(ValueError, match=r"needs a time zone"):
        Window(datetime(2013, 1, 1), datetime(2013, 1, 2, tzinfo=UTC))
    with pytest.raises(ValueError, match=r"must end after it starts"):
        Window("2013-01-01T00:00:00Z", "2013-01-01T00:00:00Z")


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [("7d", "2024-05-23", "2024-05-30"), ("2024-01-01..2024-02-01", "2024-01-01", "2024-02-01")],
)
def test_a_reported_window_is_matured_days_or_two_dates(policy, text: str, start: str, end: str) -> None:
    found = report_window(policy, datetime(2024, 6, 1, 6, tzinfo=UTC), text)
    assert (f"{found.start:%Y-%m-%d}", f"{found.end:%Y-%m-%d}") == (start, end)


@pytest.mark.parametrize("text", ["", "7", "2024-02-01..2024-01-01", "2024-01-01..", "2024-01-01T06:00..2024-01-02"])
def test_a_window_of_another_form_is_refused_with_both_forms(policy, text: str) -> None:
    with pytest.raises(ContinualError, match=r"28d, or two dates"):
        report_window(policy, datetime(2024, 6, 1, tzinfo=UTC), text)


def test_days_of_a_window_are_those_it_touches() -> None:
    day = date(2024, 2, 28)
    assert days_of(day_window(day)) == [day]
    two = Window(datetime(2024, 2, 28, 23, tzinfo=UTC), datetime(2024, 2, 29, 0, 0, 1, tzinfo=UTC))
    assert days_of(two) == [day, date(2024, 2, 29)]
