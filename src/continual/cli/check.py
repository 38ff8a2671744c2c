"""`continual check`: are the policy files good?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from continual.cli.deployment import deployment
from continual.cli.options import HOME, ConfigsOption, HomeOption, JsonOption, examples
from continual.cli.output import console, print_json, say

if TYPE_CHECKING:
    from pathlib import Path

    from continual.flows.check import Checked

Names = Annotated[list[str] | None, typer.Argument(metavar="APP", help="Applications; all when left out.")]


def register(app: typer.Typer) -> None:
    app.command(epilog=examples("continual check", "continual check flights", "continual check --json"))(check)


def check(
    apps: Names = None, home: HomeOption = HOME, configs: ConfigsOption = None, as_json: JsonOption = False
) -> None:
    """Check policy files: every problem with file, line, field, value and remedy.

    Finds what Airflow would show as an import error, and what only a run would find: unknown expectations and their
    arguments, steps of trainers that cannot be imported or built, types nobody trusted. Exit code 1 when there is any.
    """
    from continual.flows.check import check_application

    here = deployment(home, configs)
    names = here.applications(apps or [])
    with console(stderr=True).status("importing Great Expectations and scikit-learn"):
        found = [check_application(here.shelf, name) for name in names]
    misnamed = _misnamed(here.settings.configs) if not apps else []
    if as_json:
        print_json({"applications": [one.as_dict() for one in found], "not_read": misnamed})
    else:
        _show(found, misnamed)
    if misnamed or any(one.problems for one in found):
        raise typer.Exit(1)


def _misnamed(configs: Path) -> list[str]:
    """A file nobody reads looks like a policy that does nothing."""
    return sorted(path.name for path in configs.glob("*.yml"))


def _show(found: list[Checked], misnamed: list[str]) -> None:
    for one in found:
        for problem in one.problems:
            _problem(problem)
        state = (
            f"{one.in_force} is in force, policy {one.policy}" if one.policy else "nothing is in force: it has no DAGs"
        )
        word = f"{len(one.problems)} to correct" if one.problems else "ok"
        say(f"{one.application}: {word}; {state}", "red" if one.problems else "green")
    for name in misnamed:
        say(f"{name} is not read: rename it to {name.removesuffix('.yml')}.yaml", "red")


def _problem(problem: Any) -> None:
    """Several fields may be wrong at once; each on its line."""
    say(problem.must, "red")
    for line in problem.got.split(" | "):
        say(f"  {line}")
    for line in problem.do.split(" | "):
        say(f"  Do: {line}")
