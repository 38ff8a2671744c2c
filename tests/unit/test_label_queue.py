"""The label queue: what answers make together does not depend on their order; who gets which row."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from continual.core.labelling import Answer, State, Task, Use, resolve
from continual.core.window import Window
from continual.stores.database import open_database
from continual.stores.label_queue import LabelQueue
from continual.stores.requests import Draw, DrawnRows, RequestStore

NOW = datetime(2024, 3, 1, tzinfo=UTC)
WINDOW = Window(NOW - timedelta(days=7), NOW)
TTL = timedelta(minutes=30)
PEOPLE = ("anna", "ben", "cleo")
answers = st.builds(
    Answer,
    key=st.just("a"),
    annotator=st.sampled_from(PEOPLE),
    value=st.sampled_from([None, 0.0, 1.0]),
    answered_at=st.integers(0, 5).map(lambda hours: NOW + timedelta(hours=hours)),
    decides=st.booleans(),
)


def answer(who, value, hours=0.0, key="a", decides=False):
    return Answer(key, who, value, NOW + timedelta(hours=hours), decides=decides)


@given(st.lists(answers, max_size=6), st.integers(1, 3), st.randoms())
def test_s12_what_answers_say_together_does_not_depend_on_their_order(given, needed, random):
    shuffled = [*given, *given]  # every answer delivered twice
    random.shuffle(shuffled)
    assert resolve(shuffled, needed) == resolve(given, needed)


@pytest.mark.parametrize(
    ("given", "needed", "state", "value"),
    [
        ([], 1, State.OPEN, None),
        ([answer("anna", 1.0)], 1, State.ANSWERED, 1.0),
        ([answer("anna", 1.0)], 2, State.OPEN, None),
        ([answer("anna", 1.0), answer("ben", 1.0)], 2, State.ANSWERED, 1.0),
        ([answer("anna", 1.0), answer("ben", 0.0)], 2, State.DISPUTED, None),
        ([answer("anna", 1.0), answer("ben", 0.0)], 1, State.DISPUTED, None),  # a late conflict is not ignored
        ([answer("anna", 1.0), answer("ben", 0.0), answer("cleo", 0.0)], 2, State.ANSWERED, 0.0),
        ([answer("anna", 1.0), answer("anna", 0.0, 1)], 1, State.ANSWERED, 0.0),  # a changed mind
        ([answer("anna", None)], 1, State.OPEN, None),
        ([answer("anna", None), answer("ben", None)], 1, State.CANCELLED, None),
        ([answer("anna", None), answer("ben", None), answer("cleo", 1.0)], 1, State.ANSWERED, 1.0),
        ([answer("anna", 1.0), answer("ben", 0.0), answer("dora", 1.0, decides=True)], 2, State.ANSWERED, 1.0),
    ],
)
def test_s12_resolution(given, needed, state, value):
    found = resolve(given, needed)
    assert (found.state, found.value) == (state, value)


def test_numbers_that_are_close_agree_on_their_median():
    close, far = [answer("anna", 10.0), answer("ben", 10.4)], [answer("anna", 10.0), answer("ben", 20.0)]
    assert resolve(close, 2, tolerance=0.5).value == pytest.approx(10.2)
    assert resolve(far, 2, tolerance=0.5).state is State.DISPUTED
    assert resolve([*far, answer("cleo", 12.0)], 2, tolerance=0.5).value == 12.0


def test_nobody_sees_a_models_answer_on_a_row_that_judges():
    with pytest.raises(ValueError, match="must not see"):
        Task("a", {}, Use.EVALUATION, guess=0.7)
    assert Task("a", {}, Use.TRAINING, guess=0.7).guess == 0.7


@pytest.fixture(scope="module", autouse=True)
def database(tmp_path_factory):
    global DATABASE  # noqa: PLW0603
    DATABASE = open_database(f"sqlite:///{tmp_path_factory.mktemp('queue')}/s.db")
    DATABASE.upgrade()
    yield
    DATABASE.close()


@pytest.fixture
def queue(request):
    app, now = request.node.name, [NOW]
    rows = DrawnRows(
        [f"k{i}" for i in range(5)], np.full(5, 0.5), needed=[1, 1, 1, 2, 1], priority=[float(i) for i in range(5)]
    )
    RequestStore(DATABASE, app).add(Draw(WINDOW, NOW, "uniform"), rows)
    found = LabelQueue(DATABASE, app, clock=lambda: now[0])
    found.sets = lambda later: now.__setitem__(0, NOW + later)
    return found


def keys(held):
    return [one.key for one in held]


def test_a_person_gets_back_the_rows_they_hold_and_others_get_other_rows(queue):
    assert keys(queue.lease("anna", 2, TTL)) == ["k4", "k3"]
    assert keys(queue.lease("anna", 2, TTL)) == ["k4", "k3"]
    assert keys(queue.lease("ben", 2, TTL)) == ["k3", "k2"]  # k3 needs two people


def test_s11_the_row_of_an_annotator_who_went_away_is_free_again(queue):
    queue.lease("anna", 1, TTL)
    assert "k4" not in keys(queue.lease("ben", 5, TTL))
    queue.sets(TTL + timedelta(seconds=1))
    assert "k4" in keys(queue.lease("ben", 5, TTL))


def test_disagreements_come_first_and_go_to_a_third_person(queue):
    queue.record([answer("anna", 1.0, key="k3"), answer("ben", 0.0, key="k3")])
    assert keys(queue.lease("cleo", 2, TTL)) == ["k3", "k4"]
    assert keys(queue.lease("anna", 2, TTL)) == ["k2", "k1"]
    queue.record([answer("cleo", 0.0, key="k3")])
    assert dict(queue.unwritten()[["key", "value"]].itertuples(index=False)) == {"k3": 0.0}


def test_s12_a_late_answer_counts_and_a_written_label_is_written_once(queue):
    assert queue.expire(NOW + timedelta(days=9)) == 0  # no deadline
    assert queue.cancel(["k1", "k2"]) == 2
    assert "k1" not in keys(queue.lease("anna", 5, TTL))
    queue.record([answer("anna", 1.0, 90, key="k1")])
    (row,) = queue.unwritten().to_dict("records")
    assert (row["key"], row["value"], row["known_at"]) == ("k1", 1.0, NOW + timedelta(hours=90))
    queue.mark_written(["k1"], [1.0])
    assert queue.unwritten().empty
    queue.record([answer("anna", 0.0, 91, key="k1")])
    assert queue.unwritten()["value"].tolist() == [0.0]


def test_a_second_opinion_leaves_the_label_in_the_log_until_it_differs(queue):
    queue.record([answer("anna", 1.0, key="k1")])
    queue.mark_written(["k1"], [1.0])
    assert queue.second_opinion(["k1", "k2"]) == 1
    assert queue.unwritten().empty
    assert "k1" in keys(queue.lease("ben", 5, TTL))
    queue.record([answer("ben", 0.0, key="k1"), answer("cleo", 0.0, key="k1")])
    assert queue.unwritten()["value"].tolist() == [0.0]
