"""docs/results/policies.md and its picture, from the cells of `policies.py`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from continual.plots.frontier import undominated
from continual.plots.style import BLUE, INK, RED, figure

if TYPE_CHECKING:
    from policies import Cell

#: The negative control: no policy gains there.
CONTROL = "ma_employment"
#: Best gains smaller than this are no gains: a share of them is noise.
TELLING = 0.5
#: Schedules and windows that were fixed beforehand; the best of them in hindsight is what others are measured by.
FIXED = ("static", "every")
POINTS = {"capital_bikeshare": "R2", "flights": "AUC"}

#: Measured before by others with the same recipe; where their history began and how they cut it is not known.
ANCHORS = {
    "elec2": {"static": 0.731, "every 1, all rows": 0.764, "best window, every 1": 0.775},
    "noaa_weather": {"static": 0.775, "every 1, all rows": 0.801},
    "flights": {"static": 0.668, "every 1, all rows": 0.717, "error + 5 points, all rows": 0.708},
}

HEAD = """\
# When to retrain, on what
    python benchmarks/policies.py --data DIR

Six public streams cut into batches; after every batch there is a look, and a model that trains there serves
from the next batch on. Labels come 0, 1, 4 or 13 batches late. Without a gate: what is compared is when to
retrain and on what. A mixture keeps several windows fresh side by side and serves the mean of their models,
weighed by their errors lately; no trigger of the product does that, and its plans were chosen on elec2,
noaa_weather and storms. One seed; histogram gradient boosting of 40 trees with 15 leaves. Points are 0.01 of
accuracy, of AUC (flights) or of R2 (bike sharing). CPU counts fits, those of shadows included, each by its rows
on the line through the measured fits of its stream; a batch counts as a week for `prices` and ages. The static
model is the same at every delay: it learnt from history that was all labelled.
"""


def write(cells: Sequence[Cell], folder: Path) -> None:
    """The page and the picture."""
    table = {(c.stream, c.delay, c.policy): c for c in cells}
    streams = list(dict.fromkeys(c.stream for c in cells))
    delays = list(dict.fromkeys(c.delay for c in cells))
    policies = list(dict.fromkeys(c.policy for c in cells))
    fixed = [c for c in cells if c.policy.startswith(FIXED)]
    best = {(s, d): max(c.gain for c in fixed if (c.stream, c.delay) == (s, d)) for s in streams for d in delays}
    rows = [_row(table, policy, best) for policy in policies]
    parts = [HEAD, "## All streams and delays", _goals(best), _table(_COLUMNS, [row.cells for row in rows])]
    parts += [_reading(rows), _hindsight(fixed, best), "![Cost against gain](policies.png)"]
    parts += [_anchors(table, streams)]
    for stream in streams:
        parts += [f"## {stream}", _stream(table, stream, delays, policies, best)]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "policies.md").write_text("\n\n".join(parts) + "\n", encoding="utf-8")
    _picture(rows, folder / "policies.png")


_COLUMNS = ("policy", "share of the best gain", "CPU of every batch", "worst against static", "regret, mean",
            "retrains of looks", "gain on the control")  # fmt: skip


class _row:  # noqa: N801
    """One policy over all streams and delays. share: mean gain over static relative to the best policy's, where that is
    TELLING; cpu: mean; worst: smallest gain over static."""

    def __init__(self, table: dict[Any, Cell], policy: str, best: dict[Any, float]) -> None:
        own = {key: table[(*key, policy)] for key in best}
        told = [key for key in best if key[0] != CONTROL and best[key] >= TELLING]
        self.policy = policy
        self.share = float(np.mean([own[key].gain / best[key] for key in told]))
        self.cpu = float(np.mean([cell.cpu for cell in own.values()]))
        self.worst = min(own.values(), key=lambda cell: cell.gain)
        scale = [best[key] - own[key].gain for key in told if key[0] not in POINTS or key[0] == "flights"]
        regret = float(np.mean(scale))
        used = sum(c.retrains for c in own.values()) / sum(c.looks for c in own.values())
        control = [own[key].gain for key in best if key[0] == CONTROL]
        shown = f"{np.mean(control):+.2f}" if control else "-"
        where = f"{self.worst.gain:+.2f} ({self.worst.stream}, {self.worst.delay} late)"
        self.cells = (policy, f"{self.share:.0%}", f"{self.cpu:.0%}", where, f"{regret:.2f}", f"{used:.0%}", shown)


def _anchors(table: dict[Any, Cell], streams: Sequence[str]) -> str:
    rows = []
    for stream in (name for name in ANCHORS if name in streams):
        for policy, before in ANCHORS[stream].items():
            windows = [table[stream, 0, f"every 1, {n} batches"].value for n in (13, 52)]
            now = max(windows) if policy.startswith("best") else table[stream, 0, policy].value
            gain = now - table[stream, 0, "static"].value
            known = f"{before - ANCHORS[stream]['static']:+.3f}"
            rows.append((stream, policy, f"{before:.3f}", f"{now:.3f}", known, f"{gain:+.3f}"))
    head = ("stream", "policy", "before", "here", "gain over static before", "here")
    said = (
        "Numbers known from before, same recipe, labels at once. The levels hang on where history begins and how it "
        "is cut, which is not known of the earlier ones; what is compared is who gains and how much."
    )
    return f"## Against earlier measurements\n\n{said}\n\n{_table(head, rows)}"


def _goals(best: dict[Any, float]) -> str:
    told = sum(gain >= TELLING and key[0] != CONTROL for key, gain in best.items())
    return (
        f"Share: gain over static relative to that of the fixed schedule and window that was best in "
        f"hindsight on that stream and delay, "
        f"mean of the {told} of {len(best)} where it is at least {TELLING} points, the control apart. Regret: points "
        "behind that policy, without bike sharing, whose points are of another size. Goal of the default: 95% of the "
        "gain with 25% of the CPU, nowhere more than 0.5 points below static."
    )


def _reading(rows: Sequence[_row]) -> str:
    """What the table says, computed from it."""
    cheap = [row for row in rows if row.cpu <= 0.25]
    top = max(cheap, key=lambda row: row.share)
    overall = max(rows, key=lambda row: row.share)
    safe = [row for row in cheap if row.worst.gain >= -0.5]
    best_safe = max(safe, key=lambda row: row.share) if safe else None
    said = [
        f"- With at most 25% of the CPU, `{top.policy}` reaches most: {top.share:.0%} of the best gain at "
        f"{top.cpu:.0%}.",
        f"- No policy is best everywhere: the best single one, `{overall.policy}`, reaches {overall.share:.0%} at "
        f"{overall.cpu:.0%}.",
    ]
    if best_safe is not None:
        said.append(
            f"- Of those that are nowhere more than 0.5 points below static, at most 25% CPU: `{best_safe.policy}`, "
            f"{best_safe.share:.0%} at {best_safe.cpu:.0%}."
        )
    default = [row for row in rows if row.policy.startswith(("cost", "mixture"))]
    for row in default:
        met = [row.share >= 0.95, row.cpu <= 0.25, row.worst.gain >= -0.5]
        words = [
            f"{'meets' if ok else 'misses'} {name}"
            for ok, name in zip(met, ("95% gain", "25% CPU", "-0.5"), strict=True)
        ]
        said.append(f"- `{row.policy}`: {row.share:.0%} of the gain, {row.cpu:.0%} of the CPU; {', '.join(words)}.")
    return "\n".join(said)


def _hindsight(fixed: Sequence[Cell], best: dict[Any, float]) -> str:
    """What somebody who knew the future could do with the schedules and windows of the page."""
    cheapest, within = [], []
    for key, most in best.items():
        own = [c for c in fixed if (c.stream, c.delay) == key and most >= TELLING and key[0] != CONTROL]
        if own:
            cheapest.append(min(c.cpu for c in own if c.gain >= 0.95 * most))
            within.append(max(c.gain for c in own if c.cpu <= 0.25) / most)
    return (
        "Out of reach for fixed schedules: whoever picks, on each stream and delay in hindsight, the cheapest one that "
        f"reaches 95% of the best pays {np.mean(cheapest):.0%} of the CPU on average, and whoever picks the best one "
        f"that costs at most 25% reaches {np.mean(within):.0%}. A rule that sees the past only has to find out besides "
        "which window is right, and finding out costs fits of the wrong one. The mixtures come nearest, because they "
        "find out from models that serve anyway; to be the default they need a registry and a server that hold several "
        "models as one version, which the product does not have."
    )


def _stream(
    table: dict[Any, Cell], stream: str, delays: Sequence[int], policies: Sequence[str], best: dict[Any, float]
) -> str:
    static = table[stream, delays[0], "static"].value
    said = f"Static {POINTS.get(stream, 'accuracy')} {static:.3f}. Gain over it in points (retrains; share of the CPU)."
    head = ("policy", *(f"{delay} late" for delay in delays))
    rows = []
    for policy in policies:
        cells = [table[stream, delay, policy] for delay in delays]
        rows.append((policy, *(_cell(cell, best[stream, cell.delay]) for cell in cells)))
    return f"{said}\n\n{_table(head, rows)}"


def _cell(cell: Cell, best: float) -> str:
    gain = f"{cell.gain:+.2f}"
    return f"{f'**{gain}**' if cell.gain == best else gain} ({cell.retrains}; {cell.cpu:.0%})"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _picture(rows: Sequence[_row], file: Path) -> None:
    made, axes = figure(8, 5)
    points = {row.policy: (100 * row.cpu, 100 * row.share) for row in rows}
    best = undominated(points)
    axes.plot(*zip(*(points[name] for name in best), strict=True), color=BLUE, linewidth=1.2)
    for name, (x, y) in points.items():
        axes.plot([x], [y], "o", color=BLUE if name in best else RED, markersize=5)
        axes.annotate(name, (x, y), xytext=(5, 3), textcoords="offset points", fontsize=7, color=INK)
    axes.axvline(25, color=INK, linewidth=0.8, linestyle=":")
    axes.axhline(95, color=INK, linewidth=0.8, linestyle=":")
    axes.set_xlabel("CPU, % of retraining on all rows at every batch")
    axes.set_ylabel("gain over static, % of the best in hindsight")
    made.savefig(file, dpi=110)
