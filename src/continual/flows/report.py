"""The gate report in markdown: who gains, who pays, what could not be seen."""

from __future__ import annotations

from continual.core.verdict import GateEvidence, SliceFinding, Verdict

#: Most readers want the decisive slices; the table of all is in the store.
ROWS = 40


def markdown_report(evidence: GateEvidence, verdict: Verdict) -> str:
    """Report of one verdict, readable in MLflow and Airflow."""
    head = [
        f"## {verdict.answer}: version {evidence.candidate} against {evidence.champion or 'no champion'}",
        "",
        verdict.reason,
        "",
        f"Judged on {evidence.window['start'][:10]} to {evidence.window['end'][:10]}, as of {evidence.as_of[:16]}Z; "
        f"this window was used {evidence.window_uses} times before; {evidence.leaked_rows:,} rows were left out "
        "because one of the models was trained on them.",
        "",
        "| slice | metric | reading | gain | 95% interval | rows | smallest visible loss |",
        "|---|---|---|---:|---|---:|---:|",
    ]
    ranked = sorted(verdict.findings, key=lambda f: (f.slice not in verdict.blocking, f.gain is None, f.gain or 0.0))
    return "\n".join([*head, *(_line(f) for f in ranked[:ROWS])]) + "\n"


def _line(f: SliceFinding) -> str:
    interval = f"{_signed(f.low)} to {_signed(f.high)}" if f.low is not None else "undefined"
    visible = "" if f.minimum_detectable is None else f"{f.minimum_detectable:.4f}"
    name = f.slice.replace("|", "\\|")
    return f"| {name} | {f.metric} | {f.slice_class} | {_signed(f.gain)} | {interval} | {f.n:,} | {visible} |"


def _signed(value: float | None) -> str:
    return "undefined" if value is None else f"{value:+.4f}"
