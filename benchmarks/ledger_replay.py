"""How long it takes to derive every decision of a ledger again: 1,000 decisions in less than 10 seconds.

    python benchmarks/ledger_replay.py --decisions 1000

Fills a ledger in a temporary SQLite database with verdicts of the real gate (a third in the format of the release
before there was a yearly budget), triggers, looks at the monitor, alarms, diagnoses and requests for labels, derives
all again and prints one line.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from continual.core.alarm import PairedStream
from continual.core.diagnosis import DiagnosisEvidence, diagnose
from continual.core.estimate import Comparison, Estimate
from continual.core.stats.tails import lower_tail
from continual.core.verdict import (
    OVERALL,
    BehaviourEvidence,
    GateEvidence,
    MetricEvidence,
    PastDecision,
    SliceEvidence,
)
from continual.core.zoo import OldVersion, surest
from continual.flows.label_order import Order, plan, sentence
from continual.flows.replay_decisions import rederive
from continual.policy.last_good import PolicyShelf
from continual.policy.load import LoadedPolicy
from continual.stores.database import open_database
from continual.stores.ledger import Ledger
from continual.triggers.base import TriggerEvidence

APP, START, SLICES = "replayed", datetime(2024, 1, 1, tzinfo=UTC), 20
POLICY = f"""\
application: {APP}
owner: nobody
active: {{start: 2024-01-01T00:00:00Z}}
source: {{kind: folder, predictions: p, labels: l, pattern: "{{date}}.parquet"}}
features: {{numeric: [x]}}
label: {{name: y, lag: 1d}}
sampler: {{kind: uniform}}
labeler: {{kind: csv}}
labelling: {{budget: 1000, window: 8d}}
trainers: [{{name: t, steps: [{{use: sklearn.linear_model.LogisticRegression}}]}}]
metrics:
  - {{kind: accuracy, owner: a, priority: primary, margin: 0.02, floor: 0.6}}
  - {{kind: brier, owner: b, priority: guardrail, margin: 0.01}}
