"""A replay of recorded history takes the decisions that the flows took on Iceberg, MLflow and SQLite, number by number.

One look is what the DAGs call at one instant (`replay.step`).
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from flow_loans import day, days
from flow_world import Stages

from continual.replay.contenders import Contender
from continual.replay.deployment import logged_history
from continual.replay.lab import Lab
from continual.replay.step import look
from continual.stores.entry import Entry

pytestmark = pytest.mark.integration
DAYS = 22
#: What a training took is measured and differs from run to run, and so does what the retrain cost.
MEASURED = {"trained", "retrain_scored"}


def _unmeasured(found: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in found.items() if name != "cpu_seconds"}


def told(entries: list[Entry]) -> list[dict[str, Any]]:
    """Kind, key, instant, reason and evidence. Ids of datasets count in the order they came (a replay keeps positions
    instead of copies); hashes of entries cover the wall clock."""
    names: dict[str, str] = {}

    def plain(text: str) -> str:
        for found in re.findall(r"\b[0-9a-f]{64}\b", text):
            names.setdefault(found, f"dataset {len(names) + 1}")
            text = text.replace(found, names[found])
        for long, name in names.items():
            text = text.replace(f"dataset {long[:12]}", name)
        return text

    out = []
    for entry in (entry for entry in entries if entry.kind not in MEASURED):
        evidence = json.loads(json.dumps(entry.evidence), object_hook=_unmeasured)
        if entry.kind == "verdict":
            evidence["evaluation"].pop("hash")
        said = {"kind": entry.kind, "as_of": str(entry.as_of), "evidence": evidence, "reason": entry.reason}
        out.append(json.loads(plain(json.dumps({**said, "key": entry.key}))))
    return out


def test_a_replay_decides_as_the_flows_did(stages: Stages, tmp_path: Path) -> None:
    world = stages("empty")
    world.edit("every_days: 14", "every_days: 11")
    for number in range(DAYS):
        world.log(number, number + 1)
        done = look(world.ws(), days(number, number + 1))
        assert not done.failed
    ws = world.ws()
    recorded = ws.ledger.entries()
    lab = Lab(logged_history(ws), tmp_path, ws.settings, live=ws.loaded, end=day(DAYS))
    contender = Contender("same", ws.loaded)
    played = lab.play(contender)
    sandbox = lab.open(contender)
    again = told(sandbox.ledger.entries())
    sandbox.db.close()
    for ours, theirs in zip(again, told(recorded), strict=True):
        assert ours == theirs
    assert [reign.version for reign in played.reigns] == ["1", "2"]
    assert {"trigger", "retrain", "evaluation", "verdict", "champion", "monitor"} <= {e.kind for e in recorded}
    served = ws.log.read_predictions(days(0, DAYS), day(DAYS))["prediction"].to_numpy()
    assert [float(x) for x in served if x == x] == [float(x) for x in played.answers if x == x]
    assert ws.ledger.entries() == recorded  # the deployment is as it was
