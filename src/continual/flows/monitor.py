"""Is the live champion worse than it should be? Metrics per slice, then the paired watch against the previous one."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from continual.core.alarm import MonitorReading, PairedStream
from continual.core.slices import Slice, masks, resolve
from continual.core.verdict import OVERALL
from continual.core.window import Window, floor_day, utc
from continual.flows.champion import reconcile
from continual.flows.measure import Occasion, evaluations, labelled, measure
from continual.flows.serving_check import answers
from continual.flows.workspace import Outcome, Workspace
from continual.models.registry import PREVIOUS
from continual.policy.windows import matured_until

if TYPE_CHECKING:
    import pandas as pd

    from continual.stores.champions import Reign


def measure_live(ws: Workspace, window: Window, as_of: datetime) -> Outcome:
    """Metrics of the champion's predictions as served, on every slice, over the days that matured in `window`."""
    as_of = utc(as_of)
    settled = reconcile(ws, as_of)
    reign = ws.champions.current()
    if reign is None:
        return Outcome(f"no champion yet; {settled}", {})
    start, end = matured_until(ws.policy, window.start), matured_until(ws.policy, as_of)
    if end <= start:
        return Outcome(f"no day has matured between {window.start:%Y-%m-%d %H:%M} and {as_of:%Y-%m-%d %H:%M}", {})
    days = Window(start, end)
    frame = _served(ws, reign.version, days, as_of)
    if frame.empty:
        return Outcome(f"no matured prediction of version {reign.version} in {days}", {})
    slices = slices_of(ws, reign.version, frame)
    evidence = measure(frame, slices, ws.policy.metrics, ws.policy.label.target.answers(frame), None)
    occasion = Occasion("monitor", days, as_of, "")
    written = ws.evaluations.write(evaluations(evidence, {"candidate": reign.version}, occasion))
    overall = "; ".join(_shown(m.metric, m.candidate) for m in evidence[0].metrics)
    return Outcome(
        f"version {reign.version} in {days}: {overall}; {written:,} evaluations over {len(slices)} slices", {}
    )


def watch(ws: Workspace, as_of: datetime) -> Outcome:
    """Read the monitor; data['alarm'] is a rollback request when a slice alarms."""
    as_of = utc(as_of)
    reign, previous = ws.champions.current(), ws.registry.aliases().get(PREVIOUS)
    if reign is None or previous is None:
        return Outcome("nothing to compare with: no previous version", {})
    end = min(matured_until(ws.policy, as_of), floor_day(reign.as_of + ws.policy.promotion.shadow))
    if end <= reign.as_of:
        return Outcome(f"no label of version {reign.version} has matured yet", {})
    frame = _served(ws, reign.version, Window(reign.as_of, end), as_of)
    frame = frame[labelled(frame)].reset_index(drop=True)
    streams = _streams(frame, slices_of(ws, reign.version, frame), _excess(ws, frame, previous))
    reading = ws.policy.monitor.read(streams)
    return _act(ws, reign, previous, reading, as_of)


def slices_of(ws: Workspace, version: str, frame: pd.DataFrame) -> list[Slice]:
    """The slices the gate judged this version on; a version nobody judged is watched on the policy's slices."""
    for entry in ws.ledger.entries(kind="evaluation", newest_first=True):
        if entry.evidence["gate"]["candidate"] == version:
            return [Slice(**s) for s in entry.evidence["slices"]]
    return resolve(ws.policy.slices, frame)


def _served(ws: Workspace, version: str, window: Window, as_of: datetime) -> pd.DataFrame:
    """Rows this version scored when they came up, with the labels known by now."""
    frame = ws.log.read_labelled(window, as_of)
    own = (frame["model_version"] == version) & frame["prediction"].notna()
    return frame[own].reset_index(drop=True)


def _excess(ws: Workspace, frame: pd.DataFrame, previous: str) -> Any:
    """(n,) loss as served minus the previous version's on the same rows, in [-1, 1]: see `Target.excess`."""
    target, label = ws.policy.label.target, frame["label"].to_numpy(dtype=float)
    return target.excess(target.answers(frame), answers(ws, previous, frame), label)


def _streams(frame: pd.DataFrame, slices: list[Slice], excess: Any) -> list[PairedStream]:
    day = frame["event_time"].dt.strftime("%Y-%m-%d").to_numpy()
    inside = masks(slices, frame)
    out = []
    for item in slices:
        use = inside[item.name]
        names, first = np.unique(day[use], return_inverse=True)
        parts = tuple(excess[use][first == i] for i in range(len(names)))
        out.append(PairedStream(item.name, item.tier, tuple(str(n) for n in names), parts))
    return out


def _act(ws: Workspace, reign: Reign, previous: str, reading: MonitorReading, as_of: datetime) -> Outcome:
    """One ledger entry per look, one alarm per reign: a repeated look at a known alarm asks for nothing new."""
    evidence = {"champion": reign.version, "previous": previous, "reading": reading.as_dict()}
    look = f"monitor:{reign.seq}:{as_of.isoformat()}"
    ws.ledger.append("monitor", look, as_of, reading.reason, evidence, ws.loaded.hash, ws.run)
    if not reading.alarms:
        return Outcome(reading.reason, {})
    key = f"alarm:{reign.seq}:{reign.version}"
    entry = ws.ledger.append("alarm", key, as_of, reading.reason, evidence, ws.loaded.hash, ws.run)
    named = [a for a in reading.alarms if a != OVERALL] or list(reading.alarms)
    request = {
        "champion": reign.version,
        "reason": f"worse than version {previous} on {', '.join(named[:3])}: {entry.reason}",
        "alarm_key": key,
        "as_of": entry.as_of.isoformat(),
    }
    return Outcome(reading.reason, {"alarm": request})


def _shown(name: str, estimate: Any) -> str:
    if not estimate.defined:
        return f"{name} {estimate.method}"
    return f"{name} {estimate.value:.4f} [{estimate.low:.4f}, {estimate.high:.4f}], {estimate.coverage:.0%} labelled"
