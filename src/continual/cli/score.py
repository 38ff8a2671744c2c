"""`continual score`, in batches or over the log, and `continual cells`: work that makes later questions cheap."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from continual.cli.deployment import deployment
from continual.cli.options import HOME, AppArgument, AsOf, ConfigsOption, HomeOption, JsonOption, examples, now
from continual.cli.output import print_json, say
from continual.cli.progress import progress_bar
from continual.cli.store_options import WindowOption

if TYPE_CHECKING:
    from continual.flows.workspace import Outcome

cells_commands = typer.Typer(
    no_args_is_help=True, help="The additive statistics that every metric is made of.", rich_markup_mode="markdown"
)


def register(app: typer.Typer) -> None:
    app.command(
        epilog=examples(
            "continual score --app loans",
            "continual score 3",
            "continual score 3 --app flights --window 2013-07-01..2013-08-01",
        )
    )(score)
    app.add_typer(cells_commands, name="cells")


def score(
    version: Annotated[
        str | None,
        typer.Argument(
            metavar="[VERSION]", help="A registered version over the log; left out: new files.", show_default=False
        ),
    ] = None,
    app: Annotated[str | None, typer.Option("--app", help="Application; needed when there are several.")] = None,
    window: WindowOption = "28d",
    as_of: AsOf = None,
    home: HomeOption = HOME,
    configs: ConfigsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let the champion answer the files of `scoring.source`; or VERSION every logged row of a window that it did not
    serve, so that it can be compared.

    Day by day, in chunks; what is scored stays when it is interrupted. MLflow must run.
    """
    from continual.api import Application

    here = deployment(home, configs)
    found = Application.of(here.act(app))
    here.check_mlflow()
    with progress_bar(f"version {version}" if version else "files") as tell:
        if version:
            outcome = found.score(version, window, as_of=as_of, progress=tell)
        else:
            outcome = found.score_files(as_of=as_of or now(), progress=tell)
    _say(outcome, as_json)


@cells_commands.command(epilog=examples("continual cells build flights --window 365d"))
def build(
    app: AppArgument = None,
    window: WindowOption = "28d",
    as_of: AsOf = None,
    home: HomeOption = HOME,
    configs: ConfigsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Build the cells of a window that are missing or out of date, for example after new slices were added.

    Reading a window builds what is missing by itself; this does it ahead. The DAG <app>.store does it in parallel.
    """
    from continual.api import Application

    found = Application.of(deployment(home, configs).act(app))
    with progress_bar("cells") as tell:
        outcome = found.build(window, as_of=as_of, progress=tell)
    _say(outcome, as_json)


def _say(outcome: Outcome, as_json: bool) -> None:
    if as_json:
        print_json({**outcome.data, "reason": outcome.reason})
    else:
        say(outcome.reason, "green")
