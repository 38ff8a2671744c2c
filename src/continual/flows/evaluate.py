"""Candidate and champion on identical rows that neither was trained on, on every slice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from continual.core.canonical import digest
from continual.core.projection import with_projections
from continual.core.slices import Slice, masks, resolve
from continual.core.verdict import GateEvidence, SliceEvidence
from continual.core.window import Window, utc
from continual.errors import Skipped
from continual.flows.baselines import baselines, metrics_of
from continual.flows.behave import behave
from continual.flows.champion import reconcile
from continual.flows.judged_rows import judged_rows
from continual.flows.label_noise import label_noise
from continual.flows.measure import Occasion, evaluations
from continual.flows.past_decisions import past_decisions
from continual.flows.workspace import Outcome, Workspace
from continual.policy.windows import retrain_windows

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Trained:
    """A candidate as the train task returned it. validation: primary metric before the gate window, or None."""

    version: str
    trainer: str
    validation: float | None


def evaluate(ws: Workspace, candidates: Sequence[Trained], as_of: datetime, window: Window | None = None) -> Outcome:
    """Measure the best candidate against the champion; data['evaluation'] is the ledger key of the evidence.

    The candidate is chosen by forward validation, never on the gate's own window. window: a part of that window, where
    the rest chose the candidate.

    Raises
    ------
    Skipped: there is no candidate. ModelUnavailable: candidate or champion does not load or score (s23: never
    'the challenger wins').
    """
    as_of = utc(as_of)
    reconcile(ws, as_of)
    if not candidates:
        raise Skipped("There must be a candidate.", "no trainer produced one.", "read the train tasks.")
    chosen = choose(ws, candidates)
    champion = ws.registry.champion()
    if champion == chosen.version:
        raise Skipped("A candidate must differ from the champion.", f"both are version {champion}.", "nothing.")
    window = window or retrain_windows(ws.policy, as_of).evaluation
    key = f"evaluation:{as_of.isoformat()}:{chosen.version}:{champion}:{ws.loaded.hash}"
    found = ws.ledger.get(key)
    if found is None:
        found = _measure(ws, chosen, champion, window, as_of, key)
    return Outcome(found.reason, {"evaluation": key, "version": chosen.version, "champion": champion})


def choose(ws: Workspace, candidates: Sequence[Trained]) -> Trained:
    """Best forward validation; undefined ones last; ties go to the first in the policy."""
    better = ws.policy.primary.higher_is_better
    order = {trainer.name: i for i, trainer in enumerate(ws.policy.trainers)}

    def rank(item: Trained) -> tuple[bool, float, int]:
        value = item.validation if item.validation is not None else 0.0
        return item.validation is None, -value if better else value, order.get(item.trainer, len(order))

    return min(candidates, key=rank)


def _measure(ws: Workspace, chosen: Trained, champion: str | None, window: Window, as_of: datetime, key: str) -> Any:
    rows = judged_rows(ws, chosen.version, champion, window, as_of)
    slices, configured = _slices(ws, rows.trained, rows.kept)
    evidence = GateEvidence(
        candidate=chosen.version,
        champion=champion,
        slices=rows.evidence(ws, configured),
        configured_slices=tuple(s.name for s in configured),
        window=window.as_dict(),
        as_of=as_of.isoformat(),
        window_uses=_window_uses(ws, window, key),
        leaked_rows=rows.leaked,
        history=past_decisions(ws, window, as_of, key),
        behaviours=behave(ws, chosen.version, champion, as_of),
        configured_behaviours=tuple(b.label for b in ws.policy.behaviours),
        noise=label_noise(ws, as_of) if champion and ws.policy.gate.measures_noise else None,
    )
    simple = baselines(ws, rows, evidence.slices, window, as_of)
    _define(ws, slices, as_of)
    _write(ws, evidence, window, as_of, key)
    ws.registry.log_metrics(ws.registry.version(chosen.version).run_id, metrics_of(simple))
    reason = (
        f"version {chosen.version} ({chosen.trainer}) against {champion or 'no champion'} on {len(rows.kept):,} rows "
        f"of {window}, {len(configured) - 1} slices; {evidence.leaked_rows:,} rows left out because a model was "
        "trained on them"
    )
    record = {"gate": evidence.as_dict(), "slices": [s.as_dict() for s in slices]}
    record["baselines"] = [b.as_dict() for b in simple]
    return ws.ledger.append("evaluation", key, as_of, reason, record, ws.loaded.hash, ws.run)


def _slices(ws: Workspace, trained: Sequence[pd.DataFrame], kept: pd.DataFrame) -> tuple[list[Slice], list[Slice]]:
    """All slices over training and judging rows, and those the gate must see.

    A value that stopped coming is still judged, with no rows (s17, s19). A slice without a row in either (the
    `other` of a column whose values are all named) waits for the monitor: nothing can be said about it yet.
    """
    import pandas as pd

    columns = [c for c in ws.policy.sliceable if c in kept.columns]
    before = [with_projections(d, ws.policy.projections) for d in trained[:1]]
    seen = pd.concat([*(d[columns] for d in before), kept[columns]], ignore_index=True)
    slices = resolve(ws.policy.slices, seen)
    inside = masks(slices, seen)
    named = {spec.name for spec in ws.policy.slices}
    return slices, [s for s in slices if s.name in named or inside[s.name].any()]


def _window_uses(ws: Workspace, window: Window, key: str) -> int:
    """Earlier evaluations on overlapping rows; each spends some of the error budget."""
    earlier = ws.ledger.entries(kind="evaluation")
    return sum(
        Window.from_dict(e.evidence["gate"]["window"]).overlaps(window)
        for e in earlier
        if e.key != key and e.evidence["gate"]["champion"] is not None
    )


def _define(ws: Workspace, slices: Sequence[Slice], as_of: datetime) -> None:
    """Names in the `evaluation` table mean what the tables `slice` and `metric` say they meant then."""
    from continual.stores.definitions import MetricContract, SliceDefinition

    version = digest([s.as_dict() for s in slices])[:16]
    ws.definitions.record_slices([SliceDefinition(**s.as_dict()) for s in slices], version, as_of)
    contracts = [
        MetricContract(m.name, m.owner, m.priority, "higher" if m.higher_is_better else "lower", m.margin, m.floor)
        for m in ws.policy.metrics
    ]
    ws.definitions.record_metrics(contracts, ws.loaded.hash)


def _write(ws: Workspace, evidence: GateEvidence, window: Window, as_of: datetime, key: str) -> None:
    """The `evaluation` table for SQL, the MLflow run for 'compare'."""
    versions = {"candidate": evidence.candidate}
    if evidence.champion:
        versions["champion"] = evidence.champion
    ws.evaluations.write(evaluations(evidence.slices, versions, Occasion("gate", window, as_of, key)))
    run_id = ws.registry.version(evidence.candidate).run_id
    ws.registry.log_metrics(run_id, slice_metrics(evidence.slices))


def slice_metrics(evidence: Sequence[SliceEvidence]) -> dict[str, float]:
    """MLflow metric name -> value, `roc_auc/new_aircraft`; undefined ones are absent, not zero."""
    return {
        f"{found.metric}/{_metric_name(item.slice)}": found.candidate.value
        for item in evidence
        for found in item.metrics
        if found.candidate.value is not None
    }


def _metric_name(name: str) -> str:
    """MLflow allows letters, digits, _ - . : / and spaces; a name it would refuse also keeps its digest."""
    safe = "".join(c if (c.isalnum() and c.isascii()) or c in "_-. " else ":" if c == "=" else "_" for c in name)
    return safe if safe.replace(":", "=") == name else f"{safe}_{digest(name)[:6]}"
