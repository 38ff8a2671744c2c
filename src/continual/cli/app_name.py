"""One way to name the application: `--app NAME` with every command; NAME alone where nothing else is an argument."""

from typing import Annotated, Any

import typer
from typer.core import TyperCommand

OPTION = "--app"


class Command(TyperCommand):
    """A command whose argument APP may be given as an option, too."""

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        names = {one.name for one in self.params if one.param_type_name == "argument"}
        self.moves = not names.isdisjoint({"app", "apps"})
        if self.moves:  # for --help: before it is parsed it is an argument
            self.params.append(_option())

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        return list(super().parse_args(ctx, _as_argument(args) if self.moves else args))


def _option() -> Any:
    """As typer makes it of a signature: its own classes are not for others to make."""
    made = typer.Typer(add_completion=False)

    def shown(app: Annotated[str, typer.Option(OPTION, help="The same as APP.", show_default=False)] = "") -> None: ...

    made.command()(shown)
    option: Any = next(one for one in typer.main.get_command(made).params if OPTION in one.opts)
    option.expose_value = False
    return option


def _as_argument(args: list[str]) -> list[str]:
    """`--app NAME` and `--app=NAME` become the first argument."""
    end = args.index("--") if "--" in args else len(args)
    for i, word in enumerate(args[:end]):
        if word == OPTION and i + 1 < end:
            return [args[i + 1], *args[:i], *args[i + 2 :]]
        if word.startswith(f"{OPTION}="):
            return [word.partition("=")[2], *args[:i], *args[i + 1 :]]
    return args


def accept_everywhere(app: typer.Typer) -> None:
    """Every command of `app` and of its groups takes the application both ways."""
    for command in app.registered_commands:
        if command.cls is None or command.cls is TyperCommand:
            command.cls = Command
    for group in app.registered_groups:
        if group.typer_instance is not None:
            accept_everywhere(group.typer_instance)
