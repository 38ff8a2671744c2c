"""Arguments and options of the commands that read the evaluation store, and how they show what they read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from continual.cli.deployment import deployment
from continual.cli.output import console, print_json, say

if TYPE_CHECKING:
    from datetime import datetime

    import pandas as pd
    from matplotlib.figure import Figure
    from rich.console import RenderableType

    from continual.api import Application

AppArgument = Annotated[
    str | None, typer.Argument(metavar="[APP]", help="Application; needed when there are several.", show_default=False)
]
WindowOption = Annotated[
    str,
    typer.Option(
        "--window", "-w", help="`28d` = the last 28 matured days, or `2013-07-01..2013-08-01` (the end is excluded)."
    ),
]
SlicesOption = Annotated[
    list[str] | None, typer.Option("--slice", "-s", help="Only this slice; may be repeated.", show_default=False)
]
MetricsOption = Annotated[
    list[str] | None, typer.Option("--metric", "-m", help="Only this metric; may be repeated.", show_default=False)
]
PlotOption = Annotated[
    Path | None,
    typer.Option(
        "--plot", help="Draw it into this file (.png, .svg, .pdf) as well.", show_default=False, dir_okay=False
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
    print_json(frame.astype(object).where(frame.notna(), None).to_dict("records"))


def show(title: str, *tables: RenderableType) -> None:
    say(title, "bold")
    for table in tables:
        console().print(table)


def save(figure: Figure, path: Path) -> None:
    """
    Raises
    ------
    typer.BadParameter: no such picture format.
    """
    kinds: dict[str, Any] = figure.canvas.get_supported_filetypes()
    if path.suffix.lstrip(".") not in kinds:
        raise typer.BadParameter(f"--plot must end in one of .{', .'.join(sorted(kinds))}; got {path.name!r}")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150, bbox_inches="tight")
    say(f"drawn into {path}", "green")
