"""`continual labelling`: ask people for labels, take their answers, see how far they can be trusted."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from continual.cli.deployment import deployment
from continual.cli.labelling_words import ACCOUNT, comparison_sentence, estimate_sentence
from continual.cli.options import (
    HOME,
    AppArgument,
    AppOption,
    AsOf,
    By,
    ConfigsOption,
    HomeOption,
    JsonOption,
    examples,
    now,
    user,
)
from continual.cli.output import print_fields, print_json, print_table, say
from continual.cli.store_options import show_frame

if TYPE_CHECKING:
    from continual.api.labelling import Labelling
    from continual.flows.workspace import Outcome

commands = typer.Typer(
    no_args_is_help=True,
    help="Labels that people are asked for: the queue, answers, agreement.",
    rich_markup_mode="markdown",
)
Slice = Annotated[
    str | None,
    typer.Option("--slice", "-s", help="Where; default: where the pending verdict lacks labels.", show_default=False),
]
Rows = Annotated[
    int | None,
    typer.Option("--labels", "-n", min=1, help="Rows; default: what the budget leaves.", show_default=False),
]
Why = Annotated[str, typer.Option("--reason", help="Why; it is written to the ledger.")]


def register(app: typer.Typer) -> None:
    from continual.cli import labelling_page

    labelling_page.register(commands)
    app.add_typer(commands, name="labelling")


@commands.command(epilog=examples("continual labelling status", "continual labelling status --app loans --json"))
def status(
    as_of: AsOf = None,
    app: AppArgument = None,
    home: HomeOption = HOME,
    configs: ConfigsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show how many rows wait, are answered, disputed or expired, and what is left of the budget."""
    found = labelling(home, configs, app)
    state = found.state(as_of or now())
    if as_json:
        print_json(state)
        return
    print_fields(f"{found.workspace.app}: rows", state["counts"].items())
    print_fields(f"budget in {state['account']['unit']}", [(ACCOUNT[n], state["account"][n]) for n in ACCOUNT])


@commands.command(
    epilog=examples(
        "continual labelling ask",
        "continual labelling ask --slice new_aircraft --labels 200 --reason 'the new fleet is here'",
    )
)
def ask(
    labels: Rows = None,
    slice_name: Slice = None,
    reason: Why = "asked for by hand",
    as_of: AsOf = None,
    app: AppArgument = None,
    home: HomeOption = HOME,
    configs: ConfigsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Draw rows for labelling, with the chance of every row on record, and put them before annotators.

    The budget of the period is charged. The same instant again (--as-of) is the same request. MLflow must run.
    """
    here = deployment(home, configs)
    here.check_mlflow()
    found = labelling(home, configs, app)
    _tell(found.ask(as_of or now(), labels=labels, slice=slice_name, reason=reason), as_json)


@commands.command(epilog=examples("continual labelling queue", "continual labelling queue --all --json"))
def queue(
    everything: Annotated[bool, typer.Option("--all", help="Settled rows too.")] = False,
    limit: Annotated[int, typer.Option("--limit", min=1, help="Rows to print.")] = 20,
    app: AppArgument = None,
    home: HomeOption = HOME,
    configs: ConfigsOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the rows that wait for answers, the first to be labelled first."""
    found = labelling(home, configs, app).queue(everything)
    if as_json:
        show_frame(found)
        return
    names = ["key", "state", "use", "votes", "needed", "probability", "asked_at", "deadline"]
    rows = found.head(limit)[names].astype(object).where(found.head(limit)[names].notna(), None)
    rows["probability"] = [f"{chance:.3g}" for chance in rows["probability"]]
    print_table(names, rows.itertuples(index=False))
    say(f"{len(found):,} rows" + (f", {limit} shown" if len(found) > limit else ""), "dim")


@commands.command(
    epilog=examples("continual labelling export tasks.csv", "continual labelling export tasks.csv --json")
)
def export(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="CSV file to write.", dir_okay=False)],
    app: AppOption = None,
    home: HomeOption = HOME,
    configs: ConfigsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write the rows that wait into a CSV file whose column `label` is to be filled in.

    It never holds a model's answer, but the column `suggestion` of rows that only train.
    """
    count = labelling(home, configs, app).export(path)
    if as_json:
        print_json({"rows": count, "path": str(path)})
        return
    say(f"{count:,} rows to label in {path}; fill in `label`, then: continual labelling import {path}", "green")


@commands.command(
    "import",
    epilog=examples("continual labelling import tasks.csv --by anna", "continual labelling import agency.csv --json"),
)
def import_file(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="CSV file with answers.", exists=True, dir_okay=False)],
    by: By = None,
    as_of: AsOf = None,
    app: AppOption = None,
    home: HomeOption = HOME,
    configs: ConfigsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take answers from a CSV file: record_key and label; annotator and answered_at where the file has them.

    Any order, partly filled, twice: no harm. Unknown keys and unreadable labels are quarantined with their reason.
    """
    found = labelling(home, configs, app)
    _tell(found.import_answers(path, as_of or now(), by or user()), as_json)


