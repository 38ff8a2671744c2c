"""`continual data withdraw|restore|withdrawals`: rows out of use, reversibly, with everything that rests on them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from continual.cli.deployment import deployment
from continual.cli.options import (
    HOME,
    AsOf,
    By,
    ConfigsOption,
    HomeOption,
    JsonOption,
    OneApp,
    Reason,
    examples,
    user,
)
from continual.cli.output import print_json, print_table, say

if TYPE_CHECKING:
    from continual.flows.withdraw import Found

Days = Annotated[
    str | None,
    typer.Option(
        "--window",
        "-w",
        help="Event time of the rows, `2013-07-01..2013-07-29` (the end is excluded); of labels, when they were known.",
        show_default=False,
    ),
]
Where = Annotated[
    str | None, typer.Option("--where", help="Only rows of this expression: 'plane_age <= 1'.", show_default=False)
]
SliceName = Annotated[
    str | None, typer.Option("--slice", "-s", help="Only rows of this slice of the policy.", show_default=False)
]
Files = Annotated[
    list[str] | None,
    typer.Option("--file", help="Only rows of this delivered file (name or batch id); repeatable.", show_default=False),
]
Stream = Annotated[Literal["predictions", "labels"], typer.Option("--stream", help="Which rows.")]


def register(commands: typer.Typer) -> None:
    commands.command(
        epilog=examples(
            "continual data withdraw flights --window 2013-07-01..2013-07-29 --where 'plane_age <= 1' "
            "--reason 'minutes in UTC' --dry-run",
            "continual data withdraw flights --file 2013-07-04.parquet --reason 'wrong vendor file'",
            "continual data withdraw flights --stream labels --file 2013-07-04.parquet --reason 'test labels'",
        )
    )(withdraw)
    commands.command(epilog=examples("continual data restore flights 3f9a --reason 'the rows were right'"))(restore)
    commands.command(epilog=examples("continual data withdrawals flights", "continual data withdrawals --json"))(
        withdrawals
    )


def withdraw(
    reason: Reason,
    app: OneApp = None,
    window: Days = None,
    where: Where = None,
    slice_name: SliceName = None,
    files: Files = None,
    stream: Stream = "predictions",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what it would concern, change nothing.")] = False,
    by: By = None,
    as_of: AsOf = None,
    home: HomeOption = HOME,
    configs: ConfigsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take rows out of use, reversibly: from now on they neither train, judge, monitor nor count in any metric.

    Nothing is deleted: `--as-of` an earlier instant still sees them, and `restore` brings them back. What was made of
    them (datasets, versions, verdicts, metrics) is found and marked. Rows that come later and fit are out, too. It
    takes effect just after the newest batch or decision unless --as-of says later.
    """
    from continual.flows import withdraw as flow
    from continual.flows.knowledge import newest
    from continual.flows.withdrawn_rows import Rows
    from continual.policy.windows import report_window

    here = deployment(home, configs)
    ws = here.act(app)
    days = report_window(ws.policy, newest(ws), window) if window else None
    found = flow.find(ws, Rows(stream, days, where, slice_name, tuple(files or ())), as_of)
    if dry_run:
        _foretell(ws.app, found, as_json)
        return
    if found.of("version"):
        here.check_mlflow()
    outcome = flow.withdraw(ws, found, reason, by or user())
    _tell({**outcome.data, "reason": outcome.reason}, outcome.reason.split("; "), as_json)


def restore(
    app: Annotated[str, typer.Argument(metavar="APP", help="Application.", show_default=False)],
    withdrawal: Annotated[
        str, typer.Argument(metavar="WITHDRAWAL", help="Its id, or the beginning of it.", show_default=False)
    ],
    reason: Reason,
    by: By = None,
    as_of: AsOf = None,
    home: HomeOption = HOME,
    configs: ConfigsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take withdrawn rows back into use. Reads as of between the two instants still leave them out."""
    from continual.flows import withdraw as flow

    here = deployment(home, configs)
    ws = here.act(app)
    found = ws.withdrawals.get(withdrawal)
    if any(effect.kind == "version" for effect in ws.withdrawals.effects_of(found.id)):
        here.check_mlflow()
    outcome = flow.restore(ws, withdrawal, reason, by or user(), as_of)
    _tell({**outcome.data, "reason": outcome.reason}, [outcome.reason], as_json)


def withdrawals(
    app: OneApp = None, home: HomeOption = HOME, configs: ConfigsOption = None, as_json: JsonOption = False
) -> None:
    """List withdrawals: which rows, since when, why, what rests on them, and whether they were restored."""
    from continual.api.application import Application

    found = [
        {"application": ws.app, **row}
        for ws, _ in deployment(home, configs).each(app)
        for row in _plain(Application.of(ws).withdrawals())
    ]
    if as_json:
        print_json(found)
    elif found:
        for row in found:
            state = "restored" if row["restored_as_of"] else "out of use"
            title = f"{row['id']}  {row['application']}  {row['rows']:,} {row['stream']} of {row['window']}, {state}"
            say(title, "dim" if row["restored_as_of"] else "bold")
            where = [f"where {row['predicate']}"] if row["predicate"] else []
            where += [f"of {row['batches']} files"] if row["batches"] else []
            say(f"  {'; '.join([*where, row['reason']])} ({row['by']}, as of {row['as_of']:%Y-%m-%d %H:%M}Z)")
            rests = {name: row[name] for name in ("days", "datasets", "versions", "verdicts")}
            say("  rests on them: " + ", ".join(f"{n:,} {name}" for name, n in rests.items()))
    else:
        say("nothing was withdrawn")


def _plain(frame: Any) -> list[dict[str, Any]]:
    """Undefined values as None."""
    return list(frame.astype(object).where(frame.notna(), None).to_dict("records"))


def _foretell(app: str, found: Found, as_json: bool) -> None:
    from continual.flows.withdraw import consequences

    said = [f"would withdraw {found.n_rows:,} {found.scope.stream} ({found.scope})", *consequences(app, found)]
    if as_json:
        print_json({**found.as_dict(), "reason": "; ".join(said)})
        return
    for line in said:
        say(line)
    days = list(found.of("day").items())
    print_table(("day", "rows"), [*days[:10], *([("...", f"{len(days) - 10} more days")] if len(days) > 10 else [])])


def _tell(data: dict[str, Any], lines: list[str], as_json: bool) -> None:
    if as_json:
        print_json(data)
        return
    for number, line in enumerate(lines):
        say(line, "red" if " SERVES " in line else "green" if number == 0 else "")
