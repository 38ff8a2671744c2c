"""`continual pnl`: did retraining pay?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import typer

from continual.cli.options import HOME, AppArgument, ConfigsOption, HomeOption, JsonOption, examples
from continual.cli.output import print_json, say
from continual.cli.store_options import PlotOption, open_application, save, show_table

if TYPE_CHECKING:
    from continual.core.returns import Returns

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


def sentences(told: Returns) -> list[str]:
    """The sums, for people."""
    out = [
        f"{told.retrains} retrains: {told.promoted} promoted, {told.waiting} of them wait for labels, {told.rejected} "
        "rejected; "
        f"measured gain {told.gain:.3g}, cost {told.cost:.3g}, net {told.net:+.3g} {told.unit}"
    ]
    if told.compared and told.covered is not None and told.bias is not None:
        out.append(
            f"{told.compared} forecasts were measured: {told.forecast:.3g} forecast, {told.measured:.3g} came "
            f"({told.bias:+.3g} on average); the intervals of {told.covered:.0%} meet"
        )
    if told.other_unit:
        out.append(f"{told.other_unit} older retrains are in another unit and not summed")
    return out
