"""The comparison as one HTML file that needs nothing else: numbers, plots, and why each policy did what it did."""

from __future__ import annotations

import base64
import io
import itertools
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from continual.core.returns import returns, sentences
from continual.plots.style import number
from continual.replay.comparison import AGES, FEW, Comparison, Point, Scored

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from continual.replay.outcome import Played

STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:64rem;margin:2rem auto;padding:0 1rem;color:#1a1a1a;background:#fff}
table{border-collapse:collapse;font-variant-numeric:tabular-nums;display:block;overflow-x:auto}
th,td{text-align:right;padding:.25rem .6rem;border-bottom:1px solid #ddd}td{white-space:nowrap}
th:first-child,td:first-child{text-align:left}h2{margin-top:2rem}img{max-width:100%;height:auto}p.note{color:#555}
@media(prefers-color-scheme:dark){body{color:#e6e6e6;background:#141414}th,td{border-color:#444}p.note{color:#aaa}}
"""
HEADINGS = ("policy", "metric", "95% interval", "regret", "95% interval", "retrains", "promotions", "rollbacks",
            "labels", "CPU s training", "CPU s looks")  # fmt: skip


def summary(one: Scored) -> tuple[str, ...]:
    """A line of the table, in the order of HEADINGS."""
    played = one.played
    best = one.regret == 0 and one.regret_low == 0
    regret = ("best", "") if best else (number(one.regret), _between(one.regret_low, one.regret_high))
    counts = (played.retrains, played.promotions, played.rollbacks, played.labels)
    cpu = (f"{played.cpu_fits:,.1f}", f"{played.cpu_looks:,.1f}")
    overall = (number(one.overall.value), _between(one.overall.low, one.overall.high))
    return (played.name, *overall, *regret, *(f"{count:,}" for count in counts), *cpu)


def write_report(found: Comparison, file: Path) -> Path:
    """Write the page; returns its path."""
    parts = [
        f"<h1>Replay of {escape(found.application)}</h1>",
        f"<p>{escape(headline(found))}</p>",
        _table(HEADINGS, [summary(one) for one in found.policies]),
        '<p class="note">Metric: of the composite live model, each row answered by the champion of its moment, on the '
        f"{found.rows:,} of {found.of:,} logged rows that every policy answered and whose label came. Regret: how much "
        "worse than the best in hindsight, paired on identical rows, by day. CPU of training counts every fit a policy "
        "needed, shared or not; looks are this replay's own.</p>",
        *_pictures(found),
        "<h2>Slices</h2>",
        _slices(found),
        "<h2>Did retraining pay?</h2>",
        *(_paid(one.played) for one in found.policies),
        "<h2>What happened</h2>",
        *(_story(one) for one in found.policies),
    ]
    title = f"Replay of {escape(found.application)}"
    page = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{title}</title><style>{STYLE}</style></head><body>{''.join(parts)}</body></html>"
    )
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_suffix(".part")
    part.write_text(page, encoding="utf-8")
    part.replace(file)
    return file


def headline(found: Comparison) -> str:
    """The result in a sentence."""
    best = found.policies[0]
    days = f"{found.start:%Y-%m-%d} to {found.end:%Y-%m-%d}"
    said = f"{days}: {best.played.name} was best in hindsight, {found.metric} {number(best.overall.value)}"
    equal = [one.played.name for one in found.policies[1:] if one.regret_low is not None and one.regret_low <= 0]
    also = f"; not told apart from it: {', '.join(equal)}" if equal else ""
    return f"{said}, {best.played.retrains} retrains{also}."


def _pictures(found: Comparison) -> list[str]:
    from continual.plots.frontier import frontier
    from continual.plots.policy_lines import policy_lines

    lines = {one.played.name: [p.value for p in one.over_time] for one in found.policies}
    over = policy_lines(lines, [at.replace(tzinfo=None) for at in found.edges[:-1]], found.metric, "UTC", dates=True)
    middles = [f"{a}-{b}" for a, b in itertools.pairwise(AGES)]
    drawn = [i for i in range(len(middles)) if any(one.ages[i].n >= FEW for one in found.policies)]
    ages = {one.played.name: [_if_many(one.ages[i]) for i in drawn] for one in found.policies}
    fresh = policy_lines(ages, [middles[i] for i in drawn], found.metric, "days since the end of training")
    points = {one.played.name: (one.played.cpu_fits, one.overall.value) for one in found.policies}
    cost = frontier(points, found.metric, "CPU seconds of training", found.higher_is_better)
    told = (("Over time", over), ("Freshness: by the age of the model", fresh), ("Cost and quality", cost))
    return [f"<h2>{title}</h2>{_image(made, title)}" for title, made in told]


def _if_many(point: Point) -> float | None:
    return point.value if point.n >= FEW else None


def _image(made: Figure, title: str) -> str:
    buffer = io.BytesIO()
    made.savefig(buffer, format="png", transparent=True)
    data = base64.b64encode(buffer.getvalue()).decode()
    return f'<img alt="{escape(title)}" src="data:image/png;base64,{data}">'


def _slices(found: Comparison) -> str:
    names = list(found.policies[0].slices)
    head = ("slice", "rows", *(one.played.name for one in found.policies))
    rows = []
    for name in names:
        points = [one.slices[name] for one in found.policies]
        rows.append((name, f"{points[0].n:,}", *(number(point.value) for point in points)))
    return _table(head, rows) if rows else "<p>The policy has no slices.</p>"


def _paid(played: Played) -> str:
    """Forecasts of its retrains against what came of them."""
    import pandas as pd

    from continual.plots.returns import returns as picture

    told = returns(played.returns)
    said = sentences(told) if played.returns else ["no retrain was judged"]
    lines = "".join(f"<p>{escape(line)}</p>" for line in said)
    if not told.promoted:
        return f"<h3>{escape(played.name)}</h3>{lines}"
    rows = pd.DataFrame([row for row in played.returns if row["unit"] == told.unit])
    rows = rows.assign(as_of=pd.to_datetime(rows["as_of"]).dt.tz_localize(None))
    return f"<h3>{escape(played.name)}</h3>{lines}{_image(picture(rows, told.unit), f'Returns of {played.name}')}"


def _story(one: Scored) -> str:
    lines = [f"<li>{escape(f'{r.since[:16]}Z: {r.kind} version {r.version}')}</li>" for r in one.played.reigns]
    failed = [f"<li>{escape(f'{where}: {why}')}</li>" for where, why in one.played.failed.items()]
    told = f"<ul>{''.join(lines)}</ul>" + (f"<p>Failed:</p><ul>{''.join(failed)}</ul>" if failed else "")
    decisions = ", ".join(f"{count} {kind}" for kind, count in sorted(one.played.decisions.items()))
    return f"<details><summary>{escape(one.played.name)}: {escape(decisions)}</summary>{told}</details>"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    top = "".join(f"<th>{escape(name)}</th>" for name in head)
    body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"


def _between(low: float | None, high: float | None) -> str:
    return "" if low is None or high is None else f"[{number(low)}, {number(high)}]"
