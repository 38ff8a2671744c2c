"""Answers for whoever handed rows in: a file of the same name, whole or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from continual.flows.score_input import InputFile
from continual.sources._places import located, put_file

if TYPE_CHECKING:
    from continual.flows.workspace import Workspace
    from continual.policy.scoring import ScoringPolicy


def write_answers(ws: Workspace, rules: ScoringPolicy, file: InputFile, spill: Path, held: set[str]) -> int:
    """record_key, event_time, model_version and the answer of every row of `spill` but those with a key in `held`;
    returns how many. Parquet for Parquet, CSV for CSV. Written again it is the same file."""
    made, target = spill.with_name(f"answers-{file.name}"), located(rules.target, ws.settings.home)
    rows = _write(ws, spill, made, held)
    put_file(made, f"{target.rstrip('/')}/{file.name}")
    return rows


def _write(ws: Workspace, spill: Path, made: Path, held: set[str]) -> int:
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.csv
    import pyarrow.parquet as pq

    names, rows = ["record_key", "event_time", "model_version", *ws.policy.label.target.columns], 0
    with pq.ParquetFile(spill) as spilled:
        schema = pa.schema([spilled.schema_arrow.field(name) for name in names])
        writer: Any = pyarrow.csv.CSVWriter if made.suffix == ".csv" else pq.ParquetWriter
        with writer(made, schema) as out:
            for number in range(spilled.num_row_groups):
                table = spilled.read_row_group(number, columns=names).select(names).cast(schema)
                if held:
                    known = pc.is_in(table.column("record_key"), value_set=pa.array(sorted(held)))
                    table = table.filter(pc.invert(known))
                out.write_table(table)
                rows += table.num_rows
    return rows
