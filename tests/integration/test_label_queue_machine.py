"""The label queue as a machine: no row is lost and none is leased twice, whatever happens in whatever order."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from continual.core.labelling import Answer, State, resolve
from continual.core.window import Window
from continual.stores.database import open_database
from continual.stores.label_queue import LabelQueue
from continual.stores.label_reading import LabelReading
from continual.stores.requests import Draw, DrawnRows, RequestStore

pytestmark = pytest.mark.integration
NOW = datetime(2024, 3, 1, tzinfo=UTC)
WINDOW = Window(NOW - timedelta(days=7), NOW)
TTL = timedelta(minutes=30)
PEOPLE = ("anna", "ben", "cleo")
_numbers = itertools.count()


class Queue(RuleBasedStateMachine):
    """Any order of leases, answers, ends of leases and deadlines, against what the answers alone say."""

    @initialize()
    def ask(self):
        self.now, self.given, self.closed = NOW, {}, False
        self.db = DATABASE
        self.app = f"app{next(_numbers)}"
        self.needed = {"a": 1, "b": 1, "c": 2, "d": 2}
        draw = Draw(WINDOW, NOW, "uniform", deadline=NOW + timedelta(days=3))
        states, needed = [*["open"] * len(self.needed), "unchosen"], [*self.needed.values(), 1]
        rows = DrawnRows([*self.needed, "z"], np.full(len(needed), 0.5), states, needed=needed)
        RequestStore(self.db, self.app).add(draw, rows)
        self.queue = LabelQueue(self.db, self.app, clock=lambda: self.now)
        self.reading = LabelReading(self.db, self.app, clock=lambda: self.now)
        self.leases = {}

    @rule(who=st.sampled_from(PEOPLE), count=st.integers(1, 4))
    def lease(self, who, count):
        for held in self.queue.lease(who, count, TTL):
            assert who not in {a.annotator for a in self.given.get(held.key, [])}
            self.leases[who, held.key] = held.expires_at
            found = resolve(self.given.get(held.key, []), self.needed[held.key])
            others = [w for (w, k), end in self.leases.items() if k == held.key and end > self.now and w != who]
            enough = found.votes + 1 if found.state is State.DISPUTED else self.needed[held.key]
            assert len(others) + found.votes < enough

    @rule(who=st.sampled_from(PEOPLE), key=st.sampled_from("abcdz?"), value=st.sampled_from([0.0, 1.0, None]))
    def answer(self, who, key, value):
        said = Answer(key, who, value, self.now)
        unknown = self.queue.record([said, said])
        assert bool(unknown) == (key not in self.needed)
        if not unknown:
            self.given.setdefault(key, []).append(said)
            self.leases.pop((who, key), None)

    @rule(minutes=st.sampled_from([1, 31, 60 * 24]))
    def time_passes(self, minutes):
        self.now += timedelta(minutes=minutes)

    @rule(who=st.sampled_from(PEOPLE))
    def give_back(self, who):
        mine = [key for holder, key in self.leases if holder == who]
        self.queue.release(who, mine)
        self.leases = {pair: end for pair, end in self.leases.items() if pair[0] != who}

    @rule()
    def expire(self):
        self.queue.expire(self.now)
        self.closed = self.closed or self.now >= NOW + timedelta(days=3)

    @invariant()
    def nothing_is_lost_and_states_are_what_the_answers_say(self):
        rows = self.reading.requests(everything=True).set_index("key")
        assert sorted(rows.index) == sorted(self.needed)
        for key, needed in self.needed.items():
            found = resolve(self.given.get(key, []), needed)
            waits = found.state is State.OPEN
            assert rows.loc[key, "state"] == ("expired" if waits and self.closed else found.state)
            assert rows.loc[key, "votes"] == found.votes
        unwritten = self.queue.unwritten()
        assert set(unwritten["key"]) == set(rows.index[rows["state"] == "answered"])


@pytest.fixture(scope="module", autouse=True)
def database(tmp_path_factory):
    global DATABASE  # noqa: PLW0603  one schema for all examples of the machine
    DATABASE = open_database(f"sqlite:///{tmp_path_factory.mktemp('queue')}/s.db")
    DATABASE.upgrade()
    yield
    DATABASE.close()


TestQueue = Queue.TestCase
TestQueue.settings = settings(
    max_examples=8, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)
