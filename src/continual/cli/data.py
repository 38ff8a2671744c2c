"""`continual data`: forgetting rows for good, and saying what that touched."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from continual.cli import withdrawals
from continual.cli.deployment import deployment
from continual.cli.options import HOME, AsOf, ConfigsOption, HomeOption, JsonOption, OneApp, Reason, examples
from continual.cli.output import print_json, print_table, say

if TYPE_CHECKING:
    from continual.flows.workspace import Outcome
    from continual.stores.log_erase import Erased

DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would go, and delete nothing.")]
commands = typer.Typer(
    no_args_is_help=True,
    help="Withdraw rows from use and restore them; erase rows for good.",
    rich_markup_mode="markdown",
)


def register(app: typer.Typer) -> None:
    withdrawals.register(commands)
    app.add_typer(commands, name="data")


@commands.command(
    epilog=examples(
        "continual data erase flights --key 2013-07-01-UA-123 --reason 'request 17'",
        "continual data erase flights --keys forget.txt --reason 'request 18' --dry-run",
    )
)
def erase(
    reason: Reason,
    app: OneApp = None,
    keys: Annotated[list[str] | None, typer.Option("--key", help="A record key; may be repeated.")] = None,
    file: Annotated[
        Path | None, typer.Option("--keys", help="File with a record key a line.", exists=True, dir_okay=False)
    ] = None,
    dry_run: DryRun = False,
    as_of: AsOf = None,
    home: HomeOption = HOME,
    configs: ConfigsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Delete every trace of these records for good: predictions, labels, scores, quarantine, datasets, snapshots, label
    requests and answers.

    Cells of their days are rebuilt without them. Evaluations made before stay as they were and are marked by the table
    `erasure`. What a model learnt from the rows stays in the model: retrain. The keys are written down nowhere.
    Delivered files, tasks in Label Studio and backups are out of reach.
    """
    from continual.flows.erase import erase as forget
    from continual.flows.erase import find
    from continual.flows.knowledge import newest

    wanted = [*(keys or []), *(file.read_text(encoding="utf-8").split("\n") if file else [])]
    wanted = sorted({key for key in wanted if key})
    if not wanted:
        raise typer.BadParameter("name at least one record: --key KEY or --keys FILE")
    ws = deployment(home, configs).act(app)
    if dry_run:
        _foretell(find(ws, wanted), ws.datasets.holding(wanted), as_json)
    else:
        _say(forget(ws, wanted, reason, as_of or newest(ws)), as_json)
    if not as_json:
        say(f"{len(wanted):,} keys were named; a key that is not logged counts nowhere", "dim")


@commands.command(epilog=examples("continual data expire flights --older-than 400 --reason 'retention'"))
def expire(
    reason: Reason,
    older_than: Annotated[
        int, typer.Option("--older-than", min=1, help="Days before the newest instant of knowledge.")
    ],
    app: OneApp = None,
    dry_run: DryRun = False,
    as_of: AsOf = None,
    home: HomeOption = HOME,
    configs: ConfigsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Delete whole days of rows that are older than this, for good. Their cells are built first and stay: windows of
    the past can still be asked for the slices of the present policy.

    The age counts back from the newest batch or decision (or --as-of), not from today, so that history that is played
    back does not vanish at once. `store.keep_rows` in the policy does it every week by itself.
    """
    from continual.flows.erase import find_before
    from continual.flows.knowledge import newest
    from continual.flows.rebuild import expire as drop

    ws = deployment(home, configs).act(app)
    known = as_of or newest(ws)
    before = known - timedelta(days=older_than)
    if dry_run:
        _foretell(find_before(ws, before), (), as_json)
    else:
        _say(drop(ws, before, reason, known), as_json)


@commands.command("list", epilog=examples("continual data list flights"))
def list_erasures(
    app: OneApp = None, home: HomeOption = HOME, configs: ConfigsOption = None, as_json: JsonOption = False
) -> None:
    """List what was erased or expired: days and numbers of rows, with the reason."""
    from continual.stores.erasure import ErasureStore

    rows = [
        {"application": ws.app, **vars(found), "day": found.day.isoformat()}
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


def _foretell(found: Erased, datasets: Collection[str], as_json: bool) -> None:
    days = {day.isoformat(): n for day, n in found.days.items()}
    shown = ", ".join(f"{n:,} {stream}" for stream, n in found.rows.items() if n) or "no logged row"
    more = f", {len(datasets)} datasets would no longer be reproducible" if datasets else ""
    reason = f"would delete {shown} on {len(days)} days{more}"
    if as_json:
        print_json({"rows": found.rows, "days": days, "datasets": sorted(datasets), "reason": reason})
    else:
        say(reason)


def _say(outcome: Outcome, as_json: bool) -> None:
    if as_json:
        print_json({**outcome.data, "reason": outcome.reason})
    else:
        say(outcome.reason, "green")
