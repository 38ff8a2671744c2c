"""`continual metrics` and `continual compare`: how good, on every slice, and which is better."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from continual.cli.options import HOME, AsOf, ConfigsOption, HomeOption, JsonOption, examples
from continual.cli.store_options import (
    AppArgument,
    MetricsOption,
    PlotOption,
    SlicesOption,
    WindowOption,
    heading,
    open_application,
    save,
    show,
    show_frame,
)

if TYPE_CHECKING:
    import pandas as pd

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
            "continual compare flights 3 2",
            "continual compare flights 3 2 --window 2013-07-01..2013-07-29 --metric roc_auc --plot forest.png",
        )
    )(compare)


def metrics(
    app: AppArgument = None,
    window: WindowOption = "28d",
    version: Annotated[
        str, typer.Option("--version", "-v", help="`live` = as served, or a model version on every row it answered.")
    ] = "live",
    daily: Annotated[bool, typer.Option("--daily", help="Every day by itself.")] = False,
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
    if daily:
        frame = found.daily(window, version, slices=slice_names or ["overall"], metrics=metric_names, as_of=as_of)
    else:
        frame = found.metrics(window, [version], slices=slice_names, metrics=metric_names, as_of=as_of)
    if as_json:
        show_frame(frame)
        return
    _print(found, frame, f"{heading(found, window, as_of)}, version {version}", daily)
    if plot is not None:
        _draw(found, frame, daily, plot)


def _print(found: Application, frame: pd.DataFrame, title: str, daily: bool) -> None:
    from continual.plots import terminal

    if daily:
        show(title, terminal.metric_over_time(frame))
        return
    share = frame.loc[frame["slice"] == "overall", "coverage"].dropna().max()
    covered = f"; {share:.0%} of the rows labelled" if share >= 0 else ""
    show(f"{title}{covered}", terminal.slice_heatmap(frame, _lower(found)))


def _lower(found: Application) -> list[str]:
    return [metric.name for metric in found.workspace.policy.metrics if not metric.higher_is_better]


def _draw(found: Application, frame: pd.DataFrame, daily: bool, plot: PlotOption) -> None:
    from continual.plots.metric_over_time import metric_over_time
    from continual.plots.slice_heatmap import slice_heatmap

    if plot is None:
        return
    if not daily:
        save(slice_heatmap(frame, _lower(found)), plot)
        return
    if frame["metric"].nunique() > 1:
        raise typer.BadParameter("a picture over time shows one metric: add --metric")
    reigns = {reign.as_of.date(): f"version {reign.version}" for reign in found.workspace.champions.read()}
    save(metric_over_time(frame, reigns), plot)


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
    from continual.plots import terminal
    from continual.plots.forest import forest

    found = open_application(home, configs, app)
    frame = found.compare(candidate, champion, window, slices=slice_names, metrics=metric_names, as_of=as_of)
    if as_json:
        show_frame(frame)
        return
    title = f"{heading(found, window, as_of)}: version {candidate} minus version {champion}"
    for name, rows in frame.groupby("metric", sort=False):
        show(f"{title}, {name}", terminal.forest(rows))
    if plot is not None:
        if frame["metric"].nunique() > 1:
            raise typer.BadParameter("a picture shows one metric: add --metric")
        save(forest(frame), plot)
