"""What a sampler is given: the champion and its rival as they are registered, slices, needs, believable confidence."""

from __future__ import annotations

import numpy as np
import pytest
from flow_loans import day, days
from flow_world import Stages

from continual.flows import pool
from continual.flows.confidence import confidence
from continual.samplers.uncertainty import Uncertainty
from continual.samplers.uniform import Uniform

pytestmark = pytest.mark.integration


class Curious(Uncertainty):
    """Reads everything there is."""

    @property
    def reads(self):
        return frozenset({"model", "rival", "committee", "slices", "needed", "event_time"})


def test_a_pool_has_what_its_sampler_reads_and_nothing_more(stages: Stages) -> None:
    ws = stages("judged").ws()
    rows = ws.log.read_predictions(days(22, 24), day(24))
    found = pool.pool_of(ws, rows, day(24), Curious(budget=50))
    assert len(found) == len(rows) == 600
    assert found.slices["startups"].sum() == (rows["sector"] == "startup").sum() > 0
    assert {"region=east", "region=north", "region=west"} < set(found.slices)
    served = found.model.predict_proba(found.features)
    assert served[:, 1] == pytest.approx(rows["prediction"].to_numpy())  # version 1 served these days
    assert np.abs(found.rival.predict_proba(found.features)[:, 1] - served[:, 1]).max() > 0.2
    assert len(found.committee) == 2
    assert found.calibration(served).sum(axis=1) == pytest.approx(np.ones(600))
    sample = Curious(budget=50).draw(found, 0)
    assert sample.probability.sum() == pytest.approx(50)
    bare = pool.pool_of(ws, rows, day(24), Uniform(budget=50))
    assert (bare.model, bare.rival, bare.committee, bare.slices, bare.calibration) == (None, None, (), {}, None)


def test_before_the_first_champion_nothing_is_loaded(stages: Stages) -> None:
    ws = stages("logged").ws()
    rows = ws.log.read_predictions(days(8, 10), day(10))
    found = pool.pool_of(ws, rows, day(10), Curious(budget=50))
    assert (found.model, found.rival, found.committee, dict(found.needed)) == (None, None, (), {})


def test_confidence_comes_from_rows_the_version_was_not_trained_on(stages: Stages) -> None:
    """Version 1 does not know `bureau`, which decides since day 10: it is less sure when asked again."""
    world = stages("champion")
    ws = world.ws()
    rows = ws.log.read_predictions(days(22, 24), day(24))
    model = pool.pool_of(ws, rows, day(24), Curious(budget=50)).model
    raw = model.predict_proba(rows)
    believed = confidence(ws, "1", model, day(24))(raw)
    assert believed.max(axis=1).mean() < raw.max(axis=1).mean()
    assert confidence(ws, "1", model, day(6)) is None  # all it knows then it was trained on


def test_draws_at_two_instants_are_independent_and_one_repeats(stages: Stages) -> None:
    ws = stages("logged").ws()
    one, again, other = (pool.seed_of(ws, days(0, 5), day(n)) for n in (6, 6, 7))
    assert one == again != other
