"""`continual backup` and `continual restore`: an embedded deployment in one file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from continual.cli.options import HOME, HomeOption, JsonOption, examples
from continual.cli.output import console, print_json, say

if TYPE_CHECKING:
    from continual.local.backup import Progress

_Archive = typer.Argument(metavar="FILE", help="The archive.", show_default=False)


def register(app: typer.Typer) -> None:
    app.command(
        epilog=examples("continual backup /backups/2013-08-01.tar", "continual backup b.tar --without-landing")
    )(backup)
    app.command(epilog=examples("continual restore /backups/2013-08-01.tar"))(restore)


def backup(
    file: Annotated[Path, _Archive],
    without_landing: Annotated[
        bool, typer.Option("--without-landing", help="Leave delivered files out; what was ingested is in the log.")
    ] = False,
    home: HomeOption = HOME,
    as_json: JsonOption = False,
) -> None:
    """Copy a deployment into one file, also while it runs: log, evaluation store, ledger, models, datasets, policies,
    Airflow's database, secrets. Keep the file as safe as the secrets in it.

    A deployment on PostgreSQL and object storage is backed up with their own tools: docs/operations/backup.md.
    """
    from continual.local.backup import back_up

    with _bar("backing up") as progress:
        made = back_up(home.expanduser(), file, not without_landing, progress)
    if as_json:
        print_json({"file": str(made.path), "files": made.files, "bytes": made.size})
    else:
        say(f"{made.path}: {made.files:,} files, {made.size / 1e6:,.1f} MB", "green")


def restore(
    file: Annotated[Path, _Archive],
    home: Annotated[
        Path | None, typer.Option("--home", help="Must be the home it was made of; a guard.", show_default=False)
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Put a backup back into the home it was made of, which must be empty. Checksums are compared first."""
    from continual.local.restore import restore as put_back

    with _bar("restoring") as progress:
        found = put_back(file, home, progress)
    if as_json:
        print_json({"home": str(found.home), "files": found.files, "made_at": found.made_at})
    else:
        say(f"{found.home} is as it was on {found.made_at}: {found.files:,} files. Go on with `continual up`.", "green")


@contextmanager
def _bar(what: str) -> Iterator[Progress]:
    from rich.progress import Progress as Bar

    with Bar(console=console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total, _: bar.update(task, completed=done, total=total)
