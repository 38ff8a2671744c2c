"""How stale is the champion? A cheap fresh fit now and then, compared with it on later rows only.

A shadow is fitted on the rows a retrain would read at that instant. On the days after that instant it says what a fresh
model would have said. It is fitted on a part of the rows, so it is compared with a *twin* of the champion, fitted on as
many of the champion's own rows: what is left is the age of the rows. Where the part is the whole, with the champion
itself. Fitted models are a cache: a lost file is fitted again from what the ledger says.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from continual.core.canonical import digest
from continual.core.trigger_evidence import DayGain
from continual.core.window import Window, floor_day, utc
from continual.errors import ContinualError, NotEnoughData
from continual.flows.logged import labelled_rows
from continual.flows.measure import Floats, labelled, rows_in
from continual.flows.serving_check import answers
from continual.flows.train import fit
from continual.flows.training_rows import training_rows, unseen
from continual.flows.weights import with_inclusion
from continual.flows.workspace import Outcome, Workspace
from continual.models.artifact import load_file, save_file, score
from continual.models.recipe import recipe_hash, trusted_types
from continual.policy.windows import matured_until, retrain_windows
from continual.stores.retrains import MeasuredDay

if TYPE_CHECKING:
    import pandas as pd

    from continual.models.spec import Trainer
    from continual.stores.champions import Reign
    from continual.stores.entry import Entry

KIND = "shadow"
DAY = timedelta(days=1)
#: Days are put together until they have so many labels: fewer tell nothing, and have no honest interval.
ENOUGH = 100


def look(ws: Workspace, as_of: datetime, now: bool = False) -> Outcome:
    """Fit a shadow if one is due (now: or if the newest is a day old), and compare days that have matured since.

    Nothing happens where the policy's trigger asks for no shadow. A fit that fails says so and stops nothing.
    """
    as_of, reign = utc(as_of), ws.champions.current()
    if not ws.policy.trigger.needs.shadow or reign is None or as_of < reign.as_of:
        return Outcome("", {})
    said = []
    if _due(ws, reign, as_of, now):
        try:
            said.append(_fit(ws, reign, as_of).reason)
        except ContinualError as error:
            said.append(f"no shadow: {error}")
    measured = ws.retrains.put_days(_measure(ws, reign, as_of))
    if measured:
        said.append(f"champion compared with it on {measured} more days")
    return Outcome("; ".join(said), {"measured": measured})


def fits(ws: Workspace, reign: Reign, as_of: datetime) -> list[Entry]:
    """Shadows of this reign known by `as_of`, oldest first."""
    found = ws.ledger.entries(kind=KIND)
    return sorted((e for e in found if e.evidence["reign"] == reign.seq and e.as_of <= as_of), key=lambda e: e.as_of)


def _due(ws: Workspace, reign: Reign, as_of: datetime, now: bool) -> bool:
    entries = [e for e in ws.ledger.entries(kind=KIND) if e.evidence["reign"] == reign.seq]
    newest = max([reign.as_of, *(e.as_of for e in entries)])
    return as_of >= newest + (min(DAY, ws.policy.shadow.every) if now else ws.policy.shadow.every)


@dataclass(frozen=True)
class _Sample:
    """Rows a cheap model is fitted on: `n` of those of a dataset, or of a window as known at an instant."""

    rows: pd.DataFrame
    trainer: Trainer
    key: str


def _fit(ws: Workspace, reign: Reign, as_of: datetime) -> Entry:
    key = f"{KIND}:{reign.seq}:{as_of.isoformat()}:{ws.loaded.hash}"
    stored = ws.ledger.get(key)
    if stored is not None:
        return stored
    window = retrain_windows(ws.policy, as_of).training
    trained = training_rows(ws, reign.version)
    n = _rows_wanted(ws, int(labelled(trained[0]).sum()) if trained else None)
    fresh = _fresh_sample(ws, window, as_of, n)
    began = time.process_time()
    _model(ws, fresh)
    twin = None
    if trained and n < len(trained[0]):
        twin = _sample(ws, trained[0], n, f"twin of {reign.version}")
        _model(ws, twin)
    spent = time.process_time() - began
    record = {
        "reign": reign.seq,
        "version": reign.version,
        "window": window.as_dict(),
        "rows": len(fresh.rows),
        "n": n,
        "trainer": fresh.trainer.name,
        "fresh": fresh.key,
        "twin": twin.key if twin else None,
        "cpu_seconds": round(spent, 3),
    }
    against = f"a twin of version {reign.version}" if twin else f"version {reign.version}"
    reason = f"shadow on {len(fresh.rows):,} rows of {window}, to be compared with {against}"
    return ws.ledger.append(KIND, key, as_of, reason, record, ws.loaded.hash, ws.run)


def _rows_wanted(ws: Workspace, trained: int | None) -> int:
    policy = ws.policy.shadow
    wanted = policy.max_rows if trained is None else round(trained * policy.share)
    return int(np.clip(wanted, policy.min_rows, policy.max_rows))


def _fresh_sample(ws: Workspace, window: Window, as_of: datetime, n: int) -> _Sample:
    pool = ws.log.read_labelled(window, as_of)
    pool = pool[labelled(pool)].sort_values("record_key", ignore_index=True)
    if len(pool) < min(ws.policy.window.min_rows, ws.policy.shadow.min_rows):
        raise NotEnoughData(
            "A shadow needs rows (shadow.min_rows, window.min_rows).", f"{len(pool):,} in {window}.", "wait for labels."
        )
    return _sample(ws, pool, n, f"{window} as of {as_of.isoformat()}")


def _sample(ws: Workspace, rows: pd.DataFrame, n: int, what: str) -> _Sample:
    """The same rows and trainer, the same sample."""
    trainer = ws.policy.trainers[0]
    rows = rows[labelled(rows)]
    if n < len(rows):
        rows = rows.sort_values("record_key", ignore_index=True).sample(n, random_state=ws.policy.seed)
    recipe = recipe_hash(trainer, ws.policy.features)
    return _Sample(rows, trainer, digest([what, n, recipe, ws.policy.seed, rows["record_key"].tolist()])[:32])


def _path(ws: Workspace, key: str) -> Path:
    return ws.settings.home / "shadows" / ws.app / f"{key}.skops"


def _model(ws: Workspace, sample: _Sample) -> Any:
    path, trusted = _path(ws, sample.key), trusted_types(sample.trainer)
    model = load_file(path, trusted)
    if model is None:
        model = ws.fitted(f"shadow-{sample.key}", lambda: fit(ws, sample.trainer, sample.rows))
        save_file(model, path, trusted)
    return model


def _again(ws: Workspace, entry: Entry, which: str) -> Any:
    """A shadow's model from its file, or fitted again."""
    found = entry.evidence
    trainer = next((t for t in ws.policy.trainers if t.name == found["trainer"]), ws.policy.trainers[0])
    model = load_file(_path(ws, found[which]), trusted_types(trainer))
    if model is not None:
        return model
    if which == "twin":
        rows = training_rows(ws, found["version"])[0]
        return _model(ws, _sample(ws, rows, found["n"], f"twin of {found['version']}"))
    return _model(ws, _fresh_sample(ws, Window.from_dict(found["window"]), entry.as_of, found["n"]))


