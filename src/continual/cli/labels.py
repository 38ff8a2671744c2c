"""`continual labels` and `continual drift`: what is known of the truth, and how far the world has moved."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from continual.cli.options import HOME, AppArgument, AsOf, ConfigsOption, HomeOption, JsonOption, examples
from continual.cli.output import print_json, say
from continual.cli.store_options import (
    PlotOption,
    SlicesOption,
    WindowOption,
    fitted,
    heading,
    open_application,
    save,
    show,
    show_frame,
    show_table,
)

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    import pandas as pd

    from continual.api import Application

Slice = Annotated[str, typer.Option("--slice", "-s", help="Slice.")]


def register(app: typer.Typer) -> None:
    app.command(epilog=examples("continual labels flights", "continual labels flights --window 90d --plot lag.png"))(
        labels
    )
    app.command(
        epilog=examples(
            "continual drift flights",
            "continual drift flights --window 28d --reference 2013-03-01..2013-04-01 --distance psi --distance ks",
            "continual drift flights --slice new_aircraft --column temp --json",
        )
    )(drift)


def labels(
    app: AppArgument = None,
    window: WindowOption = "28d",
    slice_names: SlicesOption = None,
    plot: PlotOption = None,
    as_of: AsOf = None,
    home: HomeOption = HOME,
    configs: ConfigsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show how many labels have come, when they come, and whether their delay tells the outcome.

    pending: younger than `label.lag`; overdue: older; never: older than `label.never_after`. 'half after' and '90%
    after' are of all rows, also those too young to have a label (Kaplan-Meier). A label whose delay depends on its
    value makes early numbers wrong: wait for matured days.
    """
    found = open_application(home, configs, app)
    frame, told = found.labels(window, slices=slice_names, as_of=as_of), found.label_delay(window, as_of)
    if plot is not None:
        _draw(found, window, list(frame["slice"])[:4], as_of, plot)
    if as_json:
        rows = frame.astype(object).where(frame.notna(), None).to_dict("records")
        print_json({"slices": rows, "delay": told.as_dict()})
        return
    say(heading(found, window, as_of), "bold")
    needless = ["90% after", "half after", "pending", "never", "overdue"]
    show_table(HEADER, [_row(row) for row in frame.to_dict("records")], needless)
    say(told.reason, "yellow" if told.depends else "")


HEADER = ["slice", "rows", "arrived", "pending", "overdue", "never", "labelled", "half after", "90% after"]


def _row(row: Mapping[Any, Any]) -> list[Any]:
    counts = [int(row[name]) for name in ("n", "arrived", "pending", "overdue", "never")]
    waits = [_hours(row[name]) if row["n"] else "-" for name in ("half_after", "most_after")]
    return [row["slice"], *counts, _share(row["share"]), *waits]


def _draw(found: Application, window: str, names: Sequence[str], as_of: datetime | None, plot: Path) -> None:
    from continual.plots.label_lag import label_lag

    curves = {name: found.label_curve(window, name, as_of) for name in names}
    save(label_lag(curves, found.workspace.policy.label.lag), plot)


def _hours(value: float | None) -> str:
    if value is None or math.isnan(value):
        return "never"
    return f"{value / 24:.1f} d" if value >= 48 else f"{value:.1f} h"


def _share(value: float | None) -> str:
    return "-" if value is None or math.isnan(value) else f"{value:.1%}"


def drift(
    app: AppArgument = None,
    window: WindowOption = "28d",
    reference: Annotated[
        str | None, typer.Option("--reference", help="Window to compare with; default: as long, just before.")
    ] = None,
    columns: Annotated[
        list[str] | None, typer.Option("--column", "-c", help="Only this column; may be repeated.")
    ] = None,
    distances: Annotated[
        list[str] | None, typer.Option("--distance", "-d", help="l1, linf, psi, ks, earth_mover or missing_rate.")
    ] = None,
    slice_name: Slice = "overall",
    plot: PlotOption = None,
    as_of: AsOf = None,
    home: HomeOption = HOME,
    configs: ConfigsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show how far inputs and answers are from an earlier window: effect sizes with 95% intervals, no p-values.

    'without change' is what a distance is typically at these sizes when nothing has changed. A column that counts
    time, such as a day of the year, is always far from earlier. --plot draws the first distance.
    """
    from continual.flows.drift_query import DEFAULT
    from continual.plots.drift import drift as picture

    found = open_application(home, configs, app)
    kinds = distances or list(DEFAULT)
    frame = found.drift(window, reference, columns=columns, distances=kinds, slice_name=slice_name, as_of=as_of)
    if plot is not None:
        save(picture(frame[frame["distance"] == kinds[0]], kinds[0]), plot)
    if as_json:
        show_frame(frame)
        return
    earlier = found.reference(found.window(window, as_of), reference, as_of)
    _show_drift(frame, f"{heading(found, window, as_of)}, against {earlier}, {slice_name}")


def _show_drift(frame: pd.DataFrame, title: str) -> None:
    from continual.plots import terminal

    for kind, rows in frame.groupby("distance", sort=False):
        show(f"{title}: {kind}", fitted(partial(terminal.drift, rows, str(kind)), 24))
