"""`continual data`: forgetting rows for good, and saying what that touched."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from continual.cli.deployment import deployment
from continual.cli.options import HOME, AsOf, ConfigsOption, HomeOption, JsonOption, OneApp, Reason, examples, now
from continual.cli.output import print_json, print_table, say
from continual.flows.workspace import Outcome

commands = typer.Typer(no_args_is_help=True, help="Erase rows, and see what was erased.", rich_markup_mode="markdown")


def register(app: typer.Typer) -> None:
    app.add_typer(commands, name="data")


@commands.command(
    epilog=examples(
        "continual data erase flights --key 2013-07-01-UA-123 --reason 'request 17'",
        "continual data erase flights --keys forget.txt --reason 'request 18'",
    )
)
def erase(
    reason: Reason,
    app: OneApp = None,
    keys: Annotated[list[str] | None, typer.Option("--key", help="A record key; may be repeated.")] = None,
    file: Annotated[
        Path | None, typer.Option("--keys", help="File with a record key a line.", exists=True, dir_okay=False)
    ] = None,
    as_of: AsOf = None,
    home: HomeOption = HOME,
    configs: ConfigsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Delete every trace of these records: predictions, labels, scores, quarantine, datasets, and the snapshots that
    still reach them.

    Cells of their days are rebuilt without them. Evaluations made before stay as they were and are marked by the table
    `erasure`. What a model learnt from the rows stays in the model: retrain. The keys are written down nowhere.
    """
    from continual.flows.erase import erase as forget

    wanted = [*(keys or []), *(file.read_text(encoding="utf-8").split("\n") if file else [])]
    wanted = [key for key in wanted if key]
    if not wanted:
        raise typer.BadParameter("name at least one record: --key KEY or --keys FILE")
    _say(forget(deployment(home, configs).act(app), wanted, reason, as_of or now()), as_json)


@commands.command(epilog=examples("continual data expire flights --older-than 400 --reason 'retention'"))
def expire(
    reason: Reason,
    older_than: Annotated[int, typer.Option("--older-than", min=1, help="Days before the instant of knowledge.")],
    app: OneApp = None,
    as_of: AsOf = None,
    home: HomeOption = HOME,
    configs: ConfigsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Delete whole days of rows that are older than this. Their cells stay: windows of the past can still be asked for
    the slices of that time.

    `store.keep_rows` in the policy does it every week by itself.
    """
    from continual.flows.erase import expire as drop

    known = as_of or now()
    _say(drop(deployment(home, configs).act(app), known - timedelta(days=older_than), reason, known), as_json)


@commands.command("list", epilog=examples("continual data list flights"))
def list_erasures(
    app: OneApp = None, home: HomeOption = HOME, configs: ConfigsOption = None, as_json: JsonOption = False
) -> None:
    """List what was erased or expired: days and numbers of rows, with the reason."""
    from continual.stores.erasure import ErasureStore

    rows = [
        {"application": ws.app, **vars(found)}
        for ws, _ in deployment(home, configs).each(app)
        for found in ErasureStore(ws.db, ws.app).read()
    ]
    if as_json:
        print_json(rows)
    elif rows:
        columns = ("application", "day", "n_rows", "kind", "as_of", "reason")
        print_table(columns, [[row[name] for name in columns] for row in rows])
    else:
        say("nothing was erased")


def _say(outcome: Outcome, as_json: bool) -> None:
    if as_json:
        print_json({**outcome.data, "reason": outcome.reason})
    else:
        say(outcome.reason, "green")
