"""A user's table -> the files a serving system and whoever knows the truth would deliver, a UTC day each."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from continual.core.target import Target
from continual.errors import ContinualError
from continual.flows.table import Columns, instants

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

Progress = Callable[[int, int, str], None]
#: Rows without labels -> answers (n,) or (n, K), and the version that gave them.
Serve = Callable[["pd.DataFrame"], tuple[npt.NDArray[np.float64], str]]
#: Remembers beside the landing folders which table an application was made from.
ORIGIN = "table.json"


@dataclass(frozen=True)
class Delivered:
    """files, rows: written now. start, end: UTC days covered, end exclusive; None when there was nothing to write."""

    files: int
    rows: int
    start: datetime | None
    end: datetime | None


def landing(home: Path, application: str) -> Path:
    return home / "landing" / application


def remember(folder: Path, place: str, table: str | None, columns: Columns) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    value = {"from": place, "table": table, "columns": columns.as_dict()}
    (folder / ORIGIN).write_text(json.dumps(value, indent=1), encoding="utf-8")


def remembered(folder: Path) -> tuple[str, str | None, Columns]:
    """
    Raises
    ------
    ContinualError: the application was not made by `continual init`.
    """
    try:
        value = json.loads((folder / ORIGIN).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ContinualError(
            "The application must have been made from a table.", f"no {folder / ORIGIN}.",
            "`continual init` makes one; deliver other rows as docs/how-to/connect-data.md says.",
        ) from error  # fmt: skip
    return value["from"], value["table"], Columns.from_dict(value["columns"])


def rows_of(table: pa.Table, columns: Columns, target: Target) -> pd.DataFrame:
    """record_key, event_time, features, value, known_at; by event time, rows without an instant left out.

    Raises
    ------
    ContinualError: keys that are not unique.
    """
    import pandas as pd

    frame = pd.DataFrame({"event_time": instants(table, columns.time)})
    for name in columns.numeric:
        frame[name] = pd.to_numeric(table.column(name).to_pandas()).astype(float)
    for name in columns.categorical:
        text = table.column(name).to_pandas()
        frame[name] = text.where(text.isna(), text.astype(str)).astype(object)
    frame["value"] = _value(table.column(columns.label).to_pandas(), columns, target)
    known = instants(table, columns.known) if columns.known else frame["event_time"] + columns.lag
    frame["known_at"] = known.where(frame["value"].notna())
    given = table.column(columns.key).to_pandas().astype(str) if columns.key else None
    frame.insert(0, "record_key", given)
    frame = frame[frame["event_time"].notna()].sort_values("event_time", kind="stable", ignore_index=True)
    if given is None:
        position = frame.groupby("event_time").cumcount().astype(str)
        frame["record_key"] = frame["event_time"].dt.strftime("%Y%m%dT%H%M%S.%f") + "-" + position
    if frame["record_key"].duplicated().any():
        twice = frame["record_key"][frame["record_key"].duplicated()].iloc[0]
        raise ContinualError("Every row must have its own key.", f"{twice!r} twice.", "name another column with --key.")
    return frame


def _value(labels: pd.Series[Any], columns: Columns, target: Target) -> pd.Series[Any]:
    if target.task == "multiclass":
        return labels.where(labels.isna(), labels.astype(str)).astype(object)
    if target.task == "binary":
        return (labels.astype(str) == columns.positive).astype(float).where(labels.notna())
    return labels.astype(float)


def deliver(
    frame: pd.DataFrame, folder: Path, target: Target, until: datetime, serve: Serve | None, progress: Progress
) -> Delivered:
    """Every UTC day before `until` that has no file yet; a file that exists stays, what was served is a fact.

    frame: of `rows_of`. serve: None = nothing serves yet, rows of history have neither version nor answer.
    """
    work = [
        *_days(frame, "event_time", until, folder / "predictions"),
        *_days(frame, "known_at", until, folder / "labels"),
    ]
    work.sort(key=lambda item: (item[0], item[1].parent.name))
    rows = 0
    for done, (day, path, part) in enumerate(work, 1):
        labels = path.parent.name == "labels"
        _write(path, _labels(part) if labels else _predictions(part, target, serve))
        rows += 0 if labels else len(part)
        progress(done, len(work), f"{day:%Y-%m-%d}")
    if not work:
        return Delivered(0, 0, None, None)
    return Delivered(len(work), rows, work[0][0], work[-1][0] + timedelta(days=1))


def _days(
    frame: pd.DataFrame, column: str, until: datetime, folder: Path
) -> Iterator[tuple[datetime, Path, pd.DataFrame]]:
    folder.mkdir(parents=True, exist_ok=True)
    due = frame[frame[column] < until]
    for day, part in due.groupby(due[column].dt.floor("D")):
        path = folder / f"{day:%Y-%m-%d}.parquet"
        if not path.exists():
            yield day.to_pydatetime(), path, part.reset_index(drop=True)


def _predictions(part: pd.DataFrame, target: Target, serve: Serve | None) -> pd.DataFrame:
    rows = part.drop(columns=["value", "known_at"])
    names = target.columns[1:] or target.columns
    if serve is None:
        return rows.assign(model_version=None, **dict.fromkeys(names, np.nan))
    found, version = serve(rows)
    each = found.T if found.ndim == 2 else [found]
    return rows.assign(model_version=version, **dict(zip(names, each, strict=True)))


def _labels(part: pd.DataFrame) -> pd.DataFrame:
    return part[["record_key", "value", "known_at"]].assign(source="table")


def _write(path: Path, rows: pd.DataFrame) -> None:
    """Beside, then renamed: readers see the whole file or none."""
    import pyarrow as pa
    import pyarrow.parquet

    text = {"record_key", "model_version", "source"}
    table = pa.Table.from_pandas(rows, preserve_index=False).replace_schema_metadata(None)
    fields = [pa.field(f.name, pa.string()) if f.name in text or pa.types.is_null(f.type) else f for f in table.schema]
    buffer = io.BytesIO()
    pyarrow.parquet.write_table(table.cast(pa.schema(fields)), buffer, compression="zstd")
    part = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    part.write_bytes(buffer.getvalue())
    part.replace(path)
