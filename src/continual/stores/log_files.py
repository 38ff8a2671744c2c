"""Data files of a day-partitioned table, one per day.

pyiceberg's `append` computes day partitions in the extra package pyiceberg-core; days are simple enough to spare it.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from pyiceberg.io.pyarrow import write_file
from pyiceberg.partitioning import PartitionField, PartitionFieldValue, PartitionKey
from pyiceberg.table import Transaction, WriteTask
from pyiceberg.transforms import DayTransform

if TYPE_CHECKING:
    import uuid

    from pyiceberg.io import FileIO
    from pyiceberg.table.metadata import TableMetadata

MICROSECONDS_A_DAY = 86_400_000_000


def stage(transaction: Transaction, io: FileIO, rows: pa.Table, properties: dict[str, str]) -> None:
    """Add one snapshot with `rows` to the transaction; without rows an empty one, which records the properties."""
    fields = transaction.table_metadata.spec().fields
    if [type(field.transform) for field in fields] != [DayTransform]:
        transaction.append(rows, snapshot_properties=properties)
        return
    with transaction.update_snapshot(snapshot_properties=properties).merge_append() as snapshot:
        for file in _files(transaction.table_metadata, io, rows, snapshot.commit_uuid):
            snapshot.append_data_file(file)


def _files(metadata: TableMetadata, io: FileIO, rows: pa.Table, commit: uuid.UUID) -> Iterator[object]:
    (field,) = metadata.spec().fields
    number = itertools.count()
    tasks = (
        WriteTask(
            write_uuid=commit,
            task_id=next(number),
            schema=metadata.schema(),
            record_batches=part.combine_chunks().to_batches(),
            partition_key=_key(metadata, field, day),
        )
        for day, part in _by_day(rows, metadata.schema().find_column_name(field.source_id))
    )
    return iter(write_file(io=io, table_metadata=metadata, tasks=tasks))


def _key(metadata: TableMetadata, field: PartitionField, day: int) -> PartitionKey:
    return PartitionKey([PartitionFieldValue(field, day)], metadata.spec(), metadata.schema())


def _by_day(rows: pa.Table, column: str) -> Iterator[tuple[int, pa.Table]]:
    if rows.num_rows == 0:
        return
    days = rows.column(column).cast(pa.int64()).to_numpy() // MICROSECONDS_A_DAY
    order = np.argsort(days, kind="stable")
    values, starts = np.unique(days[order], return_index=True)
    ordered = rows.take(pa.array(order))
    for day, start, end in zip(values, starts, [*starts[1:], len(days)], strict=True):
        yield int(day), ordered.slice(start, end - start)