@commands.command(
    epilog=examples(
        "continual labelling answer 2013-07-04-UA-15 late --by anna",
        "continual labelling answer 2013-07-04-UA-15 'not late' --decide --by 'the lead'",
    )
)
def answer(
    key: Annotated[str, typer.Argument(metavar="KEY", help="Record key.", show_default=False)],
    label: Annotated[str, typer.Argument(metavar="LABEL", help="The label, or ? = cannot tell.", show_default=False)],
    decide: Annotated[bool, typer.Option("--decide", help="An adjudication: outweighs all other answers.")] = False,
    by: By = None,
    as_of: AsOf = None,
    app: AppOption = None,
    home: HomeOption = HOME,
    configs: ConfigsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give one answer, or decide about a row whose answers differ."""
    found = labelling(home, configs, app)
    _tell(found.answer(key, label, by or user(), as_of or now(), decides=decide), as_json)


@commands.command(epilog=examples("continual labelling collect", "continual labelling collect --app loans --json"))
def collect(
    as_of: AsOf = None,
    app: AppArgument = None,
    home: HomeOption = HOME,
    configs: ConfigsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Fetch answers from the backend, write agreed labels to the log, close what is past its deadline."""
    _tell(labelling(home, configs, app).collect(as_of or now()), as_json)


@commands.command(epilog=examples("continual labelling agreement", "continual labelling agreement --json"))
def agreement(
    app: AppArgument = None, home: HomeOption = HOME, configs: ConfigsOption = None, as_json: JsonOption = False
) -> None:
    """Show how far annotators agree, how many labels are wrong, and the last comparison without that noise."""
    found = labelling(home, configs, app)
    told = found.quality()
    if as_json:
        print_json(told.as_dict())
        return
    noise = told.noise.estimate if told.noise else None
    fields: list[tuple[str, Any]] = [
        ("answers", ", ".join(f"{name} {n:,}" for name, n in told.people.items()) or "none"),
        ("agreement", estimate_sentence(told.kappa)),
        ("wrong labels", estimate_sentence(noise, share=True)),
        ("last comparison, without noise", comparison_sentence(told.adjusted)),
        ("led by the model", told.led.reason if told.led else None),
        ("disputed now", told.disputed),
    ]
    print_fields(found.workspace.app, [*fields, *[("note", note) for note in told.notes]])


@commands.command(epilog=examples("continual labelling review", "continual labelling review --ask --limit 50"))
def review(
    limit: Annotated[int, typer.Option("--limit", min=1, help="Rows.")] = 50,
    again: Annotated[bool, typer.Option("--ask", help="Ask one more person about those that no longer judge.")] = False,
    as_of: AsOf = None,
    app: AppArgument = None,
    home: HomeOption = HOME,
    configs: ConfigsOption = None,
    as_json: JsonOption = False,
) -> None:
    """List labels of people that the champion finds unlikely. No row leaves an evaluation by it. MLflow must run.

    Labels that judge models now are only named: mending them where one model disagrees would favour that model.
    """
    deployment(home, configs).check_mlflow()
    found, known = labelling(home, configs, app), as_of or now()
    if again:
        _tell(found.review(known, limit), as_json)
        return
    frame = found.suspects(known, limit)
    if as_json:
        show_frame(frame)
        return
    print_table(list(frame.columns), frame.itertuples(index=False))


def labelling(home: Path, configs: Path | None, app: str | None) -> Labelling:
    """The queue of the application named, or of the only one."""
    from continual.api.labelling import Labelling

    return Labelling(deployment(home, configs).act(app))


def _tell(outcome: Outcome, as_json: bool) -> None:
    if as_json:
        print_json({**outcome.data, "reason": outcome.reason})
    else:
        say(outcome.reason, "green")
