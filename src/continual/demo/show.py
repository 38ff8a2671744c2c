"""What the terminal shows: a live line while a chapter plays, its outcome, the story at the end."""

from __future__ import annotations

import sys
import time

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from continual.demo.story import CHAPTERS, Chapter, Told
from continual.demo.world import World
from continual.errors import ContinualError
from continual.local.environment import ADMIN


class Show:
    """One terminal session of the story."""

    def __init__(self) -> None:
        self.console = Console(soft_wrap=True) if not sys.stdout.isatty() else Console()
        self.told: list[tuple[Chapter, Told, float]] = []
        self.open = True
        self._began = self._chapter_began = time.monotonic()
        self._progress = Progress(
            SpinnerColumn(), TextColumn("{task.description}"), BarColumn(30), MofNCompleteColumn(), TimeElapsedColumn(),
            console=self.console, transient=True, disable=not sys.stdout.isatty(),
        )  # fmt: skip
        self._task = self._progress.add_task("starting", total=None)
        self._progress.start()

    @property
    def exit_code(self) -> int:
        return 0 if len(self.told) == len(CHAPTERS) and all(told.held for _, told, _ in self.told) else 1

    def note(self, text: str) -> None:
        """What is going on right now; without a terminal one line each."""
        self._progress.update(self._task, description=escape(text[:70]))
        if self._progress.disable:
            self.console.print(f"  [{time.monotonic() - self._began:6.1f} s] {escape(text)}", highlight=False)

    def announce(self, number: int, of: int, chapter: Chapter) -> None:
        self._progress.update(self._task, total=of, completed=number - 1)
        self.console.print(f"[bold]{number}. {escape(chapter.claim)}[/]")
        self._chapter_began = time.monotonic()

    def tell(self, chapter: Chapter, told: Told, world: World) -> bool:
        """Print a chapter's outcome, and what failed when it did not hold; True when it held."""
        took = time.monotonic() - self._chapter_began
        self.told.append((chapter, told, took))
        mark = "[green]held[/]" if told.held else "[red]DID NOT HOLD[/]"
        self.console.print(f"   {mark} ({took:.0f} s): {escape(told.sentence)}", highlight=False)
        self.console.print(f"   [dim]{escape(told.link)}[/]\n", highlight=False, soft_wrap=True)
        for failure in [] if told.held else world.failures():
            self.console.print(f"   [red]{escape(failure)}[/]", highlight=False)
        return told.held

    def summary(self, world: World) -> None:
        """The story as a table, with where to look."""
        self._progress.stop()
        self.open = False
        table = Table(title="The story", title_justify="left", show_lines=False)
        for column in ("", "chapter", "held", "s"):
            table.add_column(column, justify="right" if column == "s" else "left")
        for number, (chapter, told, took) in enumerate(self.told, start=1):
            table.add_row(str(number), escape(chapter.claim), "yes" if told.held else "[red]NO[/]", f"{took:.0f}")
        self.console.print(table)
        entries = world.workspace().ledger.verify()
        total = time.monotonic() - self._began
        self.console.print(f"{entries} decisions in the ledger, hash chain verified. {total:.0f} s in all.\n")

    def serving(self, world: World) -> None:
        password = world.stack.home.secrets().admin_password
        self.console.print(
            f"Airflow  {world.stack.airflow_url}   user {ADMIN}, password {password}\n"
            f"         graph of a retrain: {world.run_url(world.last_run('retrain'))}\n"
            f"MLflow   {world.stack.mlflow_uri}/#/models/flights\n"
            f"Policy   {world.home / 'configs' / 'flights.yaml'}   (edit it, then trigger flights.retrain)\n"
            "Ctrl-C stops everything.",
            highlight=False, soft_wrap=True, markup=False,
        )  # fmt: skip

    def broke(self, error: ContinualError) -> None:
        self._progress.stop()
        self.console.print(f"[red]The story broke off:[/] {escape(str(error))}", highlight=False)
