"""`continual slices`: which slices there are, how many rows they have, and which weak ones nobody named yet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from continual.cli.options import HOME, AppArgument, AsOf, ConfigsOption, HomeOption, JsonOption, examples
from continual.cli.output import print_json, say
from continual.cli.store_options import WindowOption, heading, open_application, show_table

if TYPE_CHECKING:
    from continual.core.discovery import WeakSlice

CHOSEN = (
    "labels of this window were chosen by a sampler, and rows it prefers weigh more here: before believing a slice add "
    "it to the policy and look at its weighted number (`continual metrics --slice`)"
)
commands = typer.Typer(
    no_args_is_help=True, help="The slices of a window, and weak ones nobody named yet.", rich_markup_mode="markdown"
)


def register(app: typer.Typer) -> None:
    app.add_typer(commands, name="slices")


@commands.command("list", epilog=examples("continual slices list flights", "continual slices list --window 90d"))
def list_slices(
    app: AppArgument = None,
    window: WindowOption = "28d",
    as_of: AsOf = None,
    home: HomeOption = HOME,
    configs: ConfigsOption = None,
    as_json: JsonOption = False,
) -> None:
    """List every slice of a window: its predicate, tier, parent, rows and labels."""
    found = open_application(home, configs, app)
    frame = found.slices(window, as_of)
    rows = frame.astype(object).where(frame.notna(), None).to_dict("records")
    if as_json:
        print_json(rows)
        return
    say(heading(found, window, as_of), "bold")
    columns = ("slice", "n", "n_labelled", "tier", "parent", "predicate")
    header = ("slice", "rows", "labelled", "tier", "parent", "rows where")
    show_table(header, [[row[name] for name in columns] for row in rows], ["parent", "tier"])


@commands.command(
    epilog=examples("continual slices discover flights", "continual slices discover --window 90d --literals 2")
)
def discover(
    app: AppArgument = None,
    window: WindowOption = "56d",
    literals: Annotated[int, typer.Option("--literals", min=1, max=3, help="Columns a slice may combine.")] = 2,
    min_rows: Annotated[
        int, typer.Option("--min-rows", min=30, help="Labelled rows a slice must have in the earlier half.")
    ] = 100,
    as_of: AsOf = None,
    home: HomeOption = HOME,
    configs: ConfigsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Find slices on which the live model is worse than overall and that the policy does not name.

    Half of the days propose, the other half confirms, corrected for the number of proposals: a confirmed slice is
    worse beyond chance. What is printed can be pasted into the policy.
    """
    found = open_application(home, configs, app)
    weak = found.discover(window, literals=literals, min_rows=min_rows, as_of=as_of)
    if found.chosen_labels(window, as_of):
        say(CHOSEN, "yellow", stderr=True)
    if as_json:
        print_json([{**vars(item), "name": item.name, "yaml": item.yaml} for item in weak])
        return
    confirmed = sum(item.confirmed for item in weak)
    found_what = f"{confirmed} of {len(weak)} confirmed" if weak else "no slice is worse beyond chance"
    say(f"{heading(found, window, as_of)}: {found_what}", "bold")
    for item in weak:
        _tell(item)


def _tell(item: WeakSlice) -> None:
    word = "confirmed" if item.confirmed else "not confirmed"
    say(item.predicate, "bold" if item.confirmed else "dim")
    say(
        f"  {word}: {item.effect:+.4f} [{item.low:+.4f}, {item.high:+.4f}] loss a row more than on other rows, "
        f"adjusted p {item.p_adjusted:.2g}, {item.n:,} rows of {item.days} days"
    )
    if item.confirmed:
        say("  " + item.yaml.replace("\n", "\n  ").rstrip())
