"""`continual pnl`: did retraining pay?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import typer

from continual.cli.options import HOME, AppArgument, ConfigsOption, HomeOption, JsonOption, examples
from continual.cli.output import print_json, say
from continual.cli.store_options import PlotOption, open_application, save, show_table

HEADER = ["as of", "outcome", "version", "forecast", "measured", "cost", "net", "reason"]


def register(app: typer.Typer) -> None:
    app.command(
        epilog=examples("continual pnl flights", "continual pnl flights --plot pnl.png", "continual pnl --json")
    )(pnl)


def pnl(
    app: AppArgument = None,
    plot: PlotOption = None,
    home: HomeOption = HOME,
    configs: ConfigsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show every retrain's forecast gain, cost and measured gain, in the policy's unit (section `prices`).

    The measured gain compares the version that was promoted with the one it replaced, on the rows that came after,
    once their labels have matured. A rejected candidate gains nothing and costs the same. --plot draws the forecasts
    against what came.
    """
    from continual.core.returns import sentences
    from continual.plots.returns import returns as picture

    found = open_application(home, configs, app)
    frame, told = found.pnl(), found.returns()
    if plot is not None:
        save(picture(frame[frame["unit"] == told.unit], told.unit), plot)
    rows = frame.astype(object).where(frame.notna(), None).to_dict("records")
    if as_json:
        print_json({"retrains": rows, "sum": told.as_dict()})
        return
    if not rows:
        say("no retrain was judged yet")
        return
    say(f"{found.workspace.app}: gains and costs in {told.unit}", "bold")
    show_table(HEADER, [_row(row) for row in rows], ["reason", "net", "cost"])
    for line in sentences(told):
        say(line)


def _row(row: Mapping[Any, Any]) -> list[Any]:
    net = None if row["gain"] is None else row["gain"] - row["cost"]
    numbers = [_interval(row, "forecast"), _interval(row, "gain"), _short(row["cost"]), _short(net)]
    return [f"{row['as_of']:%Y-%m-%d}", row["outcome"], row["version"] or "-", *numbers, row["reason"]]


def _interval(row: Mapping[Any, Any], name: str) -> str:
    if row[name] is None:
        return "-"
    return f"{row[name]:.3g} [{row[name + '_low']:.3g}, {row[name + '_high']:.3g}]"


def _short(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"
