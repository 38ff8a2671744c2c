"""The trigger's evidence and its prices: through JSON and back, also evidence of earlier releases."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from continual.core.canonical import canonical_json
from continual.core.prices import Prices
from continual.core.trigger_evidence import (
    ColumnDrift,
    DayGain,
    Generation,
    Look,
    PastRetrain,
    ShadowSpent,
    TriggerEvidence,
)

NOW = datetime(2013, 8, 1, tzinfo=UTC)
FULL = TriggerEvidence(
    as_of=NOW,
    last_retrain=NOW - timedelta(days=9.5),
    new_labels=12,
    has_champion=True,
    champion="3",
    age=40.0,
    reigning=9.5,
    prices=Prices(unit="EUR", point=40, bad_day=5),
    volume=900.0,
    days=(DayGain("2013-07-20", 20.0, 900, 880, 0.71, 0.69, 0.73, 0.72, 0.01, 0.004, "s1"),),
    generations=(Generation("2", 30, 4.0, 0.2),),
    retrains=(PastRetrain("2013-07-01T00:00:00+00:00", 12.5, 0, True, False, 0.8),),
    shadow=ShadowSpent(2, 3.5, "2013-07-25T00:00:00+00:00", 2000),
    looks=(Look("2013-07-20T00:00:00+00:00", "overall", "roc_auc", 1, 0.7, 0.68, 0.72, 880, 0.73),),
    drift=(ColumnDrift("temp", "l1", 0.2, 0.1, 0.3, 0.05, 900),),
)


def test_evidence_is_the_same_through_the_ledgers_json():
    again = TriggerEvidence.from_dict(json.loads(canonical_json(FULL.as_dict())))
    assert again == FULL
    assert again.since_retrain == 9.5


def test_evidence_of_an_earlier_release_is_read():
    old = {"as_of": NOW.isoformat(), "last_retrain": None, "new_labels": 3, "has_champion": False}
    found = TriggerEvidence.from_dict(old)
    assert (found.prices, found.days, found.since_retrain) == (None, (), None)


@pytest.mark.parametrize(("per", "worth"), [("day", 100), ("1000_predictions", 250)])
def test_a_point_is_paid_by_the_day_or_by_the_prediction(per, worth):
    assert Prices(point=50, per=per).worth(2.0, 2500) == worth


@pytest.mark.parametrize(
    "fields",
    [{"point": -1}, {"label": float("inf")}, {"unit": ""}, {"unit": "<b>"}, {"point_size": 0}, {"cpu_seconds": 1}],
)
def test_prices_that_mean_nothing_are_refused(fields):
    with pytest.raises(ValidationError):
        Prices(**fields)


def test_amounts_are_for_people():
    assert [Prices(unit="EUR").money(x) for x in (1234.5, 3.14159, -0.5)] == ["1,234 EUR", "3.14 EUR", "-0.5 EUR"]
