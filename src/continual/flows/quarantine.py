"""Rows set aside: kept whole with their reasons, found again, given up by a person. Replay: `replay_item`."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from continual.core.canonical import digest, plain
from continual.core.window import utc
from continual.errors import StoreError
from continual.flows.workspace import Outcome, Workspace

if TYPE_CHECKING:
    import pandas as pd

    from continual.stores.batches import Batch, QuarantineItem


def set_aside(
    ws: Workspace,
    batch: str,
    stream: str,
    rows: pd.DataFrame,
    reasons: Mapping[int, str],
    as_of: datetime,
    origin: str = "",
) -> str:
    """Write rows to the quarantine table and open an item for them; returns the item's id. Idempotent.

    reasons: position in `rows` -> why. origin: id of the item whose replay left these rows over.
    """
    import pyarrow as pa

    from continual.stores.batches import QuarantineItem

    item = digest([ws.app, batch, stream, sorted(reasons.items()), *([origin] if origin else [])])[:16]
    chosen = rows.iloc[sorted(reasons)]
    table = pa.table(
        {
            "item_id": [item] * len(chosen),
            "batch_id": [batch] * len(chosen),
            "stream": [stream] * len(chosen),
            "row_json": row_texts(chosen),
            "reasons": [reasons[i] for i in sorted(reasons)],
            "known_at": pa.array([utc(as_of)] * len(chosen), pa.timestamp("us", tz="UTC")),
        }
    )
    if len(chosen):
        ws.log.append_quarantine(table, commit_id=item)
    why = summary(reasons.values())
    ws.batches.set_aside([QuarantineItem(item, batch, stream, len(chosen), why, item, utc(as_of))])
    return item


def summary(reasons: Iterable[str], limit: int = 2000) -> str:
    """Every reason with its rows, most rows first; one that all rows share stands alone."""
    counts = Counter(reasons).most_common()
    if len(counts) < 2:
        return (counts[0][0] if counts else "unreadable")[:limit]
    shown = [f"{why} [{n:,}]" for why, n in counts]
    while len("; ".join(shown)) > limit - 40 and len(shown) > 1:
        shown.pop()
    more = f"; and {len(counts) - len(shown):,} reasons more" if len(shown) < len(counts) else ""
    return f"{'; '.join(shown)[: limit - 40]}{more}"


def row_texts(rows: pd.DataFrame) -> list[str]:
    """One JSON object per row, numbers to the last digit so that a replayed row is the row that came.

    Missing and NaN become null, instants ISO text, infinite numbers 'inf' and '-inf', a repeated column 'name.1'.
    """
    names: list[str] = []
    for name in map(str, rows.columns):
        names.append(name if name not in names else f"{name}.{names.count(name)}")
    columns = [rows.iloc[:, i].astype(object) for i in range(len(names))]
    whole = [column.where(column.notna(), None).tolist() for column in columns]
    return [json.dumps(dict(zip(names, map(_cell, row), strict=True)), default=str) for row in zip(*whole, strict=True)]


def _cell(value: Any) -> Any:
    value = value.tolist() if hasattr(value, "tolist") else value
    if isinstance(value, float) and value in (float("inf"), float("-inf")):
        return str(value)
    return plain(value)


def stored_rows(ws: Workspace, item: QuarantineItem) -> pd.DataFrame:
    """(item.n_rows, ...) rows as they were delivered, in a fixed order. Instants with an offset come back as instants,
    also where they had been delivered as text."""
    import pandas as pd

    texts = ws.log.read_quarantine(item.ref)["row_json"]
    frame = pd.DataFrame([json.loads(text) for text in texts])
    for name in ("event_time", "known_at"):
        if name in frame:
            frame[name] = _instants(frame[name])
    for column in [str(c) for c in frame if pd.api.types.is_object_dtype(frame[c])]:
        frame[column] = frame[column].replace({"inf": float("inf"), "-inf": float("-inf")})
    return frame


def _instants(values: pd.Series[Any]) -> pd.Series[Any]:
    """Parsed where every value is ISO text with an offset; else as it is, for the checks to refuse."""
    import pandas as pd

    try:
        if any(datetime.fromisoformat(str(text)).tzinfo is None for text in values.dropna()):
            return values
        return pd.to_datetime(values, format="ISO8601", utc=True)
    except ValueError:
        return values


def find_item(ws: Workspace, name: str) -> QuarantineItem:
    """By id or by its unambiguous beginning.

    Raises
    ------
    StoreError: no item or several begin so.
    """
    found = [item for item in ws.batches.items() if item.id.startswith(name)]
    if len(found) != 1:
        got = "none does." if not found else f"{len(found)} do: {', '.join(item.id for item in found[:5])}."
        raise StoreError(
            f"One quarantine item of {ws.app} must begin with {name!r}.", got, "see `continual quarantine list --all`."
        )
    return found[0]


def batch_of(ws: Workspace, item: QuarantineItem) -> Batch | None:
    """The delivered batch its rows came with; None while ingest has not finished with it."""
    found = ws.batches.batches(id=item.batch_id)
    return found[0] if found else None


def is_whole_batch(item: QuarantineItem, batch: Batch) -> bool:
    """The batch was refused, instead of accepted without these rows."""
    return batch.state == "quarantined" and item.n_rows == batch.rows_quarantined


def check_open(item: QuarantineItem) -> None:
    """
    Raises
    ------
    StoreError: a person or a later delivery settled it.
    """
    if item.state != "open":
        why = {"superseded": "a corrected delivery came", "discarded": "a person gave it up"}.get(item.state, "")
        raise StoreError(
            "Only an open quarantine item can be replayed or discarded.",
            f"item {item.id} is {item.state}{': ' + why if why else ''}.",
            "deliver the rows in a new batch if they are still wanted.",
        )


def discard(ws: Workspace, name: str, who: str, why: str, as_of: datetime) -> Outcome:
    """Give an item's rows up: they stay readable in the quarantine table and never enter the log by replay. A batch
    that was refused whole counts as taken in without rows, so that ingest stops asking for a correction. Idempotent.

    Raises
    ------
    StoreError: no such item, or it was settled another way.
    """
    item = find_item(ws, name)
    if item.state != "discarded":
        check_open(item)
    key, reason = f"quarantine:{item.id}:discarded", f"{item.n_rows:,} {item.stream} rows discarded by {who}: {why}"
    record = {"item": item.id, "batch": item.batch_id, "rows": item.n_rows, "reason": item.reason}
    record |= {"by": who, "why": why}
    entry = ws.ledger.append("discarded", key, utc(as_of), reason, record, ws.loaded.hash, ws.run)
    batch = batch_of(ws, item)
    if batch is not None and is_whole_batch(item, batch):
        from dataclasses import replace

        ws.batches.record(replace(batch, state="appended", rows=0, reason=entry.reason))
    ws.batches.resolve(item.id, "discarded")
    return Outcome(entry.reason, {"item": item.id, "state": "discarded", "rows": item.n_rows})
