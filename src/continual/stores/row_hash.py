"""A hash per row over its content: the same in every process and whatever the order of the columns."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

#: Columns that say how a row arrived, not what it says.
METADATA = ("known_at", "batch_id", "row_hash")

Hashes = npt.NDArray[np.uint64]


def row_hash(table: pa.Table, ignore: Collection[str] = METADATA) -> pa.Array:
    """16 hex digits per row (64 bits) over all columns but `ignore`.

    A missing value (null, NaN) adds nothing, so a row keeps its hash when a column is added later. Hash of a value:
    pandas' keyed SipHash with the default key; of a row: sum of SplitMix64(value hash + column salt) modulo 2**64.
    """
    total: Hashes = np.zeros(table.num_rows, dtype=np.uint64)
    for name in table.column_names:
        if name not in ignore:
            total += _column(name, table.column(name))
    digits = pa.py_buffer(total.astype(">u8").tobytes().hex().encode())
    ends = pa.py_buffer(np.arange(0, 16 * len(total) + 1, 16, dtype=np.int64))
    return pa.LargeStringArray.from_buffers(len(total), ends, digits).cast(pa.string())


def key_hash(column: pa.ChunkedArray) -> Hashes:
    """64 bits per text: pandas' keyed SipHash, the same in every process. column: without nulls."""
    if len(column) == 0:
        return np.zeros(0, dtype=np.uint64)
    texts: Any = column.to_numpy().astype(object, copy=False)
    hashes: Hashes = pd.util.hash_array(texts, categorize=False)
    return hashes


def _column(name: str, column: pa.ChunkedArray) -> Hashes:
    salt = np.uint64(int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big"))
    if pa.types.is_floating(column.type):
        column = pc.if_else(pc.is_nan(column), None, column)
    values, present = _hash_values(column), pc.is_valid(column).to_numpy(zero_copy_only=False)
    return np.where(present, _mix(values + salt), np.uint64(0))


def _hash_values(column: pa.ChunkedArray) -> Hashes:
    kind = column.type
    if pa.types.is_floating(kind):
        numbers = pc.fill_null(column, 0.0).to_numpy().astype(np.float64) + 0.0  # -0.0 is 0.0
        return pd.util.hash_array(numbers)
    if pa.types.is_integer(kind) or pa.types.is_boolean(kind):
        return pd.util.hash_array(pc.fill_null(column.cast(pa.int64()), 0).to_numpy())
    if pa.types.is_timestamp(kind):
        micros = column.cast(pa.timestamp("us", kind.tz), safe=False).cast(pa.int64())
        return pd.util.hash_array(pc.fill_null(micros, 0).to_numpy())
    return _hash_texts(column)


def _hash_texts(column: pa.ChunkedArray) -> Hashes:
    """Each distinct text is hashed once."""
    encoded = column.cast(pa.string()).combine_chunks().dictionary_encode()
    distinct: Any = encoded.dictionary.to_numpy(zero_copy_only=False).astype(object)
    if len(distinct) == 0:
        return np.zeros(len(column), dtype=np.uint64)
    hashes: Hashes = pd.util.hash_array(distinct, categorize=False)
    chosen: Hashes = hashes[pc.fill_null(encoded.indices, 0).to_numpy(zero_copy_only=False)]
    return chosen


def _mix(values: Hashes) -> Hashes:
    """SplitMix64's finaliser (Steele, Lea, Flood 2014): sums of the results do not cancel structure."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))
