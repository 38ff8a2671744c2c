"""The gate's verdict on recorded evidence; re-derivable from the ledger without any model."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from continual.core.verdict import GateEvidence
from continual.errors import PromotionRefused
from continual.flows.baselines import read_back
from continual.flows.publish import publish
from continual.flows.report import markdown_report
from continual.flows.workspace import Outcome, Workspace


def judge(ws: Workspace, evaluation_key: str) -> Outcome:
    """Record the verdict on an evaluation; data['verdict'] is its ledger key, data['deficits'] the slices that lack
    labels, those that block first (`core.verdict.Deficit` as dicts).

    Raises
    ------
    PromotionRefused: there is no such evaluation in the ledger.
    """
    entry = ws.ledger.get(evaluation_key)
    if entry is None:
        raise PromotionRefused("A verdict needs evidence.", f"no {evaluation_key!r}.", "clear the evaluate task.")
    evidence = GateEvidence.from_dict(entry.evidence["gate"])
    verdict = ws.policy.gate.judge(evidence, ws.policy.metric_terms())
    key = f"verdict:{evaluation_key}"
    record = {
        "candidate": evidence.candidate,
        "champion": evidence.champion,
        "evaluation": {"key": entry.key, "hash": entry.hash},
        "verdict": verdict.as_dict(),
    }
    stored = ws.ledger.append("verdict", key, entry.as_of, verdict.reason, record, ws.loaded.hash, ws.run)
    owners = {m.name: m.owner for m in ws.policy.metrics}
    report = markdown_report(evidence, verdict, owners, read_back(entry.evidence))
    publish(ws, evidence, verdict, report)
    answer = str(stored.evidence["verdict"]["answer"])
    data: dict[str, Any] = {"verdict": key, "answer": answer, "version": evidence.candidate, "report": report}
    data["deficits"] = [asdict(deficit) for deficit in verdict.deficits]
    return Outcome(f"{answer}: {stored.reason}", data)
