"""`continual replay`: what other policies would have done with the history there is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from continual.cli.deployment import deployment
from continual.cli.options import HOME, ConfigsOption, HomeOption, JsonOption, examples, instant
from continual.cli.output import console, print_json, print_table, say
from continual.errors import ContinualError

if TYPE_CHECKING:
    from continual.replay.ask import Looks, Replayed
    from continual.replay.lab import Progress
    from continual.replay.table import TableColumns

YAML = (".yaml", ".yml")
Config = Annotated[
    str, typer.Argument(metavar="CONFIG", help="Policy file or application to compare with.", show_default=False)
]
More = Annotated[
    list[Path] | None, typer.Argument(metavar="[POLICY]...", help="Policies to compare.", show_default=False)
]
Policies = Annotated[
    list[Path] | None,
    typer.Option(
        "--policies", "-p", help="Policy files, or files with only the fields that differ.", show_default=False
    ),
]
From = Annotated[datetime | None, typer.Option("--from", parser=instant, metavar="INSTANT", help="Looks after this.")]
Until = Annotated[
    datetime | None, typer.Option("--until", parser=instant, metavar="INSTANT", help="Last look by then.")
]
Every = Annotated[str | None, typer.Option(metavar="CRON", help="When to look, instead of each policy's `schedule`.")]
Out = Annotated[
    Path | None, typer.Option(file_okay=False, help="Folder of sandboxes and report; default HOME/replays/APP.")
]
Table = Annotated[
    Path | None, typer.Option(dir_okay=False, help="A Parquet or CSV file instead of a deployment's log.")
]
#: Options that only a table has.
Column = Annotated[str | None, typer.Option(metavar="COLUMN", help="With --table: column of this name.")]


def register(app: typer.Typer) -> None:
    app.command(
        epilog=examples(
            "continual replay configs/flights.yaml --policies monthly.yaml weekly.yaml",
            "continual replay flights --policies weekly.yaml --from 2013-03-01 --until 2013-09-01",
            "continual replay configs/power.yaml --table power.parquet --event-time ts --label up --delay 7d",
        )
    )(replay)


def replay(
    config: Config,
    more: More = None,
    policies: Policies = None,
    start: From = None,
    end: Until = None,
    every: Every = None,
    current: Annotated[bool, typer.Option(help="Compare with CONFIG itself.")] = True,
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=1, help="Policies at a time, a process each.")] = 2,
    out: Out = None,
    table: Table = None,
    event_time: Column = None,
    label: Column = None,
    label_time: Column = None,
    key: Column = None,
    delay: Annotated[str, typer.Option(help="With --table: labels come this much later.")] = "0d",
    home: HomeOption = HOME,
    configs: ConfigsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Play logged history again under other policies, with the labels as late as they were, and compare.

    The flows are the product's own; each policy lives in its own sandbox, and the deployment is only read. Stopped and
    started again, it goes on where it was.
    """
    from continual.replay.ask import Looks

    looks = Looks(start, end, every)
    files = [*(policies or []), *(more or [])]
    with bars() as tell:
        if table is None:
            found = _of_log(config, home, configs, files, looks, current, jobs, out, tell)
        else:
            columns = _columns(event_time, label, label_time, key, delay)
            file = _file(config, home, configs)
            found = _of_table(table, file, columns, files, looks, current, jobs, out, tell)
    _tell(found, as_json)


def _of_log(
    config: str,
    home: Path,
    configs: Path | None,
    files: list[Path],
    looks: Looks,
    current: bool,
    jobs: int,
    out: Path | None,
    tell: Progress,
) -> Replayed:
    from continual.replay.ask import replay as ask

    path = Path(config)
    here = deployment(home, path.parent if path.suffix in YAML and configs is None else configs)
    ws, _ = here.read(here.application(path.stem))
    return ask(ws, files, looks, with_current=current, jobs=jobs, out=out, progress=tell)


def _of_table(
    table: Path,
    config: Path,
    columns: TableColumns,
    files: list[Path],
    looks: Looks,
    current: bool,
    jobs: int,
    out: Path | None,
    tell: Progress,
) -> Replayed:
    from continual.policy.load import load_policy
    from continual.replay.ask import replay_table

    folder = out or table.with_name(f"{table.stem}-replay")
    loaded = load_policy(config)
    return replay_table(
        table, loaded, columns, files, looks, out=folder, with_current=current, jobs=jobs, progress=tell
    )


def _file(config: str, home: Path, configs: Path | None) -> Path:
    """A policy file, or that of an application."""
    path = Path(config)
    if path.is_file() or path.suffix in YAML or path.parent != Path():
        return path
    here = deployment(home, configs)
    return here.settings.configs / f"{here.application(config)}.yaml"


def _columns(event: str | None, label: str | None, label_time: str | None, key: str | None, delay: str) -> TableColumns:
    from continual.core.duration import parse
    from continual.replay.table import TableColumns

    if event is None or label is None:
        raise ContinualError(
            "A table needs an event time and a label.",
            "no --event-time." if event is None else "no --label.",
            "name both columns, and --label-time where the table says when a label became known.",
        )
    return TableColumns(event, label, label_time, key, parse(delay))


@contextmanager
def bars() -> Iterator[Progress]:
    """A bar for each policy on stderr; nothing when nobody looks."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    out = console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    bars: dict[str, int] = {}
    with Progress(*columns, console=out, disable=not out.is_terminal) as shown:

        def tell(name: str, done: int, total: int, what: str) -> None:
            if name not in bars:
                bars[name] = shown.add_task(name, total=total)
            shown.update(bars[name], completed=done, total=total)  # type: ignore[arg-type]

        yield tell


def _tell(found: Replayed, as_json: bool) -> None:
    from continual.replay.report import HEADINGS, headline, summary

    if as_json:
        print_json({**found.comparison.as_dict(), "report": str(found.report)})
        return
    print_table(HEADINGS, [summary(one) for one in found.comparison.policies])
    say(headline(found.comparison), "green")
    for one in found.comparison.policies:
        if one.played.failed:
            where, why = next(iter(one.played.failed.items()))
            say(f"{one.played.name}: {len(one.played.failed)} failed, first {where}: {why}", "yellow")
    say(f"report: {found.report}")
