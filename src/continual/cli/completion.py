"""`continual completion`: what a shell needs to complete commands, options and applications."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from continual.cli.options import examples


class Shell(StrEnum):
    """Shells that can be served."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


def register(app: typer.Typer) -> None:
    app.command(
        epilog=examples(
            "continual completion bash > ~/.local/share/bash-completion/completions/continual",
            'eval "$(continual completion zsh)"',
        )
    )(completion)


def completion(shell: Annotated[Shell, typer.Argument(help="Shell.", show_default=False)]) -> None:
    """Print the completion script of a shell."""
    from typer._completion_shared import get_completion_script

    kind, name = shell.value, "_CONTINUAL_COMPLETE"
    print(get_completion_script(prog_name="continual", complete_var=name, shell=kind))  # no shell runs  # nosec B604
