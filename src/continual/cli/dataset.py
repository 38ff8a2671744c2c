"""`continual dataset`: what models were trained on, compared, verified, exported, and gone back to."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from continual.cli.deployment import deployment
from continual.cli.options import (
    HOME,
    AppOption,
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
from continual.cli.output import print_fields, print_json, print_table, say
from continual.cli.store_options import PlotOption, open_application, save, show_table

if TYPE_CHECKING:
    from continual.flows.dataset_query import Difference

commands = typer.Typer(
    no_args_is_help=True, help="Dataset versions: what models were trained on.", rich_markup_mode="markdown"
)
Dataset = Annotated[str, typer.Argument(metavar="DATASET", help="Id, or its beginning.", show_default=False)]
#: Slices and files of a table; --json has them all.
SHOWN = 15


def register(app: typer.Typer) -> None:
    app.add_typer(commands, name="dataset")


@commands.command("list", epilog=examples("continual dataset list", "continual dataset list flights --json"))
def list_datasets(
    app: OneApp = None, home: HomeOption = HOME, configs: ConfigsOption = None, as_json: JsonOption = False
) -> None:
    """List dataset versions: window, rows, sampler, model versions trained from each, what was erased or withdrawn."""
    from continual.flows.dataset_query import listed

    rows = [
        {"application": ws.app, **row}
        for ws, _ in deployment(home, configs).each(app)
        for row in listed(ws).to_dict("records")
    ]
    if as_json:
        print_json(rows)
    elif rows:
        header = ("dataset", "application", "window", "rows", "sampler", "versions", "notes")
        lines = [(r["id"][:12], r["application"], r["window"], r["rows"], r["sampler"], *_notes(r)) for r in rows]
        show_table(header, lines, ["application", "sampler"])
    else:
        say("no dataset version yet: a retrain makes one")


def _notes(row: dict[Any, Any]) -> tuple[str, str]:
    said = ["champion learnt from it"] if row["champion"] else []
    said += ["pinned for the next retrain"] if row["pinned"] else []
    said += [f"{row[what]:,} rows {what}" for what in ("erased", "withdrawn") if row[what]]
    return ", ".join(row["versions"]), "; ".join(said)


@commands.command(
    epilog=examples("continual dataset show 4f1c9a", "continual dataset show 4f1c9a --verify", "continual dataset list")
)
def show(
    dataset: Dataset,
    verify: Annotated[
        bool, typer.Option("--verify", help="Read the rows again from their Iceberg snapshots; exit 1 if they differ.")
    ] = False,
    app: AppOption = None,
    home: HomeOption = HOME,
    configs: ConfigsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show one dataset: how it was made, its slices, the files its rows came in, and the models and verdicts of it."""
    found = open_application(home, configs, app)
    data = found.dataset(dataset)
    checked = found.dataset_verify(dataset) if verify else None
    if as_json:
        print_json({**data, "verify": None if checked is None else {**checked.data, "reason": checked.reason}})
    else:
        _print(data)
        if checked is not None:
            say(checked.reason, "green" if checked.data["reproduced"] else "red")
    if checked is not None and not checked.data["reproduced"]:
        raise typer.Exit(1)


def _print(data: dict[str, Any]) -> None:
    marks = [f"{m['rows']:,} rows withdrawn ({m['withdrawal']}): {m['reason']}" for m in data["withdrawn"]]
    marks += [f"{data['erased']:,} rows erased: no longer reproducible"] if data["erased"] else []
    versions = ", ".join(f"{v['version']} ({v['state']})" for v in data["versions"])
    fields = [
        ("window", f"{data['window']['start'][:16]} .. {data['window']['end'][:16]}"),
        ("as of", data["as_of"]),
        ("rows", data["rows"]),
        *((("without a label", f"{data['unlabelled']:,}, for self-training"),) if data["unlabelled"] else ()),
        ("effective", f"{data['effective_sample_size']:,.0f} rows of a plain draw"),
        ("sampler", f"{(data['sampler'] or {}).get('kind')}, seed {data['seed']}"),
        ("snapshots", ", ".join(f"{name} {one}" for name, one in data["snapshots"].items())),
        ("versions", versions),
        *(("MARK", mark) for mark in marks),
    ]
    print_fields(data["id"], fields)
    slices = [(s["slice"], s["rows"], _percent(s["share"]), _number(s["label_mean"])) for s in data["slices"]]
    print_table(("slice", "rows", "share", "label mean"), slices[:SHOWN])
    files = [(f["rows"], f["file"] or f["batch"] or "in the log no more") for f in data["files"]]
    print_table(("rows", "came in"), files[:SHOWN])
    more = {"slices": len(slices) - SHOWN, "files": len(files) - SHOWN}
    told = ", ".join(f"{n:,} more {name}" for name, n in more.items() if n > 0)
    if told:
        say(f"{told}: --json", "dim")
    for verdict in data["verdicts"]:
        say(f"version {verdict['version']}, {verdict['as_of']:%Y-%m-%d}: {verdict['reason']}")


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"


