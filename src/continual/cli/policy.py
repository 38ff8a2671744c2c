"""`continual policy`: what an edit would have changed, and which edit history recommends."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from continual.cli.deployment import deployment
from continual.cli.options import HOME, AppOption, ConfigsOption, HomeOption, JsonOption, OneApp, examples
from continual.cli.output import print_json, print_table, say, short

if TYPE_CHECKING:
    from continual.replay.preview import Previewed
    from continual.replay.tune import Tuned

commands = typer.Typer(
    no_args_is_help=True, help="What an edit of the policy changes, before it does.", rich_markup_mode="markdown"
)
Edited = Annotated[
    Path, typer.Argument(metavar="EDITED", help="The edited policy, or only the fields that differ.", dir_okay=False)
]
Last = Annotated[int, typer.Option("--last", "-n", min=1, help="So many decisions, the newest.")]
Candidates = Annotated[
    int, typer.Option("--budget", min=1, help="Policies to try; each costs a third of a replay or more.")
]
Jobs = Annotated[int, typer.Option("--jobs", "-j", min=1, help="Policies at a time, a process each.")]


def register(app: typer.Typer) -> None:
    app.add_typer(commands, name="policy")


@commands.command(
    epilog=examples("continual policy preview edited.yaml", "continual policy preview edited.yaml --app flights -n 50")
)
def preview(
    edited: Edited,
    app: AppOption = None,
    last: Last = 20,
    home: HomeOption = HOME,
    configs: ConfigsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take the last recorded decisions again under an edited policy, each on its own recorded evidence.

    Where the evidence would have been another, it says so: `continual replay` plays the whole history again.
    """
    from continual.replay.contenders import read_contender
    from continual.replay.preview import preview as flow

    here = deployment(home, configs)
    ws, _ = here.read(here.application(app or _application(edited)))
    found = flow(ws, read_contender(ws.loaded, edited).policy, last)
    if as_json:
        print_json([one.as_dict() for one in found])
        return
    _show(found)


def _application(edited: Path) -> str | None:
    """Named in a whole policy; a patch names none."""
    from continual.policy.document import read_document

    if not edited.is_file():
        return None
    name = read_document(edited.read_text(encoding="utf-8"), str(edited)).data.get("application")
    return str(name) if name else None


def _show(found: list[Previewed]) -> None:
    changed = [one for one in found if one.changed]
    unknown = [one for one in found if one.changed is None]
    rows = [(one.seq, one.as_of, one.kind, one.was, one.would, short(one.why)) for one in changed]
    if rows:
        print_table(("seq", "as of", "decision", "was", "would be", "because"), rows)
    say(_summary(len(changed), len(unknown), len(found)), "yellow" if changed or unknown else "green")
    for why in dict.fromkeys(one.why for one in unknown):
        say(f"{sum(one.why == why for one in unknown)} cannot be told: {why}")


def _summary(changed: int, unknown: int, of: int) -> str:
    """What cannot be told is not counted as unchanged."""
    if not of:
        return "No decision is recorded yet."
    if unknown == of:
        return f"Of the last {of} decisions none can be told."
    told = f", of {of - unknown} that can be told" if unknown else ""
    return f"{changed} of the last {of} decisions would have changed here{told}."


@commands.command(epilog=examples("continual policy tune flights", "continual policy tune flights --budget 16 --json"))
def tune(
    app: OneApp = None,
    budget: Candidates = 8,
    jobs: Jobs = 2,
    home: HomeOption = HOME,
    configs: ConfigsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Propose a policy from history: chosen on its first two thirds, judged on the last, in the policy's `prices`.

    Nothing is edited. The default policy needs no tuning; without a sure gain it says: keep the policy.
    """
    from continual.cli.replay import bars
    from continual.replay.deployment import folder_of, logged_history
    from continual.replay.lab import Lab
    from continual.replay.tune import tune as flow

    here = deployment(home, configs)
    ws, _ = here.read(here.application(app))
    lab = Lab(logged_history(ws), folder_of(ws), ws.settings, live=ws.loaded)
    with bars() as tell:
        found = flow(lab, ws.loaded, budget, jobs, tell)
    if as_json:
        print_json(found.as_dict())
        return
    _tell(found)


def _tell(found: Tuned) -> None:
    rows = sorted(found.tried.items(), key=lambda item: -item[1])
    print_table(("tried", "worth where it was chosen"), [(name, f"{worth:+.1f}") for name, worth in rows])
    say(found.reason, "green")
    if found.changes:
        for line in _lines(found.changes):
            say(f"  {line}")
        say("Preview it, then edit the policy: `continual policy preview`.")


def _lines(changes: dict[str, Any]) -> list[str]:
    import yaml

    return str(yaml.safe_dump(changes, sort_keys=False)).splitlines()
