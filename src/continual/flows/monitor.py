"""Is the live champion worse than it should be? Metrics per slice, then the paired watch against the previous one."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from continual.core.alarm import MonitorReading
from continual.core.diagnosis import Actuator, Cause, Diagnosis
from continual.core.slices import Slice, resolve
from continual.core.stats.maturity import Cohorts, readable
from continual.core.verdict import OVERALL
from continual.core.window import Window, floor_day, utc
from continual.flows import diagnose
from continual.flows.diagnose import Paired
from continual.flows.faults import read_inputs
from continual.flows.logged import labelled_rows, prediction_rows
from continual.flows.paired_streams import Floats, Losses, days_before, streams, weights
from continual.flows.serving_check import RECENT, answers
from continual.flows.weights import with_inclusion
from continual.flows.workspace import Outcome, Workspace
from continual.models.registry import PREVIOUS
from continual.policy.windows import matured_until

if TYPE_CHECKING:
    import pandas as pd

    from continual.stores.champions import Reign


def watch(ws: Workspace, as_of: datetime) -> Outcome:
    """Read the monitor and the inputs, and say what is wrong. data['alarm'] is a rollback request when the champion
    itself is worse; data['quarantine'] names rows whose inputs broke; data['world_changed'] asks for a retrain."""
    as_of = utc(as_of)
    reign, previous = ws.champions.current(), ws.registry.aliases().get(PREVIOUS)
    if reign is None:
        return Outcome("nothing to compare with: no previous version", {})
    reason, paired = _compare(ws, reign, previous, as_of)
    inputs = read_inputs(ws, _slices_now(ws, reign, as_of), reign.version, as_of)
    found = diagnose.look(ws, reign, previous, paired, inputs, as_of)
    if paired is not None and previous is not None:
        asked = _act(ws, reign, previous, paired.reading, found, as_of)
        if asked:
            return Outcome(reason, asked)
    said = reason if found.cause is Cause.NOTHING else f"{reason}; {found.cause.value} suspected: {found.reason}"
    return Outcome(said, diagnose.request_of(found))


def _compare(ws: Workspace, reign: Reign, previous: str | None, as_of: datetime) -> tuple[str, Paired | None]:
    """The monitor's reading of the matured rows since promotion, or the sentence why there is none."""
    if previous is None:
        return "nothing to compare with: no previous version", None
    end = min(matured_until(ws.policy, as_of), floor_day(reign.as_of + ws.policy.promotion.shadow))
    if end <= reign.as_of:
        return f"no label of version {reign.version} has matured yet", None
    every = _served(ws, reign.version, Window(reign.as_of, end), as_of)
    cohorts = _cohorts(ws, every, as_of)
    frame = every[cohorts.use].reset_index(drop=True)
    slices, target = slices_of(ws, reign.version, frame), ws.policy.label.target
    label, served = frame["label"].to_numpy(dtype=float), target.answers(frame)
    other = answers(ws, previous, frame)
    rows = Losses(frame, target.excess(served, other, label), _weights(every, slices, cohorts.use))
    before = days_before(ws, reign, previous, slices) if len(frame) else {}
    reading = ws.policy.monitor.read(streams(rows, slices, before))
    if cohorts.reason:
        reading = replace(reading, reason=f"{reading.reason}; {cohorts.reason}")
    losses = (target.loss(served, label), target.loss(other, label)) if target.task != "regression" else None
    return reading.reason, Paired(rows, slices, losses, before, reading, cohorts.problem)


def _weights(every: pd.DataFrame, slices: list[Slice], use: npt.NDArray[np.bool_]) -> dict[str, Floats] | None:
    """Of the rows that are read; the least chance of a day is that of all its rows."""
    found = weights(every, slices)
    return None if found is None else {name: weight[use] for name, weight in found.items()}


def _cohorts(ws: Workspace, frame: pd.DataFrame, as_of: datetime) -> Cohorts:
    """Days whose labels may be read: a delay that depends on the outcome makes any stream alarm."""
    label = frame["label"].to_numpy(dtype=float, na_value=np.nan)
    event, known = (frame[name].to_numpy("datetime64[us]") for name in ("event_time", "label_known_at"))
    return readable(event, known, label, as_of, ws.policy.label.lag, ws.policy.label.given_up_after)


def _slices_now(ws: Workspace, reign: Reign, as_of: datetime) -> list[Slice]:
    frame = prediction_rows(ws, Window(as_of - RECENT, as_of), as_of)
    return slices_of(ws, reign.version, frame)


def slices_of(ws: Workspace, version: str, frame: pd.DataFrame) -> list[Slice]:
    """The slices the gate judged this version on; a version nobody judged is watched on the policy's slices."""
    for entry in ws.ledger.entries(kind="evaluation", newest_first=True):
        if entry.evidence["gate"]["candidate"] == version:
            return [Slice(**s) for s in entry.evidence["slices"]]
    return resolve(ws.policy.slices, frame)


def _served(ws: Workspace, version: str, window: Window, as_of: datetime) -> pd.DataFrame:
    """Rows this version scored when they came up, with the labels known by now."""
    frame = with_inclusion(ws, labelled_rows(ws, window, as_of), window, as_of)
    own = (frame["model_version"] == version) & frame["prediction"].notna()
    return frame[own].reset_index(drop=True)


def _act(
    ws: Workspace, reign: Reign, previous: str, reading: MonitorReading, found: Diagnosis, as_of: datetime
) -> dict[str, Any]:
    """One ledger entry per look, one alarm per reign: a repeated look at a known alarm asks for nothing new. Only a
    diagnosis that blames the version asks for a rollback."""
    evidence = {"champion": reign.version, "previous": previous, "reading": reading.as_dict()}
    look = f"monitor:{reign.seq}:{as_of.isoformat()}"
    ws.ledger.append("monitor", look, as_of, reading.reason, evidence, ws.loaded.hash, ws.run)
    if found.actuator is not Actuator.ROLL_BACK:
        return {}
    key = f"alarm:{reign.seq}:{reign.version}"
    entry = ws.ledger.append("alarm", key, as_of, reading.reason, evidence, ws.loaded.hash, ws.run)
    named = [a for a in reading.alarms if a != OVERALL] or list(reading.alarms)
    request = {
        "champion": reign.version,
        "reason": f"worse than version {previous} on {', '.join(named[:3])}: {entry.reason}",
        "alarm_key": key,
        "as_of": entry.as_of.isoformat(),
    }
    return {"alarm": request}
