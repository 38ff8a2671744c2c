"""The rows of one day as the cells read them: slice columns, labels known by then, answers of every version."""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING

from continual.core.projection import Projection, with_projections
from continual.core.window import day_window
from continual.flows.logged import computed, logged_columns
from continual.flows.workspace import Workspace

if TYPE_CHECKING:
    import pyarrow as pa

    from continual.cells.plan import Plan

LIVE = "live"


def day_rows(ws: Workspace, plan: Plan, day: date, as_of: datetime) -> tuple[pa.Table, dict[str, tuple[str, ...]]]:
    """The day's rows, and for `live` and each version the columns with its answers (null: none)."""
    window, answers = day_window(day), ws.policy.label.target.columns
    text = [c for c in ws.policy.columns if c not in {*ws.policy.features.numeric, *ws.policy.features.extra}]
    sliced = sorted({column for spec in plan.specs for column in spec.columns})
    wanted = list(dict.fromkeys([*sliced, *plan.needs, "record_key", "model_version", *answers]))
    columns = logged_columns(ws.policy, wanted)
    table = ws.log.read_arrow(window, as_of, columns, dictionary=[*(c for c in text if c in columns), "model_version"])
    table = _with_computed(table, computed(ws.policy, wanted))
    versions = {LIVE: answers[1:] or answers}
    scores = ws.log.read_all_scores(window, as_of)
    served = table.column("model_version").unique().to_pylist()
    if len(served) == 1 and served[0] is not None and not scores.num_rows:
        return table, {**versions, served[0]: versions[LIVE]}  # it served every row: its answers are the live ones
    for version in _versions(table, scores):
        table, versions[version] = _with_answers(table, scores, version, versions[LIVE])
    return table, versions


def _with_computed(table: pa.Table, projections: dict[str, Projection]) -> pa.Table:
    import pyarrow as pa

    if not projections:
        return table
    needed = sorted({c for p in projections.values() for c in p.columns if c not in projections})
    frame = with_projections(table.select(needed).to_pandas(), projections)
    for name in projections:
        table = table.append_column(name, pa.array(frame[name], from_pandas=True))
    return table


def _versions(table: pa.Table, scores: pa.Table) -> list[str]:
    served = {v for v in table.column("model_version").unique().to_pylist() if v is not None}
    return sorted(served | set(scores.column("model_version").unique().to_pylist()))


def _with_answers(
    table: pa.Table, scores: pa.Table, version: str, answers: tuple[str, ...]
) -> tuple[pa.Table, tuple[str, ...]]:
    """`table` with the answers of one version: as served, else as scored afterwards, else null."""
    import pyarrow as pa
    import pyarrow.compute as pc

    own = scores.filter(pc.equal(scores.column("model_version"), version))
    at = pc.index_in(table.column("record_key"), value_set=own.column("record_key"))
    served = pc.fill_null(pc.equal(table.column("model_version").cast(pa.string()), version), False)
    names = []
    for name in answers:
        later = own.column(name).take(at) if own.num_rows else pa.nulls(len(table), pa.float64())
        names.append(f"{name} of {version}")
        table = table.append_column(names[-1], pc.if_else(served, table.column(name), later))
    return table, tuple(names)
