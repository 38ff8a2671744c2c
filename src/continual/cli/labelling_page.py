"""`continual labelling annotators` and `serve`: who may label, and the page where they do."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from continual.cli.deployment import deployment
from continual.cli.labelling import labelling
from continual.cli.options import HOME, AppArgument, AppOption, ConfigsOption, HomeOption, JsonOption, examples
from continual.cli.output import print_json, say

people = typer.Typer(no_args_is_help=True, help="Who may use the labelling page.", rich_markup_mode="markdown")
Name = Annotated[str, typer.Argument(metavar="NAME", help="Name or e-mail address.", show_default=False)]


def register(commands: typer.Typer) -> None:
    commands.add_typer(people, name="annotators")
    shown = examples(
        "continual labelling serve", "continual labelling serve loans --port 9471 --name label.example.com"
    )
    commands.command(epilog=shown)(serve)


@people.command("add", epilog=examples("continual labelling annotators add anna@example.com"))
def add_annotator(
    name: Name,
    app: AppOption = None,
    home: HomeOption = HOME,
    configs: ConfigsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give a person access to the labelling page; prints their token, once. An earlier one is void."""
    token = labelling(home, configs, app).annotators.add(name)
    if as_json:
        print_json({"annotator": name, "token": token})
        return
    say(token)
    say(f"the token of {name}; it is not shown again", "dim", stderr=True)


@people.command("list", epilog=examples("continual labelling annotators list"))
def list_annotators(
    app: AppArgument = None, home: HomeOption = HOME, configs: ConfigsOption = None, as_json: JsonOption = False
) -> None:
    """List who has access to the labelling page."""
    names = labelling(home, configs, app).annotators.names()
    if as_json:
        print_json(names)
        return
    say("\n".join(names) or "nobody; see `continual labelling annotators add`")


@people.command("remove", epilog=examples("continual labelling annotators remove anna@example.com"))
def remove_annotator(
    name: Name,
    app: AppOption = None,
    home: HomeOption = HOME,
    configs: ConfigsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Withdraw a person's access; their answers stay."""
    had = labelling(home, configs, app).annotators.remove(name)
    if as_json:
        print_json({"annotator": name, "removed": had})
        return
    say(f"{name} has no access any more" if had else f"{name} had no access")


def serve(
    apps: Annotated[
        list[str] | None, typer.Argument(metavar="[APP]...", help="Applications; default: all.", show_default=False)
    ] = None,
    port: Annotated[int, typer.Option("--port", min=1, max=65535, help="Port.")] = 9470,
    host: Annotated[str, typer.Option("--host", help="Address to listen on.")] = "127.0.0.1",
    name: Annotated[
        list[str] | None,
        typer.Option("--name", help="Host name under which it is reached, too; may be repeated.", show_default=False),
    ] = None,
    home: HomeOption = HOME,
    configs: ConfigsOption = None,
) -> None:
    """Serve the labelling page until Ctrl-C: one row at a time, by mouse or keyboard, for people with a token.

    It speaks plain HTTP on the loopback; for other machines put a proxy with TLS before it and name its host with
    --name. Label Studio's webhook is answered at /hooks/label-studio/APP.
    """
    from continual.desk.app import serve as run
    from continual.desk.seat import Room

    here = deployment(home, configs)
    names = here.applications(apps or [])
    rooms = {one: Room(here.act(one)) for one in names}
    say(f"http://{host}:{port}/ serves the rows of {', '.join(names)}; Ctrl-C ends it", "green")
    sys.stdout.flush()
    run(rooms, host, port, name or [])
