"""Behaviour tests: every kind is found and checked; a planted fault is seen and an innocent model passes."""

from __future__ import annotations

import itertools
from dataclasses import asdict, replace

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from continual.behaviours.base import BEHAVIOURS, Subject, at_share, probe, same_names
from continual.core.canonical import canonical_json
from continual.errors import ModelUnavailable

#: Parameters without a default.
EXAMPLES = {
    "invariance": {"column": "origin", "tolerance": 0.01},
    "directional": {"column": "distance", "delta": 1.0},
    "latency": {},
    "size": {"max_bytes": 1000},
}


def _rows(n=40):
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "origin": rng.choice(["EWR", "JFK", "LGA"], n),
            "dest": rng.choice(["EWR", "BOS"], n),
            "distance": rng.normal(size=n),
        }
    )


def _by_distance(rows):
    return 1 / (1 + np.exp(-rows["distance"].to_numpy(dtype=float)))


def _by_origin(rows):
    return np.where(rows["origin"] == "JFK", 0.9, 0.1)


def _cannot(rows):
    raise ModelUnavailable("The model must score today's rows.", "boom.", "keep the other version.")


def _ticking(**costs):
    """A clock that jumps by what the last scorer cost."""
    state = {"now": 0.0, "cost": 0.0}

    def seconds():
        state["now"] += state["cost"]
        state["cost"] = 0.0
        return state["now"]

    def scorer(cost):
        def score(rows):
            state["cost"] = next(cost)
            return np.zeros(len(rows))

        return score

    return seconds, {name: scorer(itertools.cycle(cost)) for name, cost in costs.items()}


def _subject(candidate=_by_distance, champion=_by_distance, rows=None, size=lambda scorer: 800, seconds=None):
    clock = itertools.count() if seconds is None else None
    return Subject(
        _rows() if rows is None else rows, candidate, champion, size, seconds or (lambda: float(next(clock))), 7
    )


def _build(kind, **fields):
    return BEHAVIOURS.build({"kind": kind, **EXAMPLES.get(kind, {}), **fields})


@pytest.mark.parametrize("kind", BEHAVIOURS.kinds)
def test_every_behaviour_gives_frozen_evidence_with_one_sentence(kind):
    behaviour, subject = _build(kind), _subject()
    before = subject.rows.copy()
    found = probe(behaviour, subject)
    assert (found.name, found.kind, found.limit) == (behaviour.label, kind, behaviour.limit)
    assert found.measured is not None
    assert found.measured <= found.limit, found.sentence
    assert found.sentence.startswith(f"{behaviour.label}: ")
    assert "\n" not in found.sentence
    assert canonical_json(asdict(found))
    pd.testing.assert_frame_equal(subject.rows, before)


@pytest.mark.parametrize("kind", BEHAVIOURS.kinds)
@pytest.mark.parametrize("subject", [_subject(candidate=_cannot), _subject(rows=_rows(0))])
def test_every_behaviour_that_cannot_run_does_not_hold(kind, subject):
    if kind == "size" and len(subject.rows):
        subject = replace(subject, size=lambda scorer: None)
    found = probe(_build(kind), subject)
    assert found.measured is None
    assert found.applies
    assert "could not run" in found.sentence


@pytest.mark.parametrize("kind", BEHAVIOURS.kinds)
def test_every_behaviour_documents_its_parameters(kind):
    schema = BEHAVIOURS.get(kind).model_json_schema()
    assert schema["properties"]["kind"]["const"] == kind
    assert all(field.get("description") for field in schema["properties"].values())


@pytest.mark.parametrize("fields", [{}, {"values": ["JFK", "EWR"]}, {"swap_with": "dest"}])
def test_a_model_that_reads_what_must_not_matter_is_seen(fields):
    behaviour = _build("invariance", **fields)
    assert probe(behaviour, _subject()).measured == 0
    found = probe(behaviour, _subject(candidate=_by_origin))
    assert found.measured == pytest.approx(0.8)
    assert "origin" in found.sentence


def test_invariance_under_noise_is_measured_with_the_same_noise_every_time():
    behaviour = _build("invariance", column="distance", noise=0.1, tolerance=0.05)
    found = [probe(behaviour, _subject()) for _ in range(2)]
    assert found[0] == found[1]
    assert 0.01 < found[0].measured < 0.12
    much = probe(_build("invariance", column="distance", noise=10, tolerance=0.05), _subject())
    assert much.measured > 0.4


