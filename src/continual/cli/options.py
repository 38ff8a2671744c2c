"""Arguments and options that commands share."""

from __future__ import annotations

import getpass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from continual.settings import DEFAULT_HOME

HomeOption = Annotated[
    Path, typer.Option("--home", envvar="CONTINUAL_HOME", help="Folder of the deployment's state.", file_okay=False)
]
ConfigsOption = Annotated[
    Path | None,
    typer.Option(
        "--configs",
        envvar="CONTINUAL_CONFIGS",
        help="Folder of policy files; by default HOME/configs where it exists, else ./configs.",
        show_default=False,
        file_okay=False,
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
OneApp = Annotated[
    str | None, typer.Argument(metavar="APP", help="Application; all when left out.", show_default=False)
]
AppArgument = Annotated[
    str | None, typer.Argument(metavar="[APP]", help="Application; needed when there are several.", show_default=False)
]
AppOption = Annotated[
    str | None, typer.Option("--app", help="Application; needed when there are several.", show_default=False)
]
Reason = Annotated[str, typer.Option("--reason", help="Why; it is written to the ledger.", show_default=False)]

HOME = Path(DEFAULT_HOME)


def examples(*lines: str) -> str:
    """Epilog of a command."""
    return "\n".join(["**Examples**", "", *(f"- `{line}`" for line in lines)])


def instant(text: str) -> datetime:
    """`2013-08-01` or an ISO instant; without a zone it is UTC."""
    try:
        value = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(
            f"{text!r} is no date such as 2013-08-01 or instant such as 2013-08-01T06:00Z"
        ) from None
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


AsOf = Annotated[
    datetime | None,
    typer.Option(
        "--as-of",
        parser=instant,
        metavar="INSTANT",
        help="Instant of knowledge (UTC): from then on it is known. Default: now.",
        show_default=False,
    ),
]


def now() -> datetime:
    """The wall clock: a person acts now, unless they say another instant."""
    return datetime.now(UTC)


def user() -> str:
    """Who acts, for the ledger."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may run under a number without a name
        return "unknown user"


By = Annotated[
    str | None, typer.Option("--by", help="Who decides, for the ledger; default: your user name.", show_default=False)
]
