"""What a verdict leaves in MLflow, where people compare versions: tags, report, picture, links, history."""

from __future__ import annotations

import base64
import io
from html import escape
from typing import TYPE_CHECKING, Any

from continual.core.verdict import OVERALL, GateEvidence, Verdict
from continual.flows.workspace import Workspace

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from continual.stores.champions import Reign

#: Characters of a tag or a description that MLflow takes; SQLite keeps more, other databases refuse it.
TEXT = 5000
_REST = "\nThe rest is in `gate_report.md` among the artifacts of the version's run.\n"
_PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>
:root {{ color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif }}
body {{ max-width: 62rem; margin: 1.5rem auto; padding: 0 1rem }}
table {{ border-collapse: collapse; margin: 1rem 0 }}
th, td {{ border-bottom: 1px solid #8888; padding: .2rem .6rem; text-align: left; font-variant-numeric: tabular-nums }}
img {{ max-width: 100% }}
</style></head><body>{body}{picture}</body></html>
"""


def publish(ws: Workspace, evidence: GateEvidence, verdict: Verdict, report: str) -> None:
    """Tags, description and artifacts of the candidate's version and run; asked again it writes the same."""
    if not ws.registry.shown:
        return
    version = ws.versions.get(evidence.candidate)
    link = run_url(ws)
    tags = {
        "continual.verdict": str(verdict.answer),
        "continual.reason": verdict.reason[:TEXT],
        "continual.judged_against": evidence.champion or "none",
        "continual.blocking": ", ".join(verdict.blocking)[:TEXT],
        "continual.judged_on": f"{evidence.window['start']} {evidence.window['end']}",
        "continual.window": str(version.trained or "unknown"),
        "continual.judging_policy": ws.loaded.hash,
    }
    ws.registry.tag(evidence.candidate, tags | ({"continual.airflow_run": link} if link else {}))
    foot = f"\n[The run in Airflow]({link})\n" if link else ""
    ws.registry.describe(evidence.candidate, fitting(report, foot))
    run_id = ws.registry.version(evidence.candidate).run_id
    picture = forest_of(ws, evidence)
    title = f"{ws.app} {evidence.candidate}: {verdict.answer}"
    ws.registry.log_text(run_id, report + foot, "gate_report.md")
    ws.registry.log_text(run_id, report_page(title, report + foot, picture), "gate_report.html")
    if picture is not None:
        ws.registry.log_figure(run_id, picture, "gate_report.png")


def fitting(report: str, foot: str) -> str:
    """The report and its foot as a description: whole lines, as many as MLflow takes."""
    if len(report) + len(foot) <= TEXT:
        return report + foot
    room = TEXT - len(foot) - len(_REST)
    return report[: report.rfind("\n", 0, room) + 1] + _REST + foot


def run_url(ws: Workspace, run: str | None = "") -> str | None:
    """Airflow's page of the run that is going on, or of a ledger entry's `run`; None for what was done at a prompt."""
    from urllib.parse import quote

    dag, _, rest = (ws.run if run == "" else run or "").partition(" ")
    run_id = rest.rpartition(" ")[0]
    if not run_id or "." not in dag:
        return None
    return f"{ws.settings.airflow_url}/dags/{quote(dag, safe='')}/runs/{quote(run_id, safe='')}"


def report_page(title: str, report: str, picture: Figure | None) -> str:
    """The report as one file that stands alone; no script, and text of the data stays text."""
    from markdown_it import MarkdownIt

    body = MarkdownIt("commonmark", {"html": False}).enable("table").render(report)
    shown = ""
    if picture is not None:
        buffer = io.BytesIO()
        picture.savefig(buffer, format="png")
        data = base64.b64encode(buffer.getvalue()).decode()
        shown = f'<img alt="gain of the candidate on every slice" src="data:image/png;base64,{data}">'
    return _PAGE.format(title=escape(title), body=body, picture=shown)


def forest_of(ws: Workspace, evidence: GateEvidence) -> Figure | None:
    """The primary metric's comparison on every slice; None for a first champion, which has none."""
    import pandas as pd

    from continual.plots.forest import forest

    primary = ws.policy.primary
    rows: list[dict[str, Any]] = []
    for item in evidence.slices:
        for found in item.metrics:
            if found.metric == primary.name and found.comparison is not None:
                c = found.comparison
                rows.append({"slice": item.slice, "metric": found.metric, "gain": c.gain, "low": c.low, "high": c.high,
                             "n": c.n, "margin": primary.margin})  # fmt: skip
    if not rows:
        return None
    frame = pd.DataFrame(rows)
    numbers = ["gain", "low", "high", "margin"]
    return forest(frame.assign(**{name: frame[name].astype(float) for name in numbers}))


def publish_history(ws: Workspace) -> None:
    """The champions so far as metrics of one run, a step a reign: which version, and its primary metric when judged."""
    if ws.registry.shown:
        # of several verdicts on a version the newest counts
        judged = {
            e.evidence["candidate"]: str(e.evidence["evaluation"]["key"]) for e in ws.ledger.entries(kind="verdict")
        }
        points = [(r.seq, r.as_of, _numbers(ws, r, judged.get(r.version))) for r in ws.champions.read()]
        ws.registry.log_history("champion history", points)


def _numbers(ws: Workspace, reign: Reign, judged_by: str | None) -> dict[str, float]:
    """judged_by: ledger key of the evaluation that the version was judged on."""
    found = {"champion_version": float(reign.version)} if reign.version.isdigit() else {}
    evaluation = ws.ledger.get(judged_by) if judged_by else None
    if evaluation is None:
        return found
    evidence = GateEvidence.from_dict(evaluation.evidence["gate"])
    overall = (m for s in evidence.slices if s.slice == OVERALL for m in s.metrics)
    return found | {f"champion_{m.metric}": m.candidate.value for m in overall if m.candidate.value is not None}
