"""`continual explain`: why this version is live, or why it is not."""

from __future__ import annotations

from typing import Annotated

import typer

from continual.cli.deployment import deployment
from continual.cli.options import HOME, ConfigsOption, HomeOption, JsonOption, examples
from continual.cli.output import print_fields, print_json, say

App = Annotated[str | None, typer.Argument(metavar="APP", help="Application; needed when there are several.")]
Version = Annotated[
    str | None, typer.Argument(metavar="VERSION", help="Version; default: the champion.", show_default=False)
]


def register(app: typer.Typer) -> None:
    app.command(
        epilog=examples("continual explain", "continual explain flights 3", "continual explain flights --json")
    )(explain)


def explain(
    app: App = None,
    version: Version = None,
    home: HomeOption = HOME,
    configs: ConfigsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say why a version is live, or why it was not promoted, in sentences from the ledger."""
    from continual.flows.explain import explain as flow

    here = deployment(home, configs)
    found = flow(here.read(here.application(app))[0], version)
    if as_json:
        print_json(found.as_dict())
        return
    say(found.answer, "bold")
    steps = [
        (f"{t.as_of:%Y-%m-%d %H:%M}Z" if t.as_of else "", t.text + (f"  [{t.seq}]" if t.seq else ""))
        for t in found.told
    ]
    print_fields("how it came, with the numbers of the ledger's entries", steps)
