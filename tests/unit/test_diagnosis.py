"""Every branch from evidence to actuator."""

from __future__ import annotations

import json

import pytest

from continual.core.canonical import plain
from continual.core.diagnosis import DataFault, DiagnosisEvidence, PastChange, diagnose, quarantines


def _fault(slice="new", column="minute", role="input", active=True, days=("2024-02-01",), rows=40):
    return DataFault(slice, f"{slice} = 1", column, role, "missing", 0.8, 0.1, days, rows, active)


def _past(version, worse):
    return PastChange(version, 0.05, 0.03, worse)


INPUT, OLD, SCORE = _fault(), _fault(active=False), _fault(column="prediction", role="score")
BOTH = {"champion_past": _past("2", True), "previous_past": _past("1", True)}
LATE = "3 days are not read: the delay depends on the outcome"
TABLE = {
    "quiet": ({}, "nothing", "nothing", "no alarm"),
    "alarm, inputs clean": ({"alarms": ("new",), "clean_alarms": ("new",)}, "model", "roll_back", "no input jumped"),
    "alarm stands without faulty rows": (
        {"alarms": ("overall", "new"), "clean_alarms": ("new",), "faults": (OLD,)},
        "model", "roll_back", "also without"),
    "alarm rests on faulty rows": ({"alarms": ("new",), "faults": (INPUT,)}, "data", "quarantine", "vanishes"),
    "alarm on an ended fault": ({"alarms": ("new",), "faults": (OLD,)}, "data", "quarantine", "vanishes"),
    "alarm, labels mislead": (
        {"alarms": ("new",), "clean_alarms": ("new",), "labels_problem": LATE}, "labels", "hold", "not read"),
    "alarm and only the score jumped": (
        {"alarms": ("new",), "clean_alarms": ("new",), "faults": (SCORE,)}, "model", "roll_back", "no input jumped"),
    "fault before any label": ({"faults": (INPUT,)}, "data", "quarantine", "no alarm yet"),
    "fault outweighs the past": ({"faults": (INPUT,), **BOTH}, "data", "quarantine", "no alarm yet"),
    "an ended fault": ({"faults": (OLD,)}, "nothing", "nothing", "no alarm"),
    "a batch is refused": ({"refused": ("f.parquet: nulls",)}, "data", "hold", "f.parquet"),
    "labels cannot be read": ({"labels_problem": LATE}, "labels", "hold", "depends on the outcome"),
    "only the score jumped": ({"faults": (SCORE,)}, "unclear", "hold", "although its inputs did not"),
    "both got worse": (BOTH, "world", "retrain", "the world changed"),
    "only the champion got worse": (
        {**BOTH, "previous_past": _past("1", False)}, "unclear", "hold", "version 1 does not"),
    "only the previous got worse": ({**BOTH, "champion_past": _past("2", False)}, "nothing", "nothing", "no alarm"),
    "worse, nothing to compare": ({"champion_past": _past("2", True)}, "unclear", "hold", "no other version"),
    "alarm while both got worse": ({"alarms": ("new",), "clean_alarms": ("new",), **BOTH}, "model", "roll_back", "own"),
}  # fmt: skip


@pytest.mark.parametrize("name", TABLE)
def test_each_branch_names_cause_actuator_and_why_and_survives_the_ledger(name):
    fields, cause, actuator, says = TABLE[name]
    evidence = DiagnosisEvidence("2", "1", **fields)
    found = diagnose(evidence)
    assert (found.cause, found.actuator) == (cause, actuator)
    assert says in found.reason
    assert "\n" not in found.reason
    assert bool(found.quarantine) == (actuator == "quarantine")
    assert found.holds_retrain == (actuator in ("quarantine", "hold", "roll_back"))
    again = DiagnosisEvidence.from_dict(json.loads(json.dumps(plain(evidence.as_dict()))))
    assert diagnose(again) == found


def test_rows_to_set_aside_are_named_once_per_slice():
    age, other = _fault(column="age", days=("2024-02-02",)), _fault("b", days=("2024-02-03",))
    faults = (_fault(days=("2024-02-01",)), age, other)
    first, second = quarantines(faults)
    assert (first.slice, first.predicate, first.columns) == ("new", "new = 1", ("age", "minute"))
    assert first.days == ("2024-02-01", "2024-02-02")
    assert second.slice == "b"


def test_a_fault_of_all_rows_covers_its_slices():
    faults = (_fault("b"), _fault("overall"), _fault("c", days=("2024-02-09",)))
    assert [q.slice for q in quarantines(faults)] == ["overall", "c"]
