"""Replay of one policy equals the same policy through Airflow's backfills, decision by decision."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from deployment import Deployment
from lender import Lender
from loans import day

from continual.replay.contenders import Contender
from continual.replay.deployment import logged_history
from continual.replay.lab import Lab
from continual.stores.entry import Entry

pytestmark = pytest.mark.e2e
APP = "mirrored"
#: Scores of estimates that nothing rests on, and what trainings took and retrains cost, measured anew every time.
NO_DECISION = {"estimates_scored", "trained", "retrain_scored"}
#: Days that are served by one champion or by nobody: the champion of a stretch is known when it is delivered. The
#: first one trains on day 8, the second on day 19.
STRETCHES = ((0, 7), (7, 8), (8, 19), (19, 22))


@pytest.fixture(scope="module")
def backfilled(deployment: Deployment) -> Lender:
    lender = deployment.lender(APP)
    lender.edit("every_days: 60", "every_days: 11")
    for first, last in STRETCHES:
        lender.deliver(first, last)
        _until_backfills_are_closed(deployment)
        number = deployment.airflow.backfill(f"{APP}.ingest", day(first), day(last - 1), "none")
        deployment.airflow.wait_backfill(number, 180)
        deployment.idle(APP)
    return lender


def _until_backfills_are_closed(deployment: Deployment) -> None:
    """Airflow looks every 30 seconds, and accepts no second backfill of a DAG before."""

    def closed() -> bool:
        found = deployment.airflow.http.get("/backfills", dag_id=f"{APP}.ingest")["backfills"]
        return all(backfill["completed_at"] for backfill in found)

    deployment.until("earlier backfills closed", closed)


def _unmeasured(found: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in found.items() if name != "cpu_seconds"}


def _told(entries: list[Entry]) -> dict[str, dict[str, Any]]:
    """Decisions by key: kind, instant, reason and every number. Ids of datasets count in the order they came (a replay
    keeps positions instead of copies), hashes of ledger entries cover the wall clock."""
    names: dict[str, str] = {}

    def plain(text: str) -> str:
        for found in re.findall(r"\b[0-9a-f]{64}\b", text):
            names.setdefault(found[:12], f"dataset {len(names) + 1}")
            text = text.replace(found, names[found[:12]])
        for short, name in names.items():
            text = text.replace(f"dataset {short}", name)
        return text

    out = {}
    for entry in entries:
        evidence = json.loads(json.dumps(entry.evidence), object_hook=_unmeasured)
        if entry.kind == "verdict":
            evidence["evaluation"].pop("hash")
        said = json.loads(plain(json.dumps({"evidence": evidence, "reason": entry.reason})))
        out[plain(entry.key)] = {"kind": entry.kind, "as_of": entry.as_of, **said}
    return out


def test_a_replay_decides_as_the_backfill_did(backfilled: Lender, tmp_path: Path) -> None:
    ws = backfilled.ws()
    recorded = [entry for entry in ws.ledger.entries() if entry.kind not in NO_DECISION]
    looks = tuple(entry.as_of for entry in recorded if entry.kind == "trigger")
    lab = Lab(logged_history(ws), tmp_path, ws.settings, at=looks, live=ws.loaded)
    contender = Contender("same", ws.loaded)
    played = lab.play(contender)
    sandbox = lab.open(contender)
    again = [entry for entry in sandbox.ledger.entries() if entry.kind not in NO_DECISION]
    sandbox.db.close()
    ours, theirs = _told(again), _told(recorded)
    assert [entry.kind for entry in again] == [entry.kind for entry in recorded]
    assert list(ours) == list(theirs)
    for key, decision in theirs.items():
        assert ours[key] == decision, key
    assert [reign.version for reign in played.reigns] == ["1", "2"]
    assert {"trigger", "retrain", "evaluation", "verdict", "champion", "monitor"} <= {e.kind for e in recorded}
    assert not played.failed


def test_the_deployment_is_as_it_was(backfilled: Lender, tmp_path: Path) -> None:
    ws, before = backfilled.ws(), backfilled.facts()
    Lab(logged_history(ws), tmp_path, ws.settings, live=ws.loaded, end=day(10)).play(Contender("again", ws.loaded))
    assert backfilled.facts() == before
