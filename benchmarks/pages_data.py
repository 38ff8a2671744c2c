"""A made-up deployment for benchmarks/pages.py: cells of 500 slices on 90 days, 1,000 versions, 100,000 decisions."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from continual.cells.build import Day, build_day
from continual.core.estimate import Comparison, Estimate
from continual.core.verdict import (
    Answer,
    GateEvidence,
    MetricEvidence,
    SliceClass,
    SliceEvidence,
    SliceFinding,
    Spending,
    Verdict,
)
from continual.core.window import Window
from continual.flows.cells import plan_of
from continual.flows.workspace import Workspace
from continual.settings import Settings
from continual.stores.batches import Batch
from continual.stores.cells import EPOCH, StoredCells
from continual.stores.entry import GENESIS, Entry, storable
from continual.stores.evaluations import Evaluation

APP, DAYS, ROWS = "pages", 90, 20_000
COLUMNS = [f"c{i}" for i in range(10)]
VALUES = 50
VERSIONS, ENTRIES = 1000, 100_000
START = datetime(2026, 1, 1, tzinfo=UTC)
END = START + timedelta(days=DAYS)
AS_OF = END + timedelta(days=2)
NAMES = ["live", "1000", "999", "1001"]

POLICY = f"""
application: {APP}
description: Made up.
owner: nobody
active: {{start: 2023-01-01T00:00:00Z}}
source: {{kind: folder, predictions: landing/p, labels: landing/l}}
features: {{categorical: [{", ".join(COLUMNS)}], numeric: [x]}}
label: {{name: bad, task: binary, lag: 2d}}
sampler: {{kind: uniform, budget: 100000}}
labeler: {{kind: stream}}
trainers: [{{name: boosting}}]
slices: [{", ".join(f"{{by: {c}, top: {VALUES}}}" for c in COLUMNS)}]
store: {{bins: BINS, windows: [7d, 28d]}}
metrics:
  - {{kind: roc_auc, owner: a, priority: primary, margin: 0.02, floor: 0.6}}
  - {{kind: brier, owner: b, priority: guardrail, margin: 0.01}}
  - {{kind: log_loss, owner: c, priority: report}}
