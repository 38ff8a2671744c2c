"""The command line: every command is thin over a function that Python code can call as well."""

from __future__ import annotations

import os
from typing import Any

import typer
from typer.core import TyperGroup

from continual.cli import (
    backup,
    check,
    completion,
    data,
    database,
    dataset,
    expectations,
    explain,
    exporter,
    init,
    labelling,
    labels,
    ledger,
    metrics,
    notify,
    pnl,
    policy,
    quarantine,
    replay,
    runs,
    schema,
    score,
    serve,
    slices,
    status,
    up,
)
from continual.cli.app_name import accept_everywhere
from continual.errors import ContinualError

#: What a command imports must not report to its makers that it was used.
QUIET = {"MLFLOW_DISABLE_TELEMETRY": "true", "GX_ANALYTICS_ENABLED": "false", "DO_NOT_TRACK": "true"}


class _Commands(TyperGroup):
    """An error raised on purpose is three sentences and exit code 1, never a traceback."""

    def invoke(self, ctx: Any) -> Any:
        for name, value in QUIET.items():
            os.environ.setdefault(name, value)
        try:
            return super().invoke(ctx)
        except (ContinualError, FileNotFoundError, PermissionError) as error:
            from continual.cli.output import print_error

            print_error(error if isinstance(error, ContinualError) else _unreadable(error))
            raise typer.Exit(1) from error


def _unreadable(error: OSError) -> ContinualError:
    return ContinualError(
        "The files of the deployment must be there and readable.",
        f"{error}.",
        "restore them and their permissions. A home that was moved or copied goes back where it was: Iceberg's tables "
        "hold absolute paths.",
    )


app = typer.Typer(
    cls=_Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    help="The control loop around models in production: retrain, judge, promote, watch, roll back.",
    epilog="`--app NAME` names the application wherever a command is about one; where it has no other argument NAME "
    "alone will do. Exit codes: 0 done, 1 a problem (said on stderr), 2 wrong usage. Every command has --help with "
    "examples.",
)
for _module in (  # in the order of `continual --help`
    init,
    check,
    up,
    status,
    explain,
    metrics,
    slices,
    labels,
    labelling,
    runs,
    score,
    ledger,
    replay,
    policy,
    pnl,
    quarantine,
    data,
    dataset,
    expectations,
    exporter,
    notify,
    serve,
    database,
    backup,
    schema,
    completion,
):
    _module.register(app)

#: What people look for together in `continual --help`.
PANELS = {
    "Set up and run": "init deliver check up down serve notify exporter completion schema",
    "Ask": "status explain metrics compare slices labels drift ledger pnl",
    "Act": "ingest retrain rollback score labelling quarantine data",
    "Try before": "replay policy expectations",
    "Keep": "dataset cells backup restore db",
}


def _into_panels() -> None:
    panel_of = {name: panel for panel, names in PANELS.items() for name in names.split()}
    for command in app.registered_commands:
        command.rich_help_panel = panel_of[str(command.name or getattr(command.callback, "__name__", ""))]
    for group in app.registered_groups:
        group.rich_help_panel = panel_of[str(group.name)]


_into_panels()
accept_everywhere(app)
