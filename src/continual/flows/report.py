"""The gate report in markdown: who gains, who pays, what could not be seen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from continual.core.baselines import Baseline
from continual.core.verdict import BehaviourEvidence, GateEvidence, SliceFinding, Verdict
from continual.flows.stakes import stakes

#: Most readers want the decisive slices; the table of all is in the store.
ROWS = 40
#: Slices named for each owner and side.
NAMED = 5


def markdown_report(
    evidence: GateEvidence,
    verdict: Verdict,
    owners: Mapping[str, str] | None = None,
    baselines: Sequence[Baseline] = (),
) -> str:
    """Report of one verdict, readable in MLflow and Airflow. owners: metric -> who answers for it. baselines: on the
    judged rows."""
    head = [
        f"## {verdict.answer}: version {evidence.candidate} against {evidence.champion or 'no champion'}",
        "",
        _inline(verdict.reason),
        "",
        f"Judged on {evidence.window['start'][:10]} to {evidence.window['end'][:10]}, as of {evidence.as_of[:16]}Z; "
        f"this window was used {evidence.window_uses} times before; {evidence.leaked_rows:,} rows were left out "
        "because one of the models was trained on them.",
        "",
    ]
    sections = [*_budget(verdict), *_stakeholders(verdict, owners or {}), *_baselines(baselines)]
    sections += [*_behaviours(evidence), *_labels(verdict)]
    table = [
        "### Slice by slice",
        "",
        "| slice | metric | reading | gain | 95% interval | rows | smallest visible loss |",
        "|---|---|---|---:|---|---:|---:|",
    ]
    ranked = sorted(verdict.findings, key=lambda f: (f.slice not in verdict.blocking, f.gain is None, f.gain or 0.0))
    return "\n".join([*head, *sections, *table, *(_line(f) for f in ranked[:ROWS])]) + "\n"


def _budget(verdict: Verdict) -> Iterator[str]:
    found = verdict.spending
    if found is None:
        return
    yield (
        f"Yearly budget of wrong promotions {found.budget:.2%}: this decision took {found.charged:.3%}, "
        f"{found.left:.2%} is left; {found.decisions} other decisions of the last 365 days, which had seen this "
        f"window's rows {found.shared:.2g} times over."
    )
    yield ""


def _stakeholders(verdict: Verdict, owners: Mapping[str, str]) -> Iterator[str]:
    """Of every owner and metric: the gain overall, and the slices whose 95% interval lies on one side of 0."""
    found = stakes(verdict, owners)
    if not found:
        return
    yield "### Who gains, who pays"
    yield ""
    yield "| owner | metric | overall | gain | pay | cannot say |"
    yield "|---|---|---:|---|---|---:|"
    for one in found:
        numbers = f"{_signed(one.overall)} | {_names(one.gain)} | {_names(one.pay)} | {one.unsure:,} slices |"
        yield f"| {_cell(one.owner)} | {one.metric} | {numbers}"
    yield ""


def _baselines(found: Sequence[Baseline]) -> Iterator[str]:
    """What needs no model, on the same rows."""
    if not found:
        return
    yield "### Against no model at all"
    yield ""
    yield "| metric | baseline | its value | candidate | champion |"
    yield "|---|---|---:|---:|---:|"
    for one in found:
        values = (_plain(one.value), _plain(one.candidate) + (" **no better**" if one.beats else ""))
        yield f"| {one.metric} | {one.name} | {values[0]} | {values[1]} | {_plain(one.champion)} |"
    yield ""


def _plain(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.4f}"


def _names(findings: Sequence[SliceFinding]) -> str:
    if not findings:
        return "none"
    more = f" and {len(findings) - NAMED:,} more" if len(findings) > NAMED else ""
    return ", ".join(f"{_cell(f.slice)} {_signed(f.gain)}" for f in findings[:NAMED]) + more


def _behaviours(evidence: GateEvidence) -> Iterator[str]:
    if not evidence.behaviours:
        return
    yield "### Behaviour tests"
    yield ""
    for found in evidence.behaviours:
        yield f"- {_holds(found)}: {_inline(found.sentence)}"
    yield ""


def _holds(found: BehaviourEvidence) -> str:
    if found.measured is None:
        return "could not be measured" if found.applies else "does not apply"
    return "holds" if found.measured <= found.limit else "**does not hold**"


def _labels(verdict: Verdict) -> Iterator[str]:
    """What more labels would settle, where it matters most."""
    wanted = [d for d in verdict.deficits if d.blocking] or list(verdict.deficits[:NAMED])
    if not wanted:
        return
    yield "### Labels that would settle more"
    yield ""
    for d in wanted:
        seen = "no loss" if d.minimum_detectable is None else f"no loss under {d.minimum_detectable:.4f}"
        yield f"- {d.labels_needed:,} in {_inline(d.slice)} ({d.metric}, {d.n:,} now, could see {seen})"
    yield ""


def _line(f: SliceFinding) -> str:
    interval = f"{_signed(f.low)} to {_signed(f.high)}" if f.low is not None else "undefined"
    visible = "" if f.minimum_detectable is None else f"{f.minimum_detectable:.4f}"
    reading = f"{f.slice_class}, proof of {_cell(f.borrowed)}" if f.borrowed else f.slice_class
    return f"| {_cell(f.slice)} | {f.metric} | {reading} | {_signed(f.gain)} | {interval} | {f.n:,} | {visible} |"


def _cell(text: str) -> str:
    return _inline(text).replace("|", "\\|")


def _inline(text: str) -> str:
    """Values of the data are in slices' names and reasons: no link, picture or tag of theirs comes alive where MLflow
    or Airflow renders the report."""
    flat = " ".join(text.split()).replace("\\", "\\\\")
    return flat.replace("](", "]\\(").replace("<", "\\<").replace("://", ":\\//")


def _signed(value: float | None) -> str:
    return "undefined" if value is None else f"{value:+.4f}"
