"""`continual quarantine`: rows set aside by ingest, and versions set aside by a rollback."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Annotated, Any

import typer

from continual.cli.deployment import deployment
from continual.cli.options import (
    HOME,
    AppOption,
    AsOf,
    By,
    ConfigsOption,
    HomeOption,
    JsonOption,
    OneApp,
    Reason,
    examples,
    now,
    user,
)
from continual.cli.output import print_fields, print_json, print_table, say, short, shown

if TYPE_CHECKING:
    from continual.flows.workspace import Outcome

commands = typer.Typer(
    no_args_is_help=True, help="Rows and model versions that were set aside.", rich_markup_mode="markdown"
)
Item = Annotated[str, typer.Argument(metavar="ITEM", help="Id of an item, or its beginning.", show_default=False)]
Rename = Annotated[
    list[str] | None,
    typer.Option(
        "--rename", metavar="FROM=TO", help="Rename a column on the way; may be repeated.", show_default=False
    ),
]


def register(app: typer.Typer) -> None:
    app.add_typer(commands, name="quarantine")


@commands.command(
    "list", epilog=examples("continual quarantine list", "continual quarantine list flights --all --json")
)
def list_items(
    app: OneApp = None,
    everything: Annotated[bool, typer.Option("--all", help="Settled items too.")] = False,
    home: HomeOption = HOME,
    configs: ConfigsOption = None,
    as_json: JsonOption = False,
) -> None:
    """List rows that ingest set aside and quarantined model versions, with their reasons."""
    items, versions = [], []
    for ws, _ in deployment(home, configs).each(app):
        found = ws.batches.items() if everything else ws.batches.items(state="open")
        items += [(ws.app, item) for item in found]
        versions += [(ws.app, version) for version in ws.versions.versions(state="quarantined")]
    if as_json:
        bad = [{"application": name, "version": v.version, "reason": v.reason} for name, v in versions]
        print_json({"items": [{"application": n, **vars(item)} for n, item in items], "versions": bad})
        return
    for name, i in items:
        say(f"{i.id}  {name}  {i.n_rows:,} {i.stream}, {i.state}, since {shown(i.opened_as_of)}", "bold")
        say(f"  {short(i.reason, 1000)}")
    for name, v in versions:
        say(f"version {v.version}  {name}  quarantined", "bold")
        say(f"  {short(str(v.reason))}")
    if not items:
        say("no item" if everything else "no open item")


@commands.command(
    epilog=examples("continual quarantine show 9afe4d3e", "continual quarantine show 9afe4d3e --rows 100 --json")
)
def show(
    item: Item,
    rows: Annotated[int, typer.Option("--rows", min=0, help="Rows to print.")] = 5,
    app: AppOption = None,
    home: HomeOption = HOME,
    configs: ConfigsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show one item: its batch, how many rows failed for which reason, and some of the rows as delivered."""
    from continual.flows.quarantine import batch_of, find_item

    here = deployment(home, configs)
    ws, _ = here.read(here.application(app))
    found = find_item(ws, item)
    batch, kept = batch_of(ws, found), ws.log.read_quarantine(found.ref)
    reasons = Counter(kept["reasons"].fillna("no reason").tolist())
    sample = kept.head(rows)[["row_json", "reasons"]].to_dict("records")
    if as_json:
        print_json({**vars(found), "batch": batch.name if batch else None, "reasons": reasons, "sample": sample})
        return
    fields: list[tuple[str, Any]] = [("batch", batch.name if batch else None), ("stream", found.stream)]
    fields += [("rows", found.n_rows), ("state", found.state), ("since", found.opened_as_of)]
    print_fields(found.id, fields)
    print_table(("rows", "reason"), [(count, reason) for reason, count in reasons.most_common()])
    for row in sample:
        say(str(row["row_json"]))


@commands.command(
    epilog=examples(
        "continual quarantine replay 9afe4d3e",
        "continual quarantine replay 9afe4d3e --rename temperature=temp",
        "continual quarantine replay 9afe4d3e --as-of 2013-08-02",
    )
)
def replay(
    item: Item,
    rename: Rename = None,
    by: By = None,
    as_of: AsOf = None,
    app: AppOption = None,
    home: HomeOption = HOME,
    configs: ConfigsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Judge an item's rows again under the present policy, and put those that pass into the log, once.

    A batch that was refused whole is judged again as a batch, with every check. Rows set aside from an accepted batch
    are judged one by one: checks of the table, of an aggregate or with `mostly` are left out, because they say nothing
    about a handful of rows and their batch passed them. Rows that still fail wait in a new item.
    """
    from continual.flows.replay_item import replay_item

    names = _pairs(rename or [])
    ws = deployment(home, configs).act(app)
    _tell(replay_item(ws, item, by or user(), as_of or now(), names), as_json)


@commands.command(epilog=examples("continual quarantine discard 9afe4d3e --reason 'test rows of the vendor'"))
def discard(
    item: Item,
    reason: Reason,
    by: By = None,
    as_of: AsOf = None,
    app: AppOption = None,
    home: HomeOption = HOME,
    configs: ConfigsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give an item's rows up. They stay readable, never enter the log, and ingest asks for no correction any more."""
    from continual.flows.quarantine import discard as give_up

    _tell(give_up(deployment(home, configs).act(app), item, by or user(), reason, as_of or now()), as_json)


@commands.command(epilog=examples("continual quarantine release 4 --reason 'the sensor was wrong, not the model'"))
def release(
    version: Annotated[str, typer.Argument(metavar="VERSION", help="A quarantined model version.", show_default=False)],
    reason: Reason,
    by: By = None,
    as_of: AsOf = None,
    app: AppOption = None,
    home: HomeOption = HOME,
    configs: ConfigsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Release a quarantined model version: its recipe may be trained on its rows again.

    The version becomes a retired one. It is not promoted by this, but a rollback may choose it again. MLflow must run.
    """
    from continual.flows.release import release_version

    here = deployment(home, configs)
    ws = here.act(app)
    here.check_mlflow()
    _tell(release_version(ws, version, by or user(), reason, as_of or now()), as_json)


def _pairs(texts: list[str]) -> dict[str, str]:
    pairs = dict(text.split("=", 1) for text in texts if "=" in text)
    if len(pairs) != len(texts) or not all(old and new for old, new in pairs.items()):
        raise typer.BadParameter(f"must be FROM=TO, each once, such as temperature=temp; got {' '.join(texts)}")
    return pairs


def _tell(outcome: Outcome, as_json: bool) -> None:
    if as_json:
        print_json({**outcome.data, "reason": outcome.reason})
    else:
        say(outcome.reason, "green")
