"""What a trigger decides on, gathered from log, evaluation store and ledger as known at an instant."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from continual.core.prices import POINT
from continual.core.trigger_evidence import (
    ColumnDrift,
    DayGain,
    Generation,
    Look,
    PastRetrain,
    ShadowSpent,
    TriggerEvidence,
)
from continual.core.verdict import OVERALL
from continual.core.window import Window, floor_day
from continual.flows.day_rows import LIVE
from continual.flows.drift_query import drift
from continual.flows.shadow import could_train, fits
from continual.flows.train import TRAINED
from continual.flows.weights import requests_of
from continual.flows.workspace import Workspace
from continual.metrics.base import Task
from continual.policy.windows import matured_until
from continual.triggers.base import Needs

if TYPE_CHECKING:
    from continual.stores.champions import Reign
    from continual.stores.entry import Entry

DAY = timedelta(days=1)
#: Newest retrains, and days of the present champion, that go along.
RETRAINS, DAYS = 30, 180
#: Regression metrics in [0, 1], of which 0.01 is a point.
SHARES = ("r2", "mape")


def gather(ws: Workspace, as_of: datetime) -> TriggerEvidence:
    """Only what the policy's trigger asks for, and what every forecast needs."""
    # by instant of knowledge: a backfill of an old retrain does not make the newest one old
    last = max((e.as_of for e in ws.ledger.entries(kind="retrain")), default=None)
    since, end, reign = last or ws.policy.active.start, matured_until(ws.policy, as_of), ws.champions.current()
    base = TriggerEvidence(
        as_of=as_of,
        last_retrain=last,
        new_labels=_count_labels(ws, Window(since, end), as_of) if end > since else 0,
        has_champion=reign is not None,
        prices=ws.policy.prices,
    )
    return base if reign is None else _of_champion(ws, base, reign, ws.policy.trigger.needs)


def _of_champion(ws: Workspace, base: TriggerEvidence, reign: Reign, needs: Needs) -> TriggerEvidence:
    from dataclasses import replace

    as_of = base.as_of
    measured = ws.retrains.days(as_of) if needs.shadow else []
    earlier = {d.reign: d.version for d in measured if d.reign < reign.seq}
    return replace(
        base,
        champion=reign.version,
        age=max((as_of - could_train(ws, reign)) / DAY, 0.0),
        reigning=max((as_of - reign.as_of) / DAY, 0.0),
        point=point_of(ws),
        volume=_volume(ws, as_of),
        days=tuple(d.gain for d in measured if d.reign == reign.seq)[-DAYS:],
        generations=tuple(
            _generation(version, [d.gain for d in measured if d.reign == seq]) for seq, version in earlier.items()
        ),
        retrains=tuple(past_retrains(ws, as_of))[-RETRAINS:],
        shadow=_spent(fits(ws, reign, as_of)) if needs.shadow else None,
        looks=tuple(_looks(ws, reign, needs, as_of)) if needs.looks else (),
        drift=tuple(_drift(ws, reign, needs.distances, as_of)) if needs.distances else (),
    )


def _count_labels(ws: Workspace, window: Window, as_of: datetime) -> int:
    frame = ws.log.read_labelled(window, as_of, columns=["record_key"])
    return int(frame["label"].notna().sum())


def _volume(ws: Workspace, as_of: datetime) -> float:
    """Predictions a day in the last seven whole days that have some."""
    end = floor_day(as_of)
    rows = ws.log.read_predictions(Window(end - 7 * DAY, end), as_of, ["record_key", "event_time"])
    days = rows["event_time"].dt.date.nunique()
    return len(rows) / days if days else 0.0


def point_of(ws: Workspace) -> float:
    """Size of a point in the primary metric's unit: as priced, 0.01, or 1% of the first error that was ever judged."""
    prices, metric = ws.policy.prices, ws.policy.primary
    if prices.point_size is not None:
        return prices.point_size
    if ws.policy.label.task != Task.REGRESSION or metric.kind in SHARES:
        return POINT
    first = ws.evaluations.read(purpose="gate", slice=OVERALL, metric=metric.name)
    values = [abs(v) for v in first.sort_values("as_of", kind="stable")["value"] if math.isfinite(v) and v]
    return values[0] * POINT if values else POINT


def _generation(version: str, days: Iterable[DayGain]) -> Generation:
    known = [d for d in days if d.gain is not None and d.se]
    waa = sum((d.age / d.se) ** 2 for d in known if d.se)
    wag = sum(d.age * d.gain / d.se**2 for d in known if d.gain is not None and d.se)
    return Generation(version, len(known), waa, wag)


