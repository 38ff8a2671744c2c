"""What `continual init` asks: a guess with every question, and the question again when the answer cannot be."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import typer

from continual.cli.output import say
from continual.errors import ContinualError

if TYPE_CHECKING:
    import pyarrow as pa

#: The answer `-`: the table has no such column.
QUESTIONS = (
    ("label", "Which column is the label"),
    ("time", "Which column says when the model answered"),
    ("known", "Which column says when the label was known (- for none)"),
    ("key", "Which column names a row (- for none)"),
    ("task", "binary, multiclass or regression"),
)


def asked(rows: pa.Table, given: dict[str, Any]) -> dict[str, Any]:
    """`given` with an answer for everything that was not said on the command line."""
    from continual.flows.table import NONE

    say(f"columns: {', '.join(rows.column_names)}")
    for field, question in QUESTIONS:
        if given[field] is None:
            guess = _guess(rows, given, field)
            given[field] = typer.prompt(question, default=guess, value_proc=_checked(rows, given, field))
    if given["known"] == NONE and given["lag"] is None:
        given["lag"] = typer.prompt("How late are labels, such as 36h", default="1d", value_proc=_late)
    return given


def _guess(rows: pa.Table, given: dict[str, Any], field: str) -> str | None:
    """None: nothing can be proposed, an answer is needed."""
    from continual.flows.table import NONE, guess_columns

    try:
        return getattr(guess_columns(rows, given), field) or NONE
    except ContinualError:
        return None


def _checked(rows: pa.Table, given: dict[str, Any], field: str) -> Callable[[str], str]:
    def check(answer: str) -> str:
        from continual.flows.table import ColumnMissing, guess_columns

        try:
            guess_columns(rows, {**given, field: answer.strip()})
        except ColumnMissing:
            pass  # another column, which is asked for next
        except ContinualError as error:
            raise typer.BadParameter(f"{error.must} Got: {error.got} Do: {error.remedy}") from None
        return answer.strip()

    return check


def _late(answer: str) -> timedelta:
    from continual.core.duration import parse as duration

    try:
        return duration(answer)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
