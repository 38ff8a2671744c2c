"""`continual init` and `continual deliver`: a table of your own becomes an application, day by day."""

from __future__ import annotations

import re
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from continual.cli.deployment import Deployment, deployment
from continual.cli.options import HOME, ConfigsOption, HomeOption, JsonOption, examples, instant, now, user
from continual.cli.output import print_fields, print_json, say
from continual.cli.progress import progress_bar
from continual.errors import ContinualError

if TYPE_CHECKING:
    import pyarrow as pa

    from continual.flows.deliver import Delivered
    from continual.flows.table import Columns

Name = Annotated[str, typer.Argument(metavar="APP", help="Name of the new application.", show_default=False)]
From = Annotated[
    str,
    typer.Option("--from", help="Parquet or CSV file, or a database URL (with --table).", show_default=False),
]
TableOption = Annotated[str | None, typer.Option("--table", help="Database: table, or a SELECT.", show_default=False)]
Column = typer.Option(help="Column; guessed when left out.", show_default=False)
Until = Annotated[
    datetime | None,
    typer.Option(
        "--until", parser=instant, metavar="DATE", help="Days before it (UTC); default: all.", show_default=False
    ),
]
Known = Annotated[str | None, typer.Option(help="Column: when the label was known; - for none.", show_default=False)]
Key = Annotated[str | None, typer.Option(help="Column that names a row; - for none.", show_default=False)]
Drop = Annotated[list[str] | None, typer.Option(help="Column that is no feature; repeatable.")]
TaskOption = Annotated[
    str | None, typer.Option(help="binary, multiclass or regression; guessed from the label.", show_default=False)
]
Positive = Annotated[str | None, typer.Option(help="binary: the value that means 1.", show_default=False)]
Lag = Annotated[str | None, typer.Option(help="How late labels are, such as 36h.", show_default=False)]
Owner = Annotated[str | None, typer.Option(help="Who is called; default: you.", show_default=False)]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing; take the guesses.")]
Force = Annotated[bool, typer.Option("--force", help="Replace a policy file that exists.")]


def register(app: typer.Typer) -> None:
    app.command(
        epilog=examples(
            "continual init bikes --from bikes.parquet",
            "continual init bikes --from bikes.parquet --label count --until 2012-07-01 --yes",
            "continual init loans --from postgresql+psycopg://host/bank --table loans --label repaid --positive yes",
        )
    )(init)
    app.command(epilog=examples("continual deliver bikes --until 2012-10-01"))(deliver)


def init(
    name: Name,
    source: From,
    table: TableOption = None,
    label: Annotated[str | None, Column] = None,
    time: Annotated[str | None, Column] = None,
    known: Known = None,
    key: Key = None,
    drop: Drop = None,
    task: TaskOption = None,
    positive: Positive = None,
    lag: Lag = None,
    owner: Owner = None,
    until: Until = None,
    yes: Yes = False,
    force: Force = False,
    home: HomeOption = HOME,
    configs: ConfigsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make an application from a table: a commented policy file, and the table's history where ingest finds it.

    Asks which columns hold instant, label and key, with a guess for each; --yes takes the guesses. Rows before --until
    are delivered as history; `continual deliver` plays later days, answered by the champion of the moment.
    """
    from continual.flows.new_application import Origin, create
    from continual.flows.table import read_table

    here = deployment(home, configs)
    path = _new_file(here, name, force)
    given: dict[str, Any] = {"label": label, "time": time, "known": known, "key": key, "task": task}
    given |= {"positive": positive, "drop": drop, "lag": _duration(lag)}
    rows, origin = read_table(source, table), Origin(source, table)
    found = _columns(rows, given, ask=not yes and not as_json and sys.stdin.isatty())
    with progress_bar("delivering") as progress:
        done = create(here.settings.home, path, owner or user(), origin, rows, found, until or now(), now(), progress)
    if as_json:
        print_json({"policy": str(path), "columns": found.as_dict(), "delivered": done.__dict__})
    else:
        _made(name, path, len(rows), found, done)


def _new_file(here: Deployment, name: str, force: bool) -> Path:
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,40}", name):
        raise typer.BadParameter(
            f"must be a small letter, then small letters, digits and _, such as bike_rentals, got {name!r}",
            param_hint="APP",
        )
    path = here.settings.configs / f"{name}.yaml"
    if path.exists() and not force:
        raise ContinualError("The application must be new.", f"{path} exists.", "choose another name, or add --force.")
    return path


def _made(name: str, path: Path, rows: int, found: Columns, done: Delivered) -> None:
    from continual.flows.table import describe

    print_fields(f"{name}: {rows:,} rows", describe(found))
    say(f"wrote {path}", "green")
    _tell(done, "history")
    say(f"next: read it, then `continual check {name}` and `continual up`")


def _duration(text: str | None) -> timedelta | None:
    from continual.core.duration import parse as duration

    try:
        return duration(text) if text else None
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--lag") from None


def _columns(rows: pa.Table, given: dict[str, Any], ask: bool) -> Columns:
    from continual.cli.init_questions import asked
    from continual.flows.table import guess_columns

    return guess_columns(rows, asked(rows, given) if ask else given)


def deliver(
    name: Annotated[str, typer.Argument(metavar="APP", help="Application made by `init`.", show_default=False)],
    until: Until = None,
    home: HomeOption = HOME,
    configs: ConfigsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Play later days of the table: the champion of the moment answers them, labels come when they were known.

    What a serving system would deliver, without one. A day that was delivered stays as it is.
    """
    from continual.flows import deliver as flow
    from continual.flows.serving_check import answers
    from continual.flows.table import read_table

    here = deployment(home, configs)
    ws = here.act(name)
    folder = flow.landing(here.settings.home, name)
    place, table, columns = flow.remembered(folder)
    here.check_mlflow()
    version, target = ws.registry.champion(), ws.policy.label.target
    frame = flow.rows_of(read_table(place, table), columns, target)
    serve = (lambda rows: (answers(ws, version, rows), version)) if version else None
    with progress_bar("delivering") as progress:
        done = flow.deliver(frame, folder, target, until or now(), serve, progress)
    if as_json:
        print_json({"version": version, "delivered": done.__dict__})
    else:
        _tell(done, f"answered by version {version}" if version else "no champion yet: history")


def _tell(done: Delivered, what: str) -> None:
    if not done.files or done.start is None or done.end is None:
        say("every day was delivered already")
        return
    days = f"{done.start:%Y-%m-%d} to {done.end:%Y-%m-%d} (exclusive)"
    say(f"delivered {done.rows:,} rows in {done.files} files, {days}; {what}", "green")
