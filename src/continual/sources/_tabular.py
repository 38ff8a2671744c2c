"""Bytes of a delivered file -> rows."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from continual.errors import BatchError
from continual.sources.base import MixedKinds

if TYPE_CHECKING:
    import pyarrow as pa

#: Text in every stream, also where every value looks like a number.
_NAMES = ("record_key", "model_version", "source")


def parse(name: str, content: bytes, text: Sequence[str] = ()) -> pa.Table:
    """name: ends in .csv or .parquet. text: CSV columns that hold text besides record_key, model_version and source.

    Raises
    ------
    BatchError: the bytes are not such a file. MixedKinds: a CSV column changes its kind within the file.
    """
    import pyarrow as pa
    import pyarrow.parquet

    try:
        if name.endswith(".csv"):
            return _csv(name, content, {*_NAMES, *text})
        return pyarrow.parquet.read_table(io.BytesIO(content))
    except (pa.ArrowException, OSError) as error:
        raise unreadable(name, error) from error


def unreadable(name: str, error: Exception) -> BatchError:
    return BatchError(
        "A batch must be a readable Parquet or CSV file.",
        f"{name}: {error}.",
        "deliver it again; other batches are not affected.",
    )


def _csv(name: str, content: bytes, text: set[str]) -> pa.Table:
    import pyarrow as pa
    import pyarrow.csv

    options = pyarrow.csv.ConvertOptions(column_types=dict.fromkeys(sorted(text), pa.string()))
    table = pyarrow.csv.read_csv(io.BytesIO(content), convert_options=options)
    once = [c for c in table.column_names if c not in text and table.column_names.count(c) == 1]
    clashes = {column: clash for column in once if (clash := _clash(table.column(column)))}
    if clashes:
        raise _mixed(name, clashes, table)
    return table


def _clash(values: pa.ChunkedArray) -> tuple[str, str] | None:
    """A number and a text, where pyarrow read a column whose kind changes between chunks (of about 1 MB) as text,
    silently."""
    import pyarrow as pa

    if not pa.types.is_string(values.type):
        return None
    chunks = [kept for chunk in values.chunks if len(kept := _given(chunk))]
    numbers = [_all_numbers(chunk) for chunk in chunks]
    if all(numbers) or not any(numbers):
        return None
    return str(chunks[numbers.index(True)][0]), _first_text(chunks[numbers.index(False)])


def _mixed(name: str, clashes: Mapping[str, tuple[str, str]], table: pa.Table) -> MixedKinds:
    column, (number, text) = next(iter(clashes.items()))
    return MixedKinds(
        f"Column {column!r} of {name} must hold one kind of value.",
        f"numbers such as {number!r} in one part and text such as {text[:60]!r} in another.",
        "name it in source.text when it is text and replay the rows from the quarantine, or deliver it corrected.",
        tuple(clashes),
        table,
    )


def _given(chunk: pa.StringArray) -> pa.StringArray:
    """Without what stands for a missing number."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.csv

    missing = pc.is_in(chunk, value_set=pa.array(pyarrow.csv.ConvertOptions().null_values))
    return chunk.filter(pc.invert(missing)).drop_null()


def _all_numbers(chunk: pa.StringArray) -> bool:
    import pyarrow as pa

    try:
        chunk.cast(pa.float64())
    except pa.ArrowInvalid:
        return False
    return True


def _first_text(chunk: pa.StringArray) -> str:
    return next(str(text) for text in chunk.to_pylist() if not _number(text))


def _number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