behaviours: [{{kind: invariance, column: x, noise: 0.1, tolerance: 0.05}}]
gate: {{kind: graded, inconclusive_critical: borrow}}
monitor: {{kind: e_detector}}
trigger: {{kind: schedule, every_days: 14}}
"""
LATER = ("history", "behaviours", "configured_behaviours")


def open_ledger(folder: Path) -> tuple[Ledger, PolicyShelf, LoadedPolicy]:
    """An empty ledger, and the shelf with the snapshot of POLICY."""
    (folder / "configs").mkdir(parents=True)
    (folder / "configs" / f"{APP}.yaml").write_text(POLICY, encoding="utf-8")
    database = open_database(f"sqlite:///{folder / 'store.db'}")
    database.upgrade()
    shelf = PolicyShelf(folder, folder / "configs")
    return Ledger(database, APP), shelf, shelf.snapshot(APP).loaded


def fill(ledger: Ledger, loaded: LoadedPolicy, decisions: int, seed: int = 0) -> None:
    """Append `decisions` decisions as the flows do: of ten six verdicts (after one of them labels are asked for, and
    old versions are), two triggers, two looks at the monitor."""
    rng, history = np.random.default_rng(seed), []
    for i in range(decisions):
        as_of = START + timedelta(days=i)
        if i % 10 < 6:
            history = [*history[-60:], _verdict(ledger, loaded, rng, as_of, i, tuple(history))]
            if i % 10 == 5:
                _ask(ledger, loaded, rng, as_of)
                _zoo(ledger, loaded, rng, as_of)
        elif i % 10 < 8:
            _trigger(ledger, loaded, as_of, i)
        else:
            _look(ledger, loaded, rng, as_of, i)


def _metric(rng: np.random.Generator, name: str, priority: str, n: int) -> MetricEvidence:
    se = float(0.3 / np.sqrt(n))
    gain = float(rng.normal(0.01, 1.5 * se))
    value = Estimate(0.8, 0.78, 0.82, n + 10, n, "test")
    p = lower_tail(gain / se, None)
    comparison = Comparison(gain, se, gain - 2 * se, gain + 2 * se, p, n, "paired")
    return MetricEvidence(name, priority, value, value, comparison)


def _verdict(
    ledger: Ledger,
    loaded: LoadedPolicy,
    rng: np.random.Generator,
    as_of: datetime,
    i: int,
    history: tuple[PastDecision, ...],
) -> PastDecision:
    slices = [SliceEvidence(OVERALL, "standard", None, _pair(rng, 20_000))]
    names = [f"s{k}" for k in range(SLICES)]
    tiers = ["critical", "standard", "long_tail"]
    slices += [
        SliceEvidence(n, tiers[k % 3], None, _pair(rng, int(rng.integers(15, 3000)))) for k, n in enumerate(names)
    ]
    window = {"start": (as_of - timedelta(days=28)).isoformat(), "end": as_of.isoformat()}
    tested = BehaviourEvidence("invariance x noise 0.1", "invariance", 0.01, 0.05, 500, "invariance x: fine")
    evidence = GateEvidence(
        "2", "1", tuple(slices), tuple(names), window, as_of.isoformat(), len(history), 0, history, (tested,)
    )
    evidence = replace(evidence, configured_behaviours=(tested.name,))
    stored: dict[str, Any] = evidence.as_dict()
    if i % 3 == 0:  # as the release before wrote it
        stored = {name: value for name, value in stored.items() if name not in LATER}
    gate = GateEvidence.from_dict(stored)
    key = f"evaluation:{i}"
    entry = ledger.append("evaluation", key, as_of, "measured", {"gate": stored, "slices": []}, loaded.hash)
    verdict = loaded.policy.gate.judge(gate, loaded.policy.metric_terms())
    record = {"candidate": "2", "champion": "1", "evaluation": {"key": key, "hash": entry.hash}}
    record["verdict"] = verdict.as_dict()
    ledger.append("verdict", f"verdict:{key}", as_of, verdict.reason, record, loaded.hash)
    return PastDecision("2", as_of.isoformat(), window, 0.5, verdict.spending.charged if verdict.spending else None)


def _pair(rng: np.random.Generator, n: int) -> tuple[MetricEvidence, ...]:
    return _metric(rng, "accuracy", "primary", n), _metric(rng, "brier", "guardrail", n)


def _trigger(ledger: Ledger, loaded: LoadedPolicy, as_of: datetime, i: int) -> None:
    evidence = TriggerEvidence(as_of, as_of - timedelta(days=i % 30), i, True)
    decision = loaded.policy.trigger.decide(evidence)
    record = {"evidence": evidence.as_dict(), "retrain": decision.retrain}
    reason = f"{'retrain' if decision.retrain else 'no retrain'}: {decision.reason}"
    ledger.append("trigger", f"trigger:{i}", as_of, reason, record, loaded.hash)


def _ask(ledger: Ledger, loaded: LoadedPolicy, rng: np.random.Generator, as_of: datetime) -> None:
    order = Order(labels=400)
    earlier, verdicts = ledger.entries(kind="labels_asked"), ledger.entries(kind="verdict")
    record = {"order": asdict(order), **plan(loaded.policy, order, as_of, earlier, verdicts, first=True).as_dict()}
    answers = int(rng.poisson(record["rows"]))
    drawn = {"pool": 5000, "new": answers, "answers": answers, "cost": answers * record["price"], "bought": {}}
    record |= drawn
    key = f"labels_asked:{as_of.isoformat()}"
    ledger.append("labels_asked", key, as_of, sentence(record), record, loaded.hash)


def _zoo(ledger: Ledger, loaded: LoadedPolicy, rng: np.random.Generator, as_of: datetime) -> None:
    gains = [float(gain) for gain in rng.normal(0.0, 0.02, 3)]
    old = [OldVersion(str(i + 1), gain, gain - 0.02, gain + 0.02, 1000) for i, gain in enumerate(gains)]
    best = surest(old)
    record = {"champion": "9", "versions": [one.as_dict() for one in old], "version": best and best.version}
    said = "; ".join(one.sentence for one in old)
    ledger.append("zoo", f"zoo:{as_of.isoformat()}", as_of, said, record, loaded.hash)


def _look(ledger: Ledger, loaded: LoadedPolicy, rng: np.random.Generator, as_of: datetime, i: int) -> None:
    days = tuple(f"2024-01-{day:02}" for day in range(1, 11))
    excess = tuple(
        rng.choice([-1.0, 0.0, 1.0], 200, p=[0.04, 0.92 - 0.3 * (i % 2), 0.04 + 0.3 * (i % 2)]) for _ in days
    )
    reading = loaded.policy.monitor.read([PairedStream(OVERALL, "standard", days, excess)])
    evidence = {"champion": "2", "previous": "1", "reading": reading.as_dict()}
    ledger.append("monitor", f"monitor:{i}:{as_of.isoformat()}", as_of, reading.reason, evidence, loaded.hash)
    if reading.alarms:
        ledger.append("alarm", f"alarm:{i}:2", as_of, reading.reason, evidence, loaded.hash)
        seen = DiagnosisEvidence("2", "1", reading.alarms, reading.alarms)
        found = diagnose(seen)
        record = {"evidence": seen.as_dict(), "diagnosis": found.as_dict()}
        ledger.append("diagnosis", f"diagnosis:{i}:{as_of.isoformat()}", as_of, found.reason, record, loaded.hash)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--decisions", type=int, default=1000)
    arguments = parser.parse_args()
    with TemporaryDirectory() as folder:
        ledger, shelf, loaded = open_ledger(Path(folder) / "home")
        fill(ledger, loaded, arguments.decisions)
        start, cpu = time.perf_counter(), time.process_time()
        found = list(rederive(ledger, shelf))
        took, used = time.perf_counter() - start, time.process_time() - cpu
    same = sum(bool(one.same) for one in found)
    print(f"{len(found):,} decisions derived again in {took:.1f} s ({used:.1f} s CPU); {same:,} identical")


if __name__ == "__main__":
    main()
