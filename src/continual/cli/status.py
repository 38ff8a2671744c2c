"""`continual status`: where every application stands."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import typer

from continual.cli.deployment import deployment
from continual.cli.options import HOME, ConfigsOption, HomeOption, JsonOption, OneApp, examples
from continual.cli.output import print_fields, print_json, shown

if TYPE_CHECKING:
    from continual.flows.status import Status


def register(app: typer.Typer) -> None:
    app.command(
        epilog=examples("continual status", "continual status flights --json", "continual status --home var/demo")
    )(status)


def status(
    app: OneApp = None, home: HomeOption = HOME, configs: ConfigsOption = None, as_json: JsonOption = False
) -> None:
    """Show champion, last decision, last ingest, open quarantine and alarm, and what comes next.

    Reads the evaluation store only: it works while Airflow and MLflow are down.
    """
    from continual.flows.status import status as read

    found = [read(ws, problem) for ws, problem in deployment(home, configs).each(app)]
    if as_json:
        print_json([one.as_dict() for one in found])
        return
    for one in found:
        print_fields(one.application, _fields(one))


def _fields(one: Status) -> Iterator[tuple[str, Any]]:
    yield "policy", f"{one.policy} (last good one: the file is invalid)" if one.problem else one.policy
    if one.problem:
        yield "problem", one.problem
    yield "champion", f"version {one.champion} since {shown(one.since)}" if one.champion else "none yet"
    yield "previous", f"version {one.previous}" if one.previous else None
    last = one.decision
    yield "last decision", f"{last.kind} as of {shown(last.as_of)}: {last.reason}" if last else "none yet"
    yield "baselines", one.baselines
    yield "last ingest", f"{shown(one.ingested)}, {one.batches:,} batches in all" if one.ingested else "none yet"
    yield "quarantine", f"{one.open_rows:,} rows in {one.open_items} open items" if one.open_items else "empty"
    yield "alarm", one.alarm or "none"
    yield "next", one.next
