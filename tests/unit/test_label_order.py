"""Which rows labels are asked for: those that the next gate judges when a verdict waits, else the newest."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from continual.core.window import Window
from continual.errors import Skipped
from continual.flows.label_order import Order, judged_window, plan
from continual.policy.labelling import Labelling
from continual.policy.load import parse_policy
from continual.policy.windows import retrain_windows

DAY = timedelta(days=1)
NOW = datetime(2013, 7, 10, 9, tzinfo=UTC)


@pytest.fixture(scope="module")
def policy(flights_text):
    found = parse_policy(flights_text, "flights.yaml").policy
    return found.model_copy(update={"label": found.label.model_copy(update={"lag": 9 * DAY})})


def _with(policy, **labelling):
    return policy.model_copy(update={"labelling": Labelling(budget=500, **labelling)})


def _verdict(answer):
    evidence = {"answer": answer, "labels_needed": {"new_aircraft": 80}, "blocking": ["new_aircraft"]}
    return SimpleNamespace(as_of=NOW - DAY, seq=7, key="verdict:x", evidence={"verdict": evidence})


def test_a_pending_verdict_asks_where_the_next_gate_looks_and_nowhere_else(policy):
    now = retrain_windows(policy, NOW).evaluation
    found = plan(_with(policy, wait=2 * DAY), Order(), NOW, [], [_verdict("need_labels")], first=False)
    assert found.window == Window(now.start + 2 * DAY, now.end)  # after two days of waiting that is all of it
    assert found.window.end == datetime(2013, 7, 1, tzinfo=UTC)
    later = retrain_windows(policy, NOW + 2 * DAY).evaluation
    assert later.start == found.window.start and found.as_dict()["aim"] == "rows that judge next"


@pytest.mark.parametrize(("answer", "order"), [("promote", Order()), ("need_labels", Order(slice="new_aircraft"))])
def test_without_one_or_by_hand_the_newest_rows_are_asked_about(policy, answer, order):
    found = plan(_with(policy), order, NOW, [], [_verdict(answer)], first=False)
    assert found.window == Window(datetime(2013, 6, 12, tzinfo=UTC), datetime(2013, 7, 10, tzinfo=UTC))
    assert found.as_dict()["aim"] == "newest rows"


def test_a_long_wait_costs_a_quarter_of_the_days_at_most(policy):
    assert judged_window(_with(policy, wait=60 * DAY), NOW) == Window(
        datetime(2013, 6, 10, tzinfo=UTC), datetime(2013, 7, 1, tzinfo=UTC)
    )


def test_rows_stay_as_young_as_the_policy_wants_them(policy):
    assert judged_window(_with(policy, window=20 * DAY), NOW).start == datetime(2013, 6, 20, tzinfo=UTC)
    with pytest.raises(Skipped, match=r"widen labelling\.window"):
        judged_window(_with(policy, window=5 * DAY), NOW)