def _measure(ws: Workspace, reign: Reign, as_of: datetime) -> Iterator[MeasuredDay]:
    """Days of the reign that matured since the last look, each with the newest shadow that existed when it began."""
    shadows = fits(ws, reign, as_of)
    if not shadows:
        return
    done = [d.gain.day for d in ws.retrains.days(as_of) if d.reign == reign.seq]
    after = floor_day(utc(f"{max(done)}T00:00:00+00:00")) + DAY if done else shadows[0].as_of
    start, end = _first_midnight(max(after, shadows[0].as_of)), matured_until(ws.policy, as_of)
    if start >= end:
        return
    window = Window(start, end)
    frame = unseen(labelled_rows(ws, window, as_of), training_rows(ws, reign.version))
    frame = with_inclusion(ws, frame, window, as_of)
    bounds = [*[_first_midnight(s.as_of) for s in shadows[1:]], end]
    for shadow, until in zip(shadows, bounds, strict=True):
        own = frame[(frame["event_time"] >= shadow.as_of) & (frame["event_time"] < until)]
        if not own.empty:
            yield from _compare(ws, reign, shadow, own.reset_index(drop=True), as_of, until == end)


def _first_midnight(instant: datetime) -> datetime:
    floor = floor_day(instant)
    return floor if floor == instant else floor + DAY


def _compare(
    ws: Workspace, reign: Reign, shadow: Entry, frame: pd.DataFrame, as_of: datetime, newest: bool
) -> Iterator[MeasuredDay]:
    features, target = ws.policy.features.all, ws.policy.label.target
    own = answers(ws, reign.version, frame)
    fresh = score(_again(ws, shadow, "fresh"), frame, features, target)
    base = score(_again(ws, shadow, "twin"), frame, features, target) if shadow.evidence["twin"] else own
    day = frame["event_time"].to_numpy("datetime64[D]")
    origin = could_train(ws, reign)
    for days in _together(day, labelled(frame), newest):
        use = np.isin(day, days)
        yield MeasuredDay(reign.seq, reign.version, as_of, _one(ws, frame, use, (own, fresh, base), origin, shadow.key))


def _together(day: Any, known: Any, newest: bool) -> Iterator[Any]:
    """Runs of days with ENOUGH labels; what is left waits for the next look, or joins nothing where there is none."""
    waiting: list[Any] = []
    for one in np.unique(day):
        waiting.append(one)
        if known[np.isin(day, waiting)].sum() >= ENOUGH:
            yield waiting
            waiting = []
    if waiting and not newest:
        yield waiting


def _one(
    ws: Workspace, frame: pd.DataFrame, use: Any, scores: tuple[Floats, Floats, Floats], origin: datetime, shadow: str
) -> DayGain:
    metric = ws.policy.primary
    rows = rows_in(frame, use, metric.needs)
    at = use & labelled(frame)
    own, fresh, base = (s[at] for s in scores)
    theirs, ours, gain = metric.estimate(rows, own), metric.estimate(rows, fresh), metric.compare(rows, fresh, base)
    seconds = (frame["event_time"][use].mean() - origin).total_seconds()
    return DayGain(
        day=f"{frame['event_time'][use].max():%Y-%m-%d}",
        age=round(max(seconds / 86_400, 0.0), 3),
        n=int(use.sum()),
        n_labelled=len(rows),
        champion=_short(theirs.value),
        low=_short(theirs.low),
        high=_short(theirs.high),
        fresh=_short(ours.value),
        gain=_short(gain.gain) if gain.defined else None,
        se=_short(gain.se) if gain.defined else None,
        shadow=shadow.split(":")[2],
    )


def _short(value: float | None) -> float | None:
    """Six digits: the evidence of every look carries it."""
    return None if value is None else float(f"{value:.6g}")


def could_train(ws: Workspace, reign: Reign) -> datetime:
    """The instant from which a champion's rows could have been trained on: before that it was not stale. An old version
    that won again is as fresh as the world that came back with it."""
    if reign.kind == "promote" and any(r.version == reign.version and r.seq < reign.seq for r in ws.champions.read()):
        return reign.as_of
    trained = ws.versions.get(reign.version).trained
    return reign.as_of if trained is None else trained.end + ws.policy.window.evaluation + ws.policy.label.lag
