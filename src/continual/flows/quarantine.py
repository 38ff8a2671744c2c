"""Rows set aside: kept whole with their reasons, listed, replayed after a fix, released or discarded."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from continual.core.canonical import digest
from continual.core.window import utc
from continual.flows.workspace import Workspace

if TYPE_CHECKING:
    import pandas as pd


def set_aside(
    ws: Workspace, batch: str, stream: str, rows: pd.DataFrame, reasons: Mapping[int, str], as_of: datetime
) -> str:
    """Write rows to the quarantine table and open an item for them; returns the item's id. Idempotent.

    reasons: position in `rows` -> why.
    """
    import pyarrow as pa

    from continual.stores.batches import QuarantineItem

    item = digest([ws.app, batch, stream, sorted(reasons.items())])[:16]
    chosen = rows.iloc[sorted(reasons)]
    table = pa.table(
        {
            "item_id": [item] * len(chosen),
            "batch_id": [batch] * len(chosen),
            "stream": [stream] * len(chosen),
            "row_json": chosen.to_json(orient="records", lines=True, date_format="iso", date_unit="us").splitlines(),
            "reasons": [reasons[i] for i in sorted(reasons)],
            "known_at": pa.array([utc(as_of)] * len(chosen), pa.timestamp("us", tz="UTC")),
        }
    )
    if len(chosen):
        ws.log.append_quarantine(table, commit_id=item)
    first = next(iter(reasons.values()), "unreadable")
    ws.batches.set_aside([QuarantineItem(item, batch, stream, len(chosen), first[:2000], item, utc(as_of))])
    return item