@commands.command(epilog=examples("continual dataset diff 4f1c9a 9ab02e", "continual dataset diff 4f 9a --plot d.png"))
def diff(
    first: Dataset,
    second: Annotated[str, typer.Argument(metavar="DATASET", help="What it became.", show_default=False)],
    distance: Annotated[str, typer.Option("--distance", help="Which distance the table and the picture show.")] = "l1",
    plot: PlotOption = None,
    app: AppOption = None,
    home: HomeOption = HOME,
    configs: ConfigsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compare two datasets: rows added, removed, relabelled, and how far each column's distribution moved."""
    found = open_application(home, configs, app).dataset_diff(first, second)
    if plot is not None:
        from continual.plots.drift import drift

        frame = found.drift
        save(drift(frame[frame["distance"] == distance], distance), plot)
    if as_json:
        print_json(found.as_dict())
    else:
        _print_diff(found, distance)


def _print_diff(found: Difference, distance: str) -> None:
    fields = [
        ("rows", f"{found.rows[0]:,} -> {found.rows[1]:,}"),
        ("added", found.added),
        ("removed", found.removed),
        ("relabelled", found.relabelled),
        ("other columns changed", found.changed),
    ]
    print_fields(f"{found.first[:12]} -> {found.second[:12]}", fields)
    frame = found.drift
    frame = frame[(frame["distance"] == distance) & frame["value"].notna()].sort_values("value", ascending=False)
    largest = float(frame["value"].max()) if len(frame) else 0.0
    rows = []
    for row in frame.to_dict("records"):
        moved = "moved" if row["low"] > row["expected"] else "within chance"
        length = round(24 * row["value"] / largest) if largest else 0
        rows.append((row["column"], f"{row['value']:.3f}", f"{row['expected']:.3f}", f"{'█' * length} {moved}"))
    print_table(("column", distance, "by chance", ""), rows)


@commands.command(
    epilog=examples(
        "continual dataset export 4f1c9a --out flights-july",
        "continual dataset export 4f1c9a --out july --format csv",
    )
)
def export(
    dataset: Dataset,
    out: Annotated[Path, typer.Option("--out", help="New folder for the rows and manifest.json.", show_default=False)],
    form: Annotated[Literal["parquet", "csv"], typer.Option("--format", help="Of the rows.")] = "parquet",
    app: AppOption = None,
    home: HomeOption = HOME,
    configs: ConfigsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write a dataset's rows and a manifest (specification, types, SHA-256) into a new folder, whole or not at all."""
    outcome = open_application(home, configs, app).dataset_export(dataset, out, form)
    _tell(outcome.reason, outcome.data, as_json)


@commands.command(
    epilog=examples(
        "continual dataset rollback 4f1c9a --reason 'July was broken'",
        "continual dataset rollback 4f1c9a --cancel --reason 'not needed'",
    )
)
def rollback(
    dataset: Dataset,
    reason: Reason,
    cancel: Annotated[bool, typer.Option("--cancel", help="Take it back while no retrain has taken it.")] = False,
    by: By = None,
    as_of: AsOf = None,
    app: AppOption = None,
    home: HomeOption = HOME,
    configs: ConfigsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let the next retrain learn from this dataset version instead of choosing rows: same rows, same candidate.

    Start it with `continual retrain`. The gate judges the candidate as any other, on the newest matured rows. A dataset
    with erased or withdrawn rows is refused.
    """
    from continual.flows.dataset_pin import pin, unpin

    ws = deployment(home, configs).act(app)
    outcome = unpin(ws, reason, by or user(), as_of) if cancel else pin(ws, dataset, reason, by or user(), as_of)
    _tell(outcome.reason, outcome.data, as_json)


def _tell(reason: str, data: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json({**data, "reason": reason})
    else:
        say(reason, "green")
