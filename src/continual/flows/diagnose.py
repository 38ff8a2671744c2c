"""Evidence about one look -> diagnosis, written down so that it can be derived again from the ledger alone."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from continual.core.alarm import MonitorReading
from continual.core.diagnosis import Actuator, Cause, DataFault, Diagnosis, DiagnosisEvidence, PastChange, diagnose
from continual.core.slices import Slice, masks
from continual.core.stats.past import past_change
from continual.detectors.base import FaultReading
from continual.flows.faults import faulty_rows
from continual.flows.paired_streams import Before, Losses, streams
from continual.flows.weights import inclusion
from continual.flows.workspace import Workspace

if TYPE_CHECKING:
    from continual.stores.champions import Reign
    from continual.stores.entry import Entry

Floats = npt.NDArray[np.float64]
#: An alarm is the version's own if rows without a fault show this share of its excess.
OWN_SHARE = 0.5
#: A loss may rise this much on its own past before the world is said to have changed (Brier).
TOLERATED = 0.02


@dataclass(frozen=True)
class Paired:
    """Matured rows both versions scored. rows: n of them. losses: of champion and previous, (n,) each, or None where
    the task has no bounded loss of one version. before: days of the gate's window, by slice."""

    rows: Losses
    slices: list[Slice]
    losses: tuple[Floats, Floats] | None
    before: Before
    reading: MonitorReading
    labels_problem: str | None


def look(
    ws: Workspace, reign: Reign, previous: str | None, paired: Paired | None, inputs: FaultReading, as_of: datetime
) -> Diagnosis:
    """What is wrong, if anything; a finding goes to the ledger, once for each look."""
    inputs = _with_known(ws, reign, inputs, as_of)
    evidence = DiagnosisEvidence(
        champion=reign.version,
        previous=previous,
        alarms=paired.reading.alarms if paired else (),
        clean_alarms=_clean_alarms(ws, paired, inputs) if paired else (),
        faults=inputs.faults,
        refused=_refused(ws, as_of),
        labels_problem=paired.labels_problem if paired else None,
        **_pasts(reign.version, previous, paired),
    )
    found = diagnose(evidence)
    if found.cause is not Cause.NOTHING:
        record = {"evidence": evidence.as_dict(), "diagnosis": found.as_dict()}
        said = f"{found.cause.value} -> {found.actuator.value.replace('_', ' ')}: {found.reason}"
        ws.ledger.append("diagnosis", key_of(reign, as_of), as_of, said, record, ws.loaded.hash, ws.run)
    return found


def key_of(reign: Reign, as_of: datetime) -> str:
    """Ledger key of the diagnosis of one look."""
    return f"diagnosis:{reign.seq}:{as_of.isoformat()}"


def rederive(entry: Entry) -> bool:
    """Whether the recorded evidence gives the recorded diagnosis again."""
    from continual.stores.entry import storable

    again = diagnose(DiagnosisEvidence.from_dict(entry.evidence["evidence"]))
    return bool(storable(again.as_dict()) == entry.evidence["diagnosis"])


def request_of(found: Diagnosis) -> dict[str, Any]:
    """What the next task needs to know; {} when there is nothing to do."""
    if found.actuator is Actuator.QUARANTINE:
        return {"quarantine": found.as_dict()["quarantine"]}
    return {"world_changed": True} if found.actuator is Actuator.RETRAIN else {}


def _with_known(ws: Workspace, reign: Reign, inputs: FaultReading, as_of: datetime) -> FaultReading:
    """Faults that were found earlier in this reign stay known when their days have left the detector's view: the
    alarm they caused would otherwise turn into the version's own."""
    merged: dict[tuple[str, str], DataFault] = {}
    for entry in ws.ledger.entries(kind="diagnosis", since=reign.as_of):
        if entry.as_of < as_of and entry.evidence["evidence"]["champion"] == reign.version:
            for fault in DiagnosisEvidence.from_dict(entry.evidence["evidence"]).faults:
                _merge(merged, replace(fault, active=False))
    for fault in inputs.faults:
        _merge(merged, fault)
    faults = sorted(merged.values(), key=lambda f: (not f.active, -f.ratio))
    return replace(inputs, faults=tuple(faults))


def _merge(merged: dict[tuple[str, str], DataFault], fault: DataFault) -> None:
    old = merged.get((fault.slice, fault.column))
    days = tuple(sorted({*fault.days, *(old.days if old else ())}))
    rows = max(fault.rows, old.rows if old else 0)
    merged[fault.slice, fault.column] = replace(fault, days=days, rows=rows)


def _clean_alarms(ws: Workspace, paired: Paired, inputs: FaultReading) -> tuple[str, ...]:
    """Alarms that do not rest on faulty rows: the rest alarms by itself, or loses at least half as much per row."""
    alarms = paired.reading.alarms
    if not alarms:
        return ()
    frame = paired.rows.frame
    faulty = faulty_rows(frame, inputs)
    if not faulty.any():
        return alarms
    again = ws.policy.monitor.read(streams(paired.rows.only(~faulty), paired.slices, paired.before)).alarms
    inside = masks(paired.slices, frame)
    since = {r.slice: r.since for r in paired.reading.readings}
    day = frame["event_time"].dt.strftime("%Y-%m-%d").to_numpy()
    return tuple(a for a in alarms if a in again or _own(paired.rows, a, inside[a] & (day >= str(since[a])), faulty))


def _own(losses: Losses, name: str, rows: npt.NDArray[np.bool_], faulty: npt.NDArray[np.bool_]) -> bool:
    weight, clean = losses.of(name), rows & ~faulty
    if not clean.any():
        return False
    rest, every = (float(np.average(losses.excess[use], weights=weight[use])) for use in (clean, rows))
    return rest >= OWN_SHARE * every


def _pasts(champion: str, previous: str | None, paired: Paired | None) -> dict[str, PastChange | None]:
    if paired is None or previous is None or paired.losses is None:
        return {"champion_past": None, "previous_past": None}
    frame, (ours, theirs) = paired.rows.frame, paired.losses
    day, chance = frame["event_time"].to_numpy("datetime64[D]").astype(np.int64), inclusion(frame)
    weight = None if chance is None else 1 / chance
    return {
        "champion_past": past_change(champion, day, ours, TOLERATED, weight),
        "previous_past": past_change(previous, day, theirs, TOLERATED, weight),
    }


def _refused(ws: Workspace, as_of: datetime) -> tuple[str, ...]:
    """Batches Great Expectations refused within the last day and nobody has corrected."""
    waiting = ws.batches.batches(stream="predictions", state="quarantined")
    fresh = [b for b in waiting if as_of - timedelta(days=1) < b.as_of <= as_of]
    return tuple(f"{b.name}: {b.reason}" for b in fresh)
