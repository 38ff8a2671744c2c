"""Canonical JSON, estimates, evidence and settings: values that must read back as what was written."""

from __future__ import annotations

import hashlib
import json
import math
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pendulum
import pytest
from hypothesis import given
from hypothesis import strategies as st

from continual.core.alarm import MonitorReading, PairedStream, SliceReading
from continual.core.canonical import canonical_json, digest, plain
from continual.core.estimate import Comparison, Estimate
from continual.core.labelling import Question
from continual.core.verdict import GateEvidence, MetricEvidence, SliceEvidence, Verdict
from continual.core.window import utc
from continual.errors import ContinualError, PolicyError
from continual.labelers.base import Desk
from continual.labelers.stream import Stream
from continual.settings import Settings

scalars = st.one_of(st.none(), st.booleans(), st.integers(-(2**53), 2**53), st.floats(), st.text(max_size=8))
trees = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=4), inner, max_size=4)),
)


@given(trees)
def test_canonical_json_is_strict_json_and_a_fixed_point(value):
    text = canonical_json(value)
    read = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert canonical_json(read) == text
    assert digest(read) == digest(value)


@given(st.dictionaries(st.text(max_size=4), scalars, max_size=6))
def test_the_order_of_keys_does_not_matter(value):
    assert digest(dict(reversed(value.items()))) == digest(value)


def test_numpy_sets_dates_and_values_become_plain():
    instant = datetime(2013, 1, 1, tzinfo=UTC)
    value = {1: np.float64("nan"), "s": {"b", "a"}, "t": (np.int64(3), np.bool_(True)), "at": instant, "inf": math.inf}
    assert plain(value) == {"1": None, "s": ["a", "b"], "t": [3, True], "at": "2013-01-01T00:00:00+00:00", "inf": None}
    assert plain(np.float64(0.5)) == 0.5
    assert plain(Estimate.undefined(3, 0, "no labels"))["value"] is None


def test_a_digest_is_that_of_the_bytes_a_person_would_write():
    by_hand = b'{"a":[1.5,null],"b":1}'
    assert digest({"b": 1, "a": (1.5, None)}) == hashlib.sha256(by_hand).hexdigest()


def test_s18_undefined_is_not_zero():
    estimate, comparison = Estimate.undefined(5, 0, "no labels"), Comparison.undefined(0, "one class")
    assert (estimate.value, estimate.defined, estimate.coverage) == (None, False, 0.0)
    assert (comparison.gain, comparison.p_harm, comparison.defined) == (None, None, False)
    assert estimate.method == "undefined: no labels"
    assert Estimate.undefined(0, 0, "empty").coverage is None
    assert Estimate(0.0, -1.0, 1.0, 4, 1, "mean").defined
    assert Estimate(0.0, -1.0, 1.0, 4, 1, "mean").coverage == 0.25
    assert not Comparison(0.1, None, None, None, 0.5, 3, "t").defined


def _evidence():
    estimate = Estimate(0.7, 0.6, 0.8, 100, 90, "delong")
    both = MetricEvidence(
        "roc_auc", "primary", estimate, estimate, Comparison(0.1, 0.02, 0.06, 0.14, 0.99, 90, "t", 12.0)
    )
    first = MetricEvidence("roc_auc", "primary", estimate, None, None)
    slices = (
        SliceEvidence("overall", "standard", None, (both, first)),
        SliceEvidence("carrier=UA", "critical", "overall", (first,)),
    )
    return GateEvidence(
        "7", "6", slices, ("overall", "carrier=UA"),
        {"start": "2013-07-01T00:00:00+00:00", "end": "2013-07-29T00:00:00+00:00"}, "2013-07-30T12:00:00+00:00", 2, 5,
    )  # fmt: skip


def test_evidence_reads_back_from_the_ledger_as_it_was():
    evidence = _evidence()
    again = GateEvidence.from_dict(json.loads(canonical_json(evidence)))
    assert again == evidence
    assert digest(again) == digest(evidence)


def test_verdicts_and_readings_are_plain():
    verdict = plain(Verdict("reject", "worse", ("carrier=UA",), {"carrier=UA": 12}))
    assert verdict == {
        "answer": "reject", "reason": "worse", "blocking": ["carrier=UA"],
        "labels_needed": {"carrier=UA": 12}, "findings": [],
    }  # fmt: skip
    reading = SliceReading("overall", 2.0, 40.0, None, 10, 0.1)
    assert not reading.alarmed
    assert SliceReading("overall", 50.0, 40.0, "2013-08-01", 10, 0.1).alarmed
    assert plain(MonitorReading((), (reading,), "quiet"))["readings"][0]["n"] == 10
    assert PairedStream("overall", "standard", ("2013-08-01",), (np.zeros(3),)).n == 3


def test_an_error_says_what_must_hold_what_was_got_and_what_to_do():
    error = PolicyError("A must be B.", "C.", "do D.")
    assert str(error) == "A must be B. Got: C. Do: do D."
    assert (error.must, error.got, error.remedy) == ("A must be B.", "C.", "do D.")
    assert isinstance(error, ContinualError)


def test_settings_default_to_embedded_state_under_one_home(tmp_path):
    settings = Settings.from_environment({"CONTINUAL_HOME": str(tmp_path), "CONTINUAL_CONFIGS": ""})
    assert settings.configs == Path("configs").absolute()
    assert settings.database_url == f"sqlite:///{tmp_path}/store/continual.db"
    assert settings.catalog_uri == f"sqlite:///{tmp_path}/store/catalog.db"
    assert settings.warehouse == f"file://{tmp_path}/store/warehouse"
    settings.make_folders()
    settings.make_folders()
    assert (tmp_path / "store" / "warehouse").is_dir()


def test_s57_services_are_looked_for_on_loopback_unless_told():
    settings = Settings.from_environment({})
    assert settings.tracking_uri.startswith("http://127.0.0.1:")
    assert settings.airflow_url.startswith("http://127.0.0.1:")
    assert settings.home == Path("var/continual").absolute()


def test_every_setting_can_be_set(monkeypatch):
    names = {
        "CONTINUAL_DATABASE_URL": "database_url", "CONTINUAL_CATALOG_URI": "catalog_uri",
        "CONTINUAL_WAREHOUSE": "warehouse",
        "MLFLOW_TRACKING_URI": "tracking_uri", "CONTINUAL_AIRFLOW_URL": "airflow_url",
    }  # fmt: skip
    for variable in names:
        monkeypatch.setenv(variable, f"x://{variable}")
    settings = Settings.from_environment()
    assert {variable: getattr(settings, field) for variable, field in names.items()} == {v: f"x://{v}" for v in names}


def test_s11_the_stream_labeler_asks_nobody_and_says_so():
    desk = Desk("loans", Question("repaid?"), Path("somewhere"))
    assert Stream().asks is False
    assert Stream().offer(desk, []).said == "labels come by themselves"
    assert Stream().fetch(desk).answers == ()


def test_airflows_instants_become_plain_ones():
    """pandas refuses to compare with a subclass of datetime."""
    found = utc(pendulum.datetime(2024, 1, 2, 3, 4, 5, 6, tz="Europe/Paris"))
    assert type(found) is datetime
    assert found == datetime(2024, 1, 2, 2, 4, 5, 6, tzinfo=UTC)
