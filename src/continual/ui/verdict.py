"""One verdict: what was decided, who gains, who pays, which slice needs how many labels, what it cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from continual.core.verdict import (
    OVERALL,
    BehaviourEvidence,
    Deficit,
    GateEvidence,
    SliceClass,
    SliceFinding,
    Spending,
    Verdict,
)
from continual.errors import ContinualError, NotEnoughData
from continual.flows.stakes import Stake, stakes
from continual.flows.workspace import Workspace
from continual.stores.ledger_pages import LedgerPages, Line, Wanted
from continual.ui.asked import Asked, NotFound
from continual.ui.charts import Forest, forest

if TYPE_CHECKING:
    from continual.stores.entry import Entry

#: Slices of the forest; the rest is a page further.
PAGE = 60
ORDER = {SliceClass.HARM: 0, SliceClass.NOT_EVALUABLE: 1, SliceClass.INCONCLUSIVE: 2, SliceClass.PROVEN: 3}


@dataclass(frozen=True)
class Bar:
    """A slice and metric of the comparison with its place on the common axis."""

    found: SliceFinding
    place: Forest | None
    tier: str


@dataclass(frozen=True)
class Around:
    """approval, act: what people and the promotion did with a verdict. waits: for a person's answer. newer, older:
    sequence numbers of the verdicts after and before."""

    approval: Line | None
    act: Line | None
    waits: bool
    newer: int | None
    older: int | None


@dataclass(frozen=True)
class VerdictPage:
    """evidence: None when the evaluation is not in the ledger any more. floors: what was asked of all rows without a
    comparison. margin: of `metric`."""

    line: Line
    verdict: Verdict
    candidate: str
    champion: str | None
    evidence: GateEvidence | None
    stakes: tuple[Stake, ...]
    deficits: tuple[Deficit, ...]
    bars: tuple[Bar, ...]
    floors: tuple[SliceFinding, ...]
    metric: str
    metrics: tuple[str, ...]
    margin: float | None
    total: int
    page: int
    around: Around

    @property
    def spending(self) -> Spending | None:
        return self.verdict.spending

    @property
    def behaviours(self) -> tuple[BehaviourEvidence, ...]:
        return self.evidence.behaviours if self.evidence else ()

    @property
    def pages(self) -> int:
        return max(1, -(-self.total // PAGE))

    @property
    def dag_run(self) -> tuple[str, str] | None:
        return run_of(self.line)


def run_of(line: Line | Entry) -> tuple[str, str] | None:
    """DAG id and run id of the task that wrote an entry; None when none did."""
    parts = (line.run or "").split(" ")
    return (parts[0], " ".join(parts[1:-1])) if len(parts) >= 3 and "." in parts[0] else None


def verdict_page(ws: Workspace, asked: Asked, line: Line | None = None) -> VerdictPage:
    """The verdict `seq` of the query, or `line`, else the newest.

    Raises
    ------
    NotEnoughData: there is no verdict yet. NotFound: that entry is no verdict.
    """
    pages = LedgerPages(ws.db, ws.app)
    entry = _entry(pages, asked.number("seq") if line is None else line.seq)
    verdict = Verdict.from_dict(entry.evidence["verdict"])
    evaluation = ws.ledger.get(str(entry.evidence["evaluation"]["key"]))
    evidence = GateEvidence.from_dict(evaluation.evidence["gate"]) if evaluation else None
    owners = {m.name: m.owner for m in ws.policy.metrics}
    metrics = tuple(dict.fromkeys(f.metric for f in verdict.findings))
    primary = ws.policy.primary.name
    first = (primary, *(m for m in metrics if m != primary)) if primary in metrics else metrics
    metric = asked.one_of("metric", first) if first else ""
    margin = next((m.margin for m in ws.policy.metrics if m.name == metric), None)
    found = _ranked(verdict, metric)
    floors = tuple(f for f in verdict.findings if f.slice == OVERALL and f.gain is None)
    page = min(max(asked.number("page") or 1, 1), max(1, -(-len(found) // PAGE)))
    shown = _bars(found[(page - 1) * PAGE : page * PAGE], margin, evidence)
    return VerdictPage(
        line=_line(entry),
        verdict=verdict,
        candidate=str(entry.evidence["candidate"]),
        champion=entry.evidence["champion"],
        evidence=evidence,
        stakes=tuple(stakes(verdict, owners)),
        deficits=verdict.deficits,
        bars=shown,
        floors=floors,
        metric=metric,
        metrics=first,
        margin=margin,
        total=len(found),
        page=page,
        around=_around(ws, pages, entry, verdict),
    )


def _entry(pages: LedgerPages, seq: int | None) -> Entry:
    if seq is None:
        line = pages.newest("verdict")
        if line is None:
            raise NotEnoughData("A verdict needs a retrain.", "none was judged yet.", "trigger the retrain DAG.")
        seq = line.seq
    entry = pages.entry(seq)
    if entry is None or entry.kind != "verdict":
        raise NotFound("A verdict is an entry of the ledger.", f"entry {seq} is none.", "look in the ledger.")
    return entry


def _line(entry: Entry) -> Line:
    values: dict[str, Any] = entry.as_dict()
    return Line(**{name: value for name, value in values.items() if name not in ("app", "evidence")})


def _around(ws: Workspace, pages: LedgerPages, entry: Entry, verdict: Verdict) -> Around:
    said = pages.keyed([f"approval:{entry.key}", f"promote:{entry.key}:confirmed", f"suggest:{entry.key}"])
    return Around(
        approval=said.get(f"approval:{entry.key}"),
        act=said.get(f"promote:{entry.key}:confirmed") or said.get(f"suggest:{entry.key}"),
        waits=_waits(ws, verdict, said),
        newer=_next(pages, Wanted(("verdict",), after=entry.seq)),
        older=_next(pages, Wanted(("verdict",), before=entry.seq)),
    )


def _waits(ws: Workspace, verdict: Verdict, said: dict[str, Line]) -> bool:
    return verdict.answer == "promote" and ws.policy.promotion.mode == "approve" and not said


def _ranked(verdict: Verdict, metric: str) -> list[SliceFinding]:
    """All rows first, then what decided, then harm before doubt before proof, the largest loss first."""
    found = [f for f in verdict.findings if f.metric == metric and (f.slice != OVERALL or f.gain is not None)]
    return sorted(
        found,
        key=lambda f: (f.slice != OVERALL, f.slice not in verdict.blocking, ORDER[f.slice_class], f.gain or 0.0),
    )


def _bars(found: list[SliceFinding], margin: float | None, evidence: GateEvidence | None) -> tuple[Bar, ...]:
    places = forest([(f.gain, f.low, f.high) for f in found], margin)
    tiers = {item.slice: item.tier for item in evidence.slices} if evidence else {}
    return tuple(Bar(f, p, tiers.get(f.slice, "")) for f, p in zip(found, places, strict=True))


def _next(pages: LedgerPages, wanted: Wanted) -> int | None:
    found = pages.page(wanted, 1)
    return found[0].seq if found else None


@dataclass(frozen=True)
class RunPage:
    """A DAG run: its verdict, if it judged one, and all it wrote in the ledger."""

    dag_id: str
    run_id: str
    lines: tuple[Line, ...]
    verdict: VerdictPage | None


def run_page(ws: Workspace, asked: Asked) -> RunPage:
    """
    Raises
    ------
    ContinualError: the run is not named.
    """
    dag_id, run_id = asked.text("dag_id"), asked.text("run_id")
    if not dag_id or not run_id:
        raise ContinualError("A run has a DAG and an id.", f"{dag_id!r} {run_id!r}.", "open this page from a run.")
    lines = LedgerPages(ws.db, ws.app).of_run(f"{dag_id} {run_id}")
    judged = [line for line in lines if line.kind == "verdict"]
    return RunPage(dag_id, run_id, tuple(lines), verdict_page(ws, asked, judged[-1]) if judged else None)