def test_invariance_asks_only_the_share_of_rows_that_the_policy_names():
    one_row = lambda rows: np.where(np.arange(len(rows)) == 3, _by_origin(rows), 0.5)  # noqa: E731
    assert probe(_build("invariance"), _subject(candidate=one_row)).measured > 0.5
    assert probe(_build("invariance", share=0.9), _subject(candidate=one_row)).measured == 0


def test_of_several_classes_the_largest_move_counts():
    classes = lambda rows: np.column_stack([np.full(len(rows), 0.2), _by_origin(rows) - 0.1])  # noqa: E731
    assert probe(_build("invariance"), _subject(candidate=classes)).measured == pytest.approx(0.8)
    found = probe(_build("directional"), _subject(candidate=classes))
    assert found.measured is None
    assert "one number" in found.sentence


def test_directional_sees_the_wrong_way_only():
    falling = lambda rows: 1 - _by_distance(rows)  # noqa: E731
    assert probe(_build("directional"), _subject()).measured == 0
    assert probe(_build("directional"), _subject(candidate=falling)).measured > 0.1
    assert probe(_build("directional", score_must_not="rise"), _subject(candidate=falling)).measured == 0
    assert probe(_build("directional", delta=-1), _subject()).measured > 0.1


def test_directional_leaves_out_rows_without_a_value():
    rows = _rows().assign(distance=lambda f: f["distance"].where(f.index % 2 == 0))
    assert "of 20 rows" in probe(_build("directional"), _subject(rows=rows)).sentence
    none = probe(_build("directional"), _subject(rows=rows.assign(distance=np.nan)))
    assert none.measured is None


@pytest.mark.parametrize(("cost", "ratio"), [([0.01], 1.0), ([0.05], 5.0)])
def test_latency_is_a_multiple_of_the_champions_in_the_same_run(cost, ratio):
    seconds, scorers = _ticking(candidate=cost, champion=[0.01])
    found = probe(_build("latency"), _subject(scorers["candidate"], scorers["champion"], seconds=seconds))
    assert found.measured == pytest.approx(ratio)
    assert (found.measured <= found.limit) == (ratio < 2)


def test_bursts_of_load_that_hit_the_candidate_alone_do_not_decide():
    seconds, scorers = _ticking(candidate=[0.01] * 150 + [0.2] * 20 + [0.01] * 31, champion=[0.01])
    found = probe(_build("latency"), _subject(scorers["candidate"], scorers["champion"], seconds=seconds))
    assert found.measured == pytest.approx(1.0)


def test_a_machine_that_gets_slower_and_slower_slows_both():
    now = itertools.accumulate(1.002**k for k in itertools.count())
    found = probe(_build("latency"), _subject(seconds=lambda: next(now)))
    assert found.measured == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize(("kind", "fields"), [("latency", {}), ("size", {"max_bytes": None, "factor": 1.5})])
def test_what_is_compared_with_the_champion_does_not_apply_without_one(kind, fields):
    found = probe(_build(kind, **fields), _subject(champion=None))
    assert (found.measured, found.applies) == (None, False)


def test_size_has_a_ceiling_in_bytes_or_in_champions():
    bytes_of = {_by_distance: 1000, _by_origin: 2500}
    subject = _subject(candidate=_by_origin, size=bytes_of.get)
    assert probe(_build("size", max_bytes=2499), subject).measured == 2500
    assert probe(_build("size", max_bytes=None, factor=2), subject).measured == pytest.approx(2.5)


def test_a_column_that_does_not_come_any_more_is_no_pass():
    found = probe(_build("invariance", column="carrier"), _subject())
    assert found.measured is None
    assert "no column carrier" in found.sentence


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("invariance", {"values": ["a"], "noise": 0.1}),
        ("invariance", {"values": []}),
        ("invariance", {"swap_with": "origin"}),
        ("invariance", {"tolerance": float("inf")}),
        ("size", {"factor": 2}),
        ("size", {"max_bytes": None}),
        ("latency", {"factor": 0}),
        ("directional", {"share": 0}),
    ],
)
def test_tests_that_could_not_fail_or_mean_two_things_are_refused(kind, fields):
    with pytest.raises(ValidationError):
        _build(kind, **fields)


def test_at_share_is_the_smallest_bound_that_enough_rows_keep():
    values = np.array([0.0, 0.1, 0.2, 0.3, 0.4])
    assert [at_share(values, share) for share in (1.0, 0.8, 0.79, 0.2)] == [0.4, 0.3, 0.3, 0.0]


def test_two_tests_of_one_name_are_found():
    pair = [_build("invariance"), _build("invariance", tolerance=0.5), _build("size")]
    assert list(same_names(pair)) == [(1, "invariance origin")]
