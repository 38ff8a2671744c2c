"""What commands print: JSON for programs, tables for people, errors in three sentences."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from continual.core.canonical import plain

if TYPE_CHECKING:
    from rich.console import Console

    from continual.errors import ContinualError

#: Columns of a line when nobody looks at it: wide enough that text is seldom folded.
_PIPED = 200


def console(stderr: bool = False) -> Console:
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    return Console(stderr=stderr, highlight=False, width=None if stream.isatty() else _PIPED)


def print_json(data: Any) -> None:
    print(json.dumps(plain(data), indent=1, ensure_ascii=False))


def say(text: str, style: str = "", stderr: bool = False) -> None:
    """One line, however long."""
    console(stderr).print(text, style=style or None, markup=False, soft_wrap=True)


def print_table(columns: Sequence[str], rows: Iterable[Sequence[Any]], title: str | None = None) -> None:
    """Numbers to the right; the last column takes what room there is and is folded, nothing is cut off."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    cells = [[shown(value) for value in row] for row in rows]
    for i, name in enumerate(columns):
        numbers = bool(cells) and all(row[i].replace(",", "").isdigit() for row in cells)
        last = i == len(columns) - 1
        table.add_column(name, justify="right" if numbers else "left", overflow="fold", no_wrap=not last)
    for row in cells:
        table.add_row(*map(Text, row))
    console().print(table)


def print_fields(title: str, fields: Iterable[tuple[str, Any]]) -> None:
    """A name and its value a line."""
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in fields:
        grid.add_row(Text(f"  {name}", style="dim"), Text(shown(value)))
    out = console()
    out.print(Text(title, style="bold"))
    out.print(grid)


def shown(value: Any) -> str:
    if value is None or value == "":
        return "-"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M}Z"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def short(text: str, limit: int = 300) -> str:
    """For lists; whoever wants all of it asks for the item."""
    return text if len(text) <= limit else f"{text[: limit - 3]}..."


def print_error(error: ContinualError) -> None:
    """On stderr, in red; the problems of several fields a line each."""
    out = console(stderr=True)
    out.print(f"Error: {error.must}", style="red", markup=False, soft_wrap=True)
    for word, text in (("Got", error.got), ("Do", error.remedy)):
        lines = text.split(" | ")
        out.print(f"  {word}: {lines[0]}", style="red", markup=False, soft_wrap=True)
        for line in lines[1:]:
            out.print(f"  {' ' * len(word)}  {line}", style="red", markup=False, soft_wrap=True)
