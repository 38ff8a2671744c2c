"""`continual metrics` and `continual compare`: how good, on every slice, and which is better."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from continual.cli.options import HOME, AppArgument, AsOf, ConfigsOption, HomeOption, JsonOption, examples
from continual.cli.output import console, say
from continual.cli.store_options import (
    MetricsOption,
    PlotOption,
    SlicesOption,
    WindowOption,
    fitted,
    heading,
    natural_width,
    one_metric,
    open_application,
    save,
    show,
    show_frame,
)

if TYPE_CHECKING:
    from datetime import date
    from pathlib import Path

    import pandas as pd
    from rich.table import Table

    from continual.api import Application


def register(app: typer.Typer) -> None:
    app.command(
        epilog=examples(
            "continual metrics flights",
            "continual metrics flights --window 2013-07-01..2013-08-01 --slice overall --slice new_aircraft",
            "continual metrics flights --daily --metric roc_auc --slice overall --plot auc.png",
            "continual metrics flights --as-of 2013-07-15 --json",
        )
    )(metrics)
    app.command(
        epilog=examples(
            "continual compare 3 2",
            "continual compare 3 2 --app flights --window 2013-07-01..2013-07-29 --metric roc_auc --plot forest.png",
        )
    )(compare)


def metrics(
    app: AppArgument = None,
    window: WindowOption = "28d",
    version: Annotated[
        str, typer.Option("--version", "-v", help="`live` = as served, or a model version on every row it answered.")
    ] = "live",
    daily: Annotated[bool, typer.Option("--daily", help="Every day by itself.")] = False,
    exact: Annotated[bool, typer.Option("--exact", help="From the rows, not from score bins: costs a scan.")] = False,
    slice_names: SlicesOption = None,
    metric_names: MetricsOption = None,
    plot: PlotOption = None,
    as_of: AsOf = None,
    home: HomeOption = HOME,
    configs: ConfigsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show every metric on every slice with its 95% interval; dark cells are the metric's worst slices.

    A window is a sum of days: what is built already costs no scan. Intervals count days, not rows, as independent
    where that is wider. As-of: what was known at an instant, whatever came in since.
    """
    found = open_application(home, configs, app)
    if daily and exact:
        raise typer.BadParameter("--exact is of the window as a whole: leave out --daily")
    if daily and plot is not None:
        one_metric(found.workspace.policy, metric_names, "a picture over time")
    if daily:
        frame = found.daily(window, version, slices=slice_names or ["overall"], metrics=metric_names, as_of=as_of)
    else:
        names = {"slices": slice_names, "metrics": metric_names}
        frame = found.metrics(window, [version], as_of=as_of, exact=exact, **names)
    if plot is not None:
        _draw(found, frame, daily, plot)
    if as_json:
        show_frame(frame)
        return
    _print(found, frame, f"{heading(found, window, as_of)}, version {version}", daily)
    if found.chosen_labels(window, as_of):
        say("labels of this window were chosen by a sampler: each counts by 1 / its chance", "dim")


def _print(found: Application, frame: pd.DataFrame, title: str, daily: bool) -> None:
    from continual.core.slice_values import OTHER
    from continual.plots import terminal

    if daily:
        show(title, fitted(lambda width: terminal.metric_over_time(frame, width), 40))
    else:
        frame = frame[(frame["n"] > 0) | ~frame["slice"].str.endswith(f"={OTHER}")]  # nothing is left over
        share = frame.loc[frame["slice"] == "overall", "coverage"].dropna().max()
        covered = f"; {share:.0%} of the rows labelled" if share >= 0 else ""
        table = terminal.slice_heatmap(frame, _lower(found))
        if natural_width(table) > console().width:
            table = terminal.slice_heatmap(frame.assign(low=math.nan, high=math.nan), _lower(found))
            covered += "; no room for intervals, widen the terminal"
        show(f"{title}{covered}", table)
    _tell_from_rows(frame)
    _tell_absent(frame, "erased", "were erased or expired and are not in it: `continual data list`")
    _tell_absent(frame, "withdrawn", "are withdrawn and are not in it: `continual data withdrawals`")


def _tell_from_rows(frame: pd.DataFrame) -> None:
    """Metrics that sums cannot make are undefined in cells."""
    shown = set(frame.loc[frame["method"].str.contains("from rows, not from cells", regex=False), "metric"])
    if shown:
        say(f"{', '.join(sorted(shown))}: computed from rows only, add --exact", "yellow")


def _tell_absent(frame: pd.DataFrame, column: str, why: str) -> None:
    """By day, or the same number in every row of a window."""
    gone = frame.groupby("day")[column].max().sum() if "day" in frame else frame[column].max()
    if gone:
        say(f"{gone:,} rows of this window {why}", "yellow")


def _lower(found: Application) -> list[str]:
    return [metric.name for metric in found.workspace.policy.metrics if not metric.higher_is_better]


def _draw(found: Application, frame: pd.DataFrame, daily: bool, plot: Path) -> None:
    from continual.plots.metric_over_time import metric_over_time
    from continual.plots.slice_heatmap import slice_heatmap

    if daily:
        save(metric_over_time(frame, _reigns(found, frame["day"].min(), frame["day"].max())), plot)
    else:
        save(slice_heatmap(frame, _lower(found)), plot)


def _reigns(found: Application, first: date, last: date) -> dict[date, str]:
    """Who was champion on the first day, and who came after; those of other days would stretch the picture."""
    all_of = [(reign.as_of.date(), f"version {reign.version}") for reign in found.workspace.champions.read()]
    before = [(first, name) for day, name in all_of if day <= first][-1:]
    return dict([*before, *((day, name) for day, name in all_of if first < day <= last)])


def compare(
    candidate: Annotated[str, typer.Argument(metavar="CANDIDATE", help="A model version.", show_default=False)],
    champion: Annotated[str, typer.Argument(metavar="CHAMPION", help="What it is compared with.", show_default=False)],
    app: Annotated[str | None, typer.Option("--app", help="Application; needed when there are several.")] = None,
    window: WindowOption = "28d",
    slice_names: SlicesOption = None,
    metric_names: MetricsOption = None,
    plot: PlotOption = None,
    as_of: AsOf = None,
    home: HomeOption = HOME,
    configs: ConfigsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compare two versions on identical rows of a window, slice by slice; a gain above 0: CANDIDATE is better.

    Both must have answered every row: `continual score` lets a version answer rows that it did not serve. The rows may
    be ones a version was trained on: what decides about a promotion is the gate, which leaves those out.
    """
    from continual.plots.forest import forest

    found = open_application(home, configs, app)
    if plot is not None:
        one_metric(found.workspace.policy, metric_names, "a picture")
    frame = found.compare(candidate, champion, window, slices=slice_names, metrics=metric_names, as_of=as_of)
    if plot is not None:
        save(forest(frame), plot)
    if as_json:
        show_frame(frame)
        return
    title = f"{heading(found, window, as_of)}: version {candidate} against version {champion}"
    for name, rows in frame.groupby("metric", sort=False):
        show(f"{title}, {name}", fitted(partial(_forest, rows), 41))


def _forest(rows: pd.DataFrame, width: int) -> Table:
    from continual.plots import terminal

    return terminal.forest(rows, width=width)
