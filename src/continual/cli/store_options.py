"""Arguments and options of the commands that read the evaluation store, and how they show what they read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from continual.cli.deployment import deployment
from continual.cli.output import console, print_json, print_table, say, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    import pandas as pd
    from matplotlib.figure import Figure
    from rich.console import RenderableType

    from continual.api import Application
    from continual.policy.models import Policy

WindowOption = Annotated[
    str,
    typer.Option(
        "--window",
        "-w",
        help="`28d` = the last 28 UTC days whose labels had time to come, or `2013-07-01..2013-08-01` (the end is "
        "excluded).",
    ),
]
SlicesOption = Annotated[
    list[str] | None, typer.Option("--slice", "-s", help="Only this slice; may be repeated.", show_default=False)
]
MetricsOption = Annotated[
    list[str] | None, typer.Option("--metric", "-m", help="Only this metric; may be repeated.", show_default=False)
]
#: Characters that words need at least so that they can be read in several lines.
FOLDED = 32
#: Characters of a line or bar that still says something.
LEAST = 8
PICTURES = (".png", ".svg", ".pdf")


def _picture(path: Path | None) -> Path | None:
    """Said before anything is read, not after."""
    if path is not None and path.suffix.lower() not in PICTURES:
        raise typer.BadParameter(f"the name must end in {', '.join(PICTURES)}; got {path.name!r}")
    return path


PlotOption = Annotated[
    Path | None,
    typer.Option(
        "--plot",
        help="Draw it into this file (.png, .svg, .pdf) as well.",
        show_default=False,
        dir_okay=False,
        callback=_picture,
    ),
]


def open_application(home: Path, configs: Path | None, app: str | None) -> Application:
    """The one named, or the only one."""
    from continual.api import Application

    here = deployment(home, configs)
    workspace, _ = here.read(here.application(app))
    return Application.of(workspace)


def heading(found: Application, window: str, as_of: datetime | None) -> str:
    days = found.window(window, as_of)
    return f"{found.workspace.app}, {days}, as known {as_of or found.as_of:%Y-%m-%d %H:%M}Z"


def show_frame(frame: pd.DataFrame) -> None:
    """JSON: one object a row; NaN, which JSON does not have, is null."""
    frame = frame.assign(day=frame["day"].map(str)) if "day" in frame else frame
    print_json(frame.astype(object).where(frame.notna(), None).to_dict("records"))


def show(title: str, *tables: RenderableType) -> None:
    """A table that is wider than the terminal is folded by it: a number that is cut off would be a wrong number."""
    say(title, "bold")
    for table in tables:
        out = console()
        out.width = max(out.width, natural_width(table))
        out.print(table)


def fitted(make: Callable[[int], RenderableType], width: int) -> RenderableType:
    """A table whose lines or bars have `width` characters, or as many as the terminal has room for, at least LEAST."""
    table = make(width)
    while width > LEAST and (over := natural_width(table) - console().width) > 0:
        width = max(LEAST, width - over)  # lines shorter than `width` give way only later
        table = make(width)
    return table


def natural_width(table: RenderableType) -> int:
    from rich.console import Console

    wide = Console(width=1_000)
    return wide.measure(table).maximum


def show_table(columns: Sequence[str], rows: Sequence[Sequence[Any]], needless: Sequence[str] = ()) -> None:
    """needless: columns to leave out, the first one first, while the table is wider than the terminal; a last column
    of words may take several lines."""
    left_out: list[str] = []
    for name in needless:
        if _width(columns, rows) <= console().width:
            break
        at = list(columns).index(name)
        columns, rows = [*columns[:at], *columns[at + 1 :]], [[*row[:at], *row[at + 1 :]] for row in rows]
        left_out.append(name)
    print_table(columns, rows)
    if left_out:
        say(f"no room for: {', '.join(left_out)}; widen the terminal, or --json", "dim")


def _width(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> int:
    each = zip(*([list(columns), *[[shown(value) for value in row] for row in rows]]), strict=True)
    return sum(min(max(map(len, cells)), FOLDED) + 3 for cells in each)


def one_metric(policy: Policy, names: Sequence[str] | None, what: str) -> None:
    """
    Raises
    ------
    typer.BadParameter: several metrics, of which a picture shows one.
    """
    if len(names or policy.metrics) > 1:
        known = ", ".join(metric.name for metric in policy.metrics)
        raise typer.BadParameter(f"{what} shows one metric: add --metric and one of {known}")


def save(figure: Figure, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150, bbox_inches="tight")
    say(f"drawn into {path}", "green", stderr=True)
