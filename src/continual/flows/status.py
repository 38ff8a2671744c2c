"""Where an application stands, from the evaluation store alone: no model, no MLflow, nothing written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from continual.core.canonical import plain
from continual.flows.baselines import read_back, sentences
from continual.flows.workspace import Workspace

if TYPE_CHECKING:
    from continual.stores.champions import Reign
    from continual.stores.entry import Entry

#: Ledger entries that are decisions; the others are steps on the way to one.
DECISIONS = ("verdict", "champion", "adopted", "suggested", "approval", "trigger", "abandoned", "released")


@dataclass(frozen=True)
class Said:
    """A ledger entry, short."""

    kind: str
    as_of: datetime
    reason: str


@dataclass(frozen=True)
class Status:
    """None = there is none yet. since: as_of of the decision. ingested: as_of of the newest run that took rows in.
    open_items, open_rows: quarantine that waits for a person. alarm: about the present champion. baselines: of the
    newest candidate, against what needs no model. next: what comes next, or what a person should do."""

    application: str
    policy: str
    problem: str | None
    champion: str | None
    since: datetime | None
    previous: str | None
    decision: Said | None
    ingested: datetime | None
    batches: int
    open_items: int
    open_rows: int
    alarm: str | None
    baselines: str | None
    next: str

    def as_dict(self) -> dict[str, Any]:
        return dict(plain(asdict(self)))


def status(ws: Workspace, problem: str | None = None) -> Status:
    """problem: why the policy file itself is not in force."""
    reign, last = ws.champions.current(), ws.ledger.last(*DECISIONS)
    taken = ws.batches.batches(state="appended")
    items = ws.batches.items(state="open")
    previous = ws.versions.versions(state="previous")
    alarm, ingested = _alarm(ws, reign), max((b.as_of for b in taken), default=None)
    return Status(
        application=ws.app,
        policy=ws.loaded.hash,
        problem=problem,
        champion=reign.version if reign else None,
        since=reign.as_of if reign else None,
        previous=previous[0].version if previous else None,
        decision=Said(last.kind, last.as_of, last.reason) if last else None,
        ingested=ingested,
        batches=len(taken),
        open_items=len(items),
        open_rows=sum(item.n_rows for item in items),
        alarm=alarm.reason if alarm else None,
        baselines=_baselines(ws),
        next="; ".join(_next(ws, problem, alarm, bool(items), ingested)),
    )


def _baselines(ws: Workspace) -> str | None:
    entry, metric = ws.ledger.last("evaluation"), ws.policy.primary.name
    found = read_back(entry.evidence) if entry else []
    said = list(sentences(found, metric))
    if entry is None or not said:
        return None
    of = next((f"{b.candidate:.4g}" for b in found if b.metric == metric and b.candidate is not None), "undefined")
    return f"{metric} {of} of version {entry.evidence['gate']['candidate']}; {', '.join(said)}"


def _alarm(ws: Workspace, reign: Reign | None) -> Entry | None:
    """The alarm about the present reign; a rollback, or another promotion, ends it."""
    return ws.ledger.get(f"alarm:{reign.seq}:{reign.version}") if reign else None


def _next(
    ws: Workspace, problem: str | None, alarm: Entry | None, waiting: bool, ingested: datetime | None
) -> Iterator[str]:
    if problem is not None:
        yield f"correct {ws.app}.yaml (`continual check {ws.app}`)"
    if alarm is not None:
        yield f"an alarm is open: see the run of {ws.app}.rollback, or `continual rollback {ws.app}`"
    if waiting:
        yield f"rows wait for you: `continual quarantine list {ws.app}`"
    approval = _unanswered(ws)
    if approval is not None:
        yield f"answer the approve task of {ws.app}.retrain: {approval.reason}"
    yield _schedule(ws, ingested)


def _unanswered(ws: Workspace) -> Entry | None:
    """A verdict to promote that waits for a person's answer."""
    verdict = ws.ledger.last("verdict")
    if ws.policy.promotion.mode != "approve" or verdict is None:
        return None
    wanted = verdict.evidence["verdict"]["answer"] == "promote"
    return verdict if wanted and ws.ledger.get(f"approval:{verdict.key}") is None else None


def _schedule(ws: Workspace, ingested: datetime | None) -> str:
    """The schedule's next instant after the newest ingest; a run's as_of is the end of its interval."""
    active, schedule = ws.policy.active, ws.policy.schedule
    if ingested is None:
        return f"deliver predictions and labels: nothing was taken in yet (ingest runs {schedule})"
    if schedule == "@quarterly":
        return f"ingest runs {schedule}"
    from croniter import croniter  # type: ignore[import-untyped]

    due = croniter(schedule, ingested).get_next(datetime)
    if active.end is not None and due > active.end:
        return f"no scheduled ingest: active.end is {active.end:%Y-%m-%d}"
    return f"ingest of what is delivered until {due:%Y-%m-%d %H:%M}Z ({schedule})"
