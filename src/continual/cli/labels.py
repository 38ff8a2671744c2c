"""`continual labels` and `continual drift`: what is known of the truth, and how far the world has moved."""

from __future__ import annotations

import math
from typing import Annotated

import typer

from continual.cli.options import HOME, AsOf, ConfigsOption, HomeOption, JsonOption, examples
from continual.cli.output import print_json, print_table, say
from continual.cli.store_options import (
    AppArgument,
    PlotOption,
    SlicesOption,
    WindowOption,
    heading,
    open_application,
    save,
    show,
    show_frame,
)

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
    """Show how many labels are there, pending, overdue or never to come, how long they take, and whether their delay
    tells the outcome.

    'half after' and so on are of all rows, also those too young to have a label (Kaplan-Meier). A label whose delay
    depends on its value makes early numbers wrong: wait for matured days.
    """
    from continual.plots.label_lag import label_lag

    found = open_application(home, configs, app)
    frame, told = found.labels(window, slices=slice_names, as_of=as_of), found.label_delay(window, as_of)
    if as_json:
        rows = frame.astype(object).where(frame.notna(), None).to_dict("records")
        print_json({"slices": rows, "delay": told.as_dict()})
        return
    say(heading(found, window, as_of), "bold")
    columns = ["slice", "n", "arrived", "pending", "overdue", "never", "share", "half_after", "most_after"]
    table = [
        (
            row["slice"],
            *(int(row[c]) for c in columns[1:6]),
            *(_hours(row[c]) for c in columns[7:]),
            _share(row["share"]),
        )
        for row in frame.to_dict("records")
    ]
    header = ("slice", "rows", "arrived", "pending", "overdue", "never", "half after", "90% after", "labelled")
    print_table(header, table)
    say(told.reason, "yellow" if told.depends else "")
    if plot is not None:
        names = list(frame["slice"])[:4]
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

    'by chance' is what a distance is typically at these sizes when nothing has changed.
    """
    from continual.flows.drift_query import DEFAULT
    from continual.plots import terminal
    from continual.plots.drift import drift as picture

    found = open_application(home, configs, app)
    kinds = distances or list(DEFAULT)
    frame = found.drift(window, reference, columns=columns, distances=kinds, slice_name=slice_name, as_of=as_of)
    if as_json:
        show_frame(frame)
        return
    for kind in kinds:
        rows = frame[frame["distance"] == kind]
        show(f"{heading(found, window, as_of)}, {slice_name}: {kind}", terminal.drift(rows, kind))
    if plot is not None:
        save(picture(frame[frame["distance"] == kinds[0]], kinds[0]), plot)
