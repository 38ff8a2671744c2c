"""`continual expectations`: a suite proposed from the log, with how often each line would have been a false alarm."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from continual.cli.options import HOME, AppArgument, AsOf, ConfigsOption, HomeOption, JsonOption, examples
from continual.cli.output import print_json, say
from continual.cli.progress import progress_bar
from continual.cli.store_options import WindowOption, open_application

if TYPE_CHECKING:
    from continual.flows.suggest_expectations import Suggestion

commands = typer.Typer(
    no_args_is_help=True, help="Great Expectations: suites proposed from the log.", rich_markup_mode="markdown"
)


def register(app: typer.Typer) -> None:
    app.add_typer(commands, name="expectations")


@commands.callback()
def main() -> None:
    """Great Expectations: suites proposed from the log."""


@commands.command(
    epilog=examples(
        "continual expectations suggest flights --window 2013-03-01..2013-04-01",
        "continual expectations suggest flights --window 28d --history 120 --tolerate 0.02 > suite.yaml",
    )
)
def suggest(
    app: AppArgument = None,
    window: WindowOption = "28d",
    history: Annotated[
        int, typer.Option("--history", min=0, help="Days before and after the window to try the suite on.")
    ] = 60,
    tolerate: Annotated[
        float, typer.Option("--tolerate", min=0, max=1, help="Lines that fail on more of those days are commented out.")
    ] = 0.05,
    as_of: AsOf = None,
    home: HomeOption = HOME,
    configs: ConfigsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Propose a suite from days that were all right, as YAML to paste into the policy.

    Every line is tried on the other days of the log with Great Expectations itself: a day it fails on was either a
    false alarm or a fault, so look at the days it names. Rows are those of the log; what was set aside is not there.
    """
    found = open_application(home, configs, app)
    with progress_bar("trying") as progress:
        lines = found.suggest_expectations(window, timedelta(days=history), as_of=as_of, progress=progress)
    if as_json:
        print_json([line.as_dict() for line in lines])
        return
    print(as_yaml(lines, tolerate), end="")
    days = lines[0].tried if lines else 0
    say(f"{len(lines)} lines, tried on {days} other days" if days else "no other day to try them on", stderr=True)


def as_yaml(lines: list[Suggestion], tolerate: float) -> str:
    """To paste under the policy's top level; what fails too often, or stands there already, is commented out."""
    out = ["expectations:"]
    for stream in ("predictions", "labels"):
        own = [line for line in lines if line.stream == stream]
        if own:
            out.append(f"  {stream}:  # presence and types of columns are checked before")
        for line in own:
            off = "# " if line.stands or (line.rate or 0) > tolerate else ""
            out.append(f"    {off}- {line.spec.name}: {_flow(line.spec.arguments)}")
            out.append(f"    #   {line.why}; {tested(line)}{'; in the policy already' * line.stands}")
    return "\n".join(out) + "\n"


def tested(line: Suggestion) -> str:
    """How often it would have failed, for people."""
    if line.rate is None or line.at_most is None:
        return "not tried: no other day in the log"
    if not line.failed:
        return f"failed on none of {line.tried} other days (at most {line.at_most:.1%} of days, 95%)"
    named = ", ".join(str(day) for day in line.failed[:5]) + (" ..." if len(line.failed) > 5 else "")
    return f"FAILED on {len(line.failed)} of {line.tried} other days ({line.rate:.1%}): {named}"


def _flow(arguments: dict[str, Any]) -> str:
    import yaml

    return str(yaml.safe_dump(arguments, default_flow_style=True, sort_keys=False, width=10**6)).strip()
