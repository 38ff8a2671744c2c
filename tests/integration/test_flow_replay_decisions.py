"""A ledger derived again: a real SQLite ledger with decisions of the real gate, trigger and monitor."""

from __future__ import annotations

import importlib.util
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from continual.flows.replay_decisions import DERIVES, rederive
from continual.policy.former import hash_of
from continual.policy.last_good import PolicyShelf
from continual.stores.ledger import Ledger

pytestmark = pytest.mark.integration

_PATH = Path(__file__).parents[2] / "benchmarks" / "ledger_replay.py"
_SPEC = importlib.util.spec_from_file_location("benchmark_ledger_replay", _PATH)
assert _SPEC is not None and _SPEC.loader is not None
benchmark = importlib.util.module_from_spec(_SPEC)
sys.modules[_SPEC.name] = benchmark
_SPEC.loader.exec_module(benchmark)

Opened = tuple[Ledger, PolicyShelf, Any]


@pytest.fixture
def opened(tmp_path: Path) -> Opened:
    ledger, shelf, loaded = benchmark.open_ledger(tmp_path)
    return ledger, shelf, loaded


def change(ledger: Ledger, statement: str) -> None:
    from sqlalchemy import text

    with ledger.db.write() as connection:
        connection.execute(text(statement))


def test_a_thousand_decisions_of_every_kind_are_derived_again_to_the_byte(opened: Opened) -> None:
    ledger, shelf, loaded = opened
    benchmark.fill(ledger, loaded, 1000)
    found = list(rederive(ledger, shelf))
    assert len(found) >= 1000
    assert {one.kind for one in found} == set(DERIVES)
    assert [one for one in found if not one.same] == []
    answers = Counter((one.kind, one.answer) for one in found)
    # otherwise 'identical' could mean that there is only one answer
    assert all(answers[kind] for kind in [("verdict", "promote"), ("verdict", "reject"), ("trigger", "retrain")])
    assert answers["monitor", "alarm"] == answers["alarm", "alarm"] > 0 < answers["monitor", "quiet"]
    old = [e for e in ledger.entries(kind="evaluation") if "history" not in e.evidence["gate"]]
    assert 100 < len(old) < 500
    assert ledger.verify() == len(ledger.entries())


@pytest.mark.parametrize(
    ("kind", "statement", "says"),
    [
        ("verdict", "json_set(evidence, '$.verdict.spending.left', 0.04)", "same answer, other spending"),
        ("trigger", "json_set(evidence, '$.retrain', NOT (evidence ->> '$.retrain'))", "now"),
        ("monitor", "json_set(evidence, '$.reading.alarms', json_array('s1'))", "now quiet"),
        ("monitor", "json_remove(evidence, '$.reading')", "the evidence is incomplete"),
        ("trigger", "json_remove(evidence, '$.evidence.as_of')", "the evidence is incomplete"),
        ("alarm", "json_set(evidence, '$.reading.reason', 'all well')", "another reading"),
        ("labels_asked", "json_set(evidence, '$.account.budget', 5000)", "same answer, other account"),
        ("labels_asked", "json_set(evidence, '$.cost', 1)", "same answer, other cost"),
    ],
)
def test_a_decision_that_does_not_follow_is_found(opened: Opened, kind: str, statement: str, says: str) -> None:
    ledger, shelf, loaded = opened
    benchmark.fill(ledger, loaded, 10)
    wanted = f"(SELECT min(seq) FROM decision WHERE kind = '{kind}' AND key <> 'verdict:evaluation:0')"
    change(ledger, f"UPDATE decision SET evidence = {statement} WHERE seq = {wanted}")
    wrong = [one for one in rederive(ledger, shelf) if one.kind == kind and not one.same]
    assert len(wrong) == 1
    assert says in wrong[0].difference


def test_a_guard_is_believed_only_if_the_ledger_holds_what_it_speaks_of(opened: Opened) -> None:
    ledger, shelf, loaded = opened
    rollback = {"kind": "rollback"}
    as_of = benchmark.START
    evidence = {"as_of": as_of, "last_retrain": None, "new_labels": 0, "has_champion": True}
    record = {"evidence": evidence, "retrain": False}
    ledger.append("champion", "c", as_of, "rolled back", rollback, loaded.hash)
    for day in ("2024-01-01", "2024-01-02"):
        reason = f"no retrain: cooling down after the rollback of {day}"
        ledger.append("trigger", f"trigger:{day}", as_of, reason, record, loaded.hash)
    assert [one.same for one in rederive(ledger, shelf)] == [True, None]


def test_a_trigger_that_a_diagnosis_decided_follows_from_the_diagnosis(opened: Opened) -> None:
    ledger, shelf, loaded = opened
    as_of, diagnosis = benchmark.START, {"actuator": "hold", "reason": "labels come late"}
    evidence = {"as_of": as_of, "last_retrain": None, "new_labels": 0, "has_champion": True}
    ledger.append("diagnosis", "d", as_of, "hold", {"evidence": {}, "diagnosis": diagnosis}, loaded.hash)
    for answer in ("on hold: labels come late", "on hold: another reason"):
        record = {"evidence": evidence, "retrain": False}
        ledger.append("trigger", f"trigger:{answer}", as_of, f"no retrain: {answer}", record, loaded.hash)
    triggers = [one for one in rederive(ledger, shelf) if one.kind == "trigger"]
    assert [one.same for one in triggers] == [True, False]


def test_decisions_of_a_release_with_another_default_are_derived_again(opened: Opened) -> None:
    """The monitor once took each day by itself, and the policy did not say so: its hash is another one."""
    ledger, shelf, loaded = opened
    meaning = loaded.policy.model_dump(mode="json")
    del meaning["gate"]["label_noise"]
    meaning["monitor"]["lasting_shocks"] = False
    then = hash_of(meaning)
    assert then != loaded.hash
    (shelf.root / ledger.app / f"{then}.yaml").write_text(loaded.text, encoding="utf-8")
    benchmark.fill(ledger, replace(loaded, hash=then), 60)
    found = list(rederive(ledger, shelf))
    assert {one.kind for one in found} == set(DERIVES)
    assert [one for one in found if not one.same] == []
    assert not shelf.by_hash(ledger.app, then).policy.monitor.lasting_shocks