def past_retrains(ws: Workspace, as_of: datetime) -> list[PastRetrain]:
    """Judged retrains up to `as_of`, oldest first."""
    judged = {e.as_of for e in ws.ledger.entries(kind="verdict")}
    entries = sorted(
        (e for e in ws.ledger.entries(kind="retrain") if e.as_of <= as_of and e.as_of in judged), key=lambda e: e.as_of
    )
    reigns, spent = ws.champions.read(), cpu_by_dataset(ws)
    left = {r.previous for r in reigns if r.kind == "rollback" and r.as_of <= as_of}
    out, before = [], None
    for entry in entries:
        made = next((r for r in reigns if r.as_of == entry.as_of and r.kind in ("bootstrap", "promote")), None)
        out.append(
            PastRetrain(
                as_of=entry.as_of.isoformat(),
                cpu_seconds=_spent_on(entry, spent),
                labels=requests_of(ws).asked(before, entry.as_of),
                promoted=made is not None,
                rolled_back=made is not None and made.version in left,
            )
        )
        before = entry.as_of
    return out


def _spent_on(entry: Entry, spent: Mapping[str, float]) -> float | None:
    """Nothing where an old version was taken instead of a training; None = not measured."""
    dataset = entry.evidence["dataset"]
    return 0.0 if dataset is None else spent.get(str(dataset))


def cpu_by_dataset(ws: Workspace) -> dict[str, float]:
    """CPU-seconds of all trainings on each dataset; a training whose time is unknown adds nothing."""
    out: dict[str, float] = {}
    for entry in ws.ledger.entries(kind=TRAINED):
        if entry.evidence["cpu_seconds"] is not None:
            dataset = str(entry.evidence["dataset"])
            out[dataset] = out.get(dataset, 0.0) + float(entry.evidence["cpu_seconds"])
    return out


def _spent(shadows: list[Entry]) -> ShadowSpent | None:
    if not shadows:
        return None
    total = sum(float(s.evidence["cpu_seconds"]) for s in shadows)
    return ShadowSpent(len(shadows), total, shadows[-1].as_of.isoformat(), int(shadows[-1].evidence["rows"]))


def _looks(ws: Workspace, reign: Reign, needs: Needs, as_of: datetime) -> Iterable[Look]:
    """The last looks at the shortest window of `store.windows`, since the promotion."""
    length = min(ws.policy.store.windows, default=7 * DAY)
    sign = {m.name: 1 if m.higher_is_better else -1 for m in ws.policy.metrics}
    watched = {(name, metric or ws.policy.primary.name) for name, metric in needs.watched}
    names = {"slice": sorted({s for s, _ in watched}), "metric": sorted({m for _, m in watched})}
    found = ws.evaluations.read(
        Window(min(reign.as_of, as_of - DAY), as_of),
        as_of,
        latest=True,
        purpose="monitor",
        model_version=LIVE,
        slice=names["slice"],
        metric=names["metric"],
    )
    found = found[(found["window_end"] - found["window_start"]) == length]
    was = _at_promotion(ws, reign, names)
    for slice_name, metric in sorted(watched):
        own = found[(found["slice"] == slice_name) & (found["metric"] == metric)].sort_values("window_end")
        for row in own.tail(needs.looks).to_dict("records"):
            yield Look(
                end=row["window_end"].isoformat(),
                slice=slice_name,
                metric=metric,
                better=sign.get(metric, 1),
                value=_number(row["value"]),
                low=_number(row["low"]),
                high=_number(row["high"]),
                n_labelled=int(row["n_labelled"]),
                reference=was.get((slice_name, metric)),
            )


def _at_promotion(ws: Workspace, reign: Reign, names: dict[str, list[str]]) -> dict[tuple[str, str], float]:
    """What the gate measured of this version last."""
    found = ws.evaluations.read(
        None, None, purpose="gate", model_version=reign.version, slice=names["slice"], metric=names["metric"]
    )
    rows = found.sort_values("as_of", kind="stable").to_dict("records")
    return {(r["slice"], r["metric"]): value for r in rows if (value := _number(r["value"])) is not None}


def _drift(ws: Workspace, reign: Reign, distances: Iterable[str], as_of: datetime) -> Iterable[ColumnDrift]:
    """Features of the newest days, as many as judge a candidate, against the champion's training window."""
    trained = ws.versions.get(reign.version).trained
    if trained is None:
        return
    end = floor_day(as_of)
    newest = Window(end - min(ws.policy.window.evaluation, 28 * DAY), end)
    frame = drift(ws, newest, trained, as_of, columns=ws.policy.features.all, distances=sorted(distances))
    for row in frame.to_dict("records"):
        values = {name: _number(row[name]) for name in ("value", "low", "high", "expected")}
        yield ColumnDrift(column=row["column"], distance=row["distance"], n=int(row["n_current"]), **values)


def _number(value: Any) -> float | None:
    if value is None or not math.isfinite(value):
        return None
    return float(f"{value:.6g}")