gate: {{kind: graded}}
monitor: {{kind: e_detector}}
trigger: {{kind: schedule, every_days: 28}}
"""


def make(home: Path, bins: int) -> Settings:
    """The deployment in `home`; what is there already stays."""
    configs = home / "configs"
    configs.mkdir(parents=True, exist_ok=True)
    (configs / f"{APP}.yaml").write_text(POLICY.replace("BINS", str(bins)))
    settings = Settings.from_environment({"CONTINUAL_HOME": str(home), "CONTINUAL_CONFIGS": str(configs)})
    if not (home / "made").exists():
        ws = Workspace.open(APP, settings=settings)
        _cells(ws)
        _history(ws)
        _ledger(ws)
        (home / "made").write_text("")
    return settings


def _cells(ws: Workspace) -> None:
    plan = plan_of(ws.policy)
    first = (START - EPOCH).days
    for number in range(DAYS):
        rng = np.random.default_rng([3, number])
        logit = rng.normal(-1.5, 1.2, ROWS)
        columns: dict[str, Any] = {"label": pa.array((rng.random(ROWS) < 1 / (1 + np.exp(-logit))).astype(float))}
        for name in COLUMNS:
            values = pa.array([f"{name}-{i:02d}" for i in range(VALUES)])
            code = rng.integers(0, VALUES, ROWS).astype(np.int32)
            columns[name] = pa.DictionaryArray.from_arrays(pa.array(code), values)
        for i in range(len(NAMES)):
            columns[f"s{i}"] = pa.array(1 / (1 + np.exp(-(logit + rng.normal(0, 0.5 + i / 10, ROWS)))))
        versions = {name: (f"s{i}",) for i, name in enumerate(NAMES)}
        blocks = build_day(Day(first + number, pa.table(columns), versions), plan, [])
        ws.cells.put(
            StoredCells(b.day, name, plan.layout, AS_OF, b.to_bytes(), int(b.n[0]), int(b.n_labelled[0]))
            for name, b in blocks.items()
        )


def _history(ws: Workspace) -> None:
    from sqlalchemy import insert

    from continual.stores.tables import champion_history, model_version

    every = range(1, VERSIONS + 1)
    states = {VERSIONS: "champion", VERSIONS - 1: "previous"}
    with ws.db.write() as connection:
        rows = [
            {"app": APP, "version": str(v), "state": states.get(v, "retired"), "trusted": [], "recorded_at": AS_OF}
            for v in every
        ]
        connection.execute(insert(model_version), rows)
        reigns = [
            {
                "app": APP, "seq": v, "version": str(v), "previous": str(v - 1) if v > 1 else None, "kind": "promote",
                "as_of": START - timedelta(days=VERSIONS - v), "decision_key": f"k{v}", "recorded_at": AS_OF,
            }
            for v in every
        ]  # fmt: skip
        connection.execute(insert(champion_history), reigns)
    ws.batches.record_all(
        [Batch("predictions", f"{d}", f"h{d}", "appended", ROWS, 0, START + timedelta(days=d + 1)) for d in range(1200)]
    )
    found = Estimate(0.7, 0.69, 0.71, 100_000, 90_000, "made up")
    window = Window(END - timedelta(days=28), END)
    ws.evaluations.write(
        Evaluation("monitor", window, AS_OF + timedelta(hours=h), "live", s, "roc_auc", found)
        for h in range(20)
        for s in ["overall", *(f"{c}={c}-{i:02d}" for c in COLUMNS for i in range(VALUES))]
    )


def _ledger(ws: Workspace) -> None:
    from sqlalchemy import insert

    from continual.stores.tables import decision

    before, rows = GENESIS, []
    for entry in _entries():
        sealed = Entry(**{**entry, "prev_hash": before}).sealed()
        before = sealed.hash
        rows.append(sealed.as_dict())
        if len(rows) == 2000:
            with ws.db.write() as connection:
                connection.execute(insert(decision), rows)
            rows = []
    assert not rows  # ENTRIES is a multiple of 2,000


def _entries() -> Iterator[dict[str, Any]]:
    names = ["overall", *(f"{c}={c}-{i:02d}" for c in COLUMNS for i in range(VALUES))]
    verdict, gate = _verdict(names), _gate(names)
    for seq in range(1, ENTRIES + 1):
        at = START - timedelta(days=2000) + (AS_OF - START + timedelta(days=2000)) * (seq / ENTRIES)
        kind, key, evidence = "monitor", f"monitor:{seq}", {"reading": {"n": seq}}
        if seq % 20_000 == 19_998:
            kind, key, evidence = "evaluation", f"evaluation:{seq}", {"gate": gate, "slices": []}
        if seq % 20_000 == 19_999:
            kind, key = "verdict", f"verdict:{seq}"
            evidence = {"candidate": "1001", "champion": "1000", "verdict": verdict}
            evidence["evaluation"] = {"key": f"evaluation:{seq - 1}", "hash": ""}
        yield {
            "app": APP, "seq": seq, "kind": kind, "key": key, "as_of": at, "policy_hash": "p", "recorded_at": AS_OF,
            "reason": f"look {seq}: quiet, champion no worse than the previous version", "evidence": storable(evidence),
            "run": f"{APP}.monitor run{seq // 5} watch",
        }  # fmt: skip


def _verdict(names: list[str]) -> dict[str, Any]:
    rng = np.random.default_rng(5)
    found = []
    for metric in ("roc_auc", "brier", "log_loss"):
        for name in names:
            gain, half = float(rng.normal(0.005, 0.01)), 0.015
            label = SliceClass.HARM if gain < -0.02 else SliceClass.INCONCLUSIVE
            found.append(
                SliceFinding(name, metric, label, gain, gain - half, gain + half, 0.4, 1.0, 1200, 0.03, 500, "made up")
            )
    spending = Spending(0.05, 0.002, 0.03, 12, 3.5)
    return Verdict(Answer.REJECT, "made up", ("c0=c0-01",), {}, tuple(found), spending).as_dict()


def _gate(names: list[str]) -> dict[str, Any]:
    one = Estimate(0.7, 0.69, 0.71, 1500, 1200, "made up")
    pair = Comparison(0.01, 0.005, 0.0, 0.02, 0.4, 1200, "made up")
    metrics = tuple(MetricEvidence(m, "primary", one, one, pair) for m in ("roc_auc", "brier", "log_loss"))
    slices = tuple(SliceEvidence(name, "standard", None, metrics) for name in names)
    window = Window(END - timedelta(days=28), END).as_dict()
    return GateEvidence("1001", "1000", slices, tuple(names), window, AS_OF.isoformat()).as_dict()
