"""`continual ledger`: what was decided, and whether that still holds."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from continual.cli.deployment import Deployment, deployment
from continual.cli.options import HOME, ConfigsOption, HomeOption, JsonOption, OneApp, examples, instant
from continual.cli.output import print_json, print_table, say

if TYPE_CHECKING:
    from continual.flows.replay_decisions import Rederived
    from continual.stores.ledger import Ledger

commands = typer.Typer(
    no_args_is_help=True, help="Every decision with its evidence, hash-chained.", rich_markup_mode="markdown"
)
Kind = Annotated[
    str | None, typer.Option("--kind", help="Only entries of this kind, such as verdict, champion, alarm.")
]
Since = Annotated[
    datetime | None,
    typer.Option("--since", parser=instant, metavar="INSTANT", help="Only entries with as_of at or after it (UTC)."),
]
PLURALS = {
    "verdict": "verdicts",
    "trigger": "triggers",
    "monitor": "looks at the monitor",
    "alarm": "alarms",
    "diagnosis": "diagnoses",
}
Limit = Annotated[int, typer.Option("--limit", "-n", min=1, help="At most this many, the newest.")]


def register(app: typer.Typer) -> None:
    app.add_typer(commands, name="ledger")


@commands.command(
    epilog=examples(
        "continual ledger show",
        "continual ledger show flights --kind verdict --since 2013-07-01",
        "continual ledger show -n 1 --json",
    )
)
def show(
    app: OneApp = None,
    kind: Kind = None,
    since: Since = None,
    limit: Limit = 20,
    home: HomeOption = HOME,
    configs: ConfigsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the newest decisions, oldest first; with --json with all their evidence."""
    ledgers = _ledgers(deployment(home, configs), app)
    newest = [ledger.entries(kind=kind, since=since, limit=limit, newest_first=True) for ledger in ledgers]
    if as_json:
        print_json([entry.as_dict() for entries in newest for entry in reversed(entries)])
        return
    for ledger, entries in zip(ledgers, newest, strict=True):
        rows = [(e.seq, e.as_of, e.kind, e.reason) for e in reversed(entries)]
        if rows:
            print_table(("seq", "as of", "kind", "reason"), rows, title=ledger.app)
        else:
            kinds = ", ".join(sorted({e.kind for e in ledger.entries()}))
            say(f"{ledger.app}: no entry" + (f" matches; kinds there are: {kinds}" if kinds else " yet"))


@commands.command(epilog=examples("continual ledger verify", "continual ledger verify flights --json"))
def verify(
    app: OneApp = None, home: HomeOption = HOME, configs: ConfigsOption = None, as_json: JsonOption = False
) -> None:
    """Recompute the hash chain; exit code 1 names the first entry that is missing or was changed."""
    counts = {ledger.app: ledger.verify() for ledger in _ledgers(deployment(home, configs), app)}
    if as_json:
        print_json([{"application": name, "entries": count, "verified": True} for name, count in counts.items()])
        return
    for name, count in counts.items():
        say(f"{name}: {count:,} entries, hash chain verified", "green")


@commands.command(epilog=examples("continual ledger replay", "continual ledger replay flights --json"))
def replay(
    app: OneApp = None, home: HomeOption = HOME, configs: ConfigsOption = None, as_json: JsonOption = False
) -> None:
    """Derive every decision again from its recorded evidence, under the policy of the day; no model is needed.

    Verdicts, triggers, looks at the monitor, alarms and diagnoses. Exit code 1 when one comes out different or cannot
    be derived again.
    """
    from continual.flows.replay_decisions import rederive

    here = deployment(home, configs)
    found = [(ledger.app, one) for ledger in _ledgers(here, app) for one in rederive(ledger, here.shelf)]
    if as_json:
        print_json([{"application": name, **one.as_dict()} for name, one in found])
    else:
        _show(found)
    if not all(one.same for _, one in found):
        raise typer.Exit(1)


def _show(found: list[tuple[str, Rederived]]) -> None:
    words: dict[Any, str] = {True: "identical", False: "DIFFERENT", None: "not derivable"}
    rows = [
        (name, one.seq, f"{one.kind} {one.candidate}".strip(), one.answer, words[one.same], one.difference)
        for name, one in found
        if one.kind == "verdict" or not one.same
    ]
    if rows:
        head = ("application", "seq", "decision", "recorded", "derived again", "difference")
        print_table(head, rows)
    for kind in dict.fromkeys(["verdict", *(one.kind for _, one in found)]):
        of_kind = [one for _, one in found if one.kind == kind]
        same = sum(bool(one.same) for one in of_kind)
        plural = PLURALS.get(kind, f"entries {kind}")
        say(f"{same:,} of {len(of_kind):,} {plural} identical", "green" if same == len(of_kind) else "red")


def _ledgers(here: Deployment, app: str | None) -> list[Ledger]:
    return [ws.ledger for ws, _ in here.each(app)]
