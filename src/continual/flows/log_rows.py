"""A validated batch -> rows of the log, with one type per column whatever the file said."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from continual.policy.models import Policy

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from continual.sources.base import Stream


def log_table(policy: Policy, stream: Stream, rows: pd.DataFrame, batch: str, as_of: datetime) -> pa.Table:
    """rows: (n, ...) validated. Numbers become float64 (integers cannot be missing in pandas), names text; columns
    the policy does not name are left out. Predictions become known when they are ingested, `as_of`; labels say when
    themselves."""
    import pyarrow as pa

    schema = _schema(policy, stream)
    rows = _as_numbers(policy, stream, rows)
    own = rows.assign(batch_id=batch, **({"known_at": as_of} if stream == "predictions" else {}))
    for field in schema:
        if pa.types.is_string(field.type):
            own[field.name] = own[field.name].astype(object).where(own[field.name].notna(), None)
    return pa.Table.from_pandas(own[schema.names], schema=schema, preserve_index=False).replace_schema_metadata(None)


def _as_numbers(policy: Policy, stream: Stream, rows: pd.DataFrame) -> pd.DataFrame:
    """Of several classes: labels as the index of their class, and the most probable class as the prediction."""
    classes = policy.label.classes
    if not classes:
        return rows
    if stream == "labels":
        return rows.assign(value=rows["value"].map(lambda name: _index(classes, name)).astype(float))
    import numpy as np

    probability = policy.label.target.answers(rows)
    served = np.isfinite(probability).all(axis=1)
    best = np.where(served, np.nan_to_num(probability).argmax(axis=1), np.nan)
    return rows.assign(prediction=best)


def _index(classes: Sequence[str], given: Any) -> float:
    """Of a class by its name, or by its index."""
    return float(classes.index(given)) if given in classes else float(given)


def _schema(policy: Policy, stream: Stream) -> pa.Schema:
    import pyarrow as pa

    instant = pa.timestamp("us", tz="UTC")
    fields: dict[str, Any] = {"record_key": pa.string()}
    if stream == "labels":
        fields |= {"value": pa.float64(), "source": pa.string()}
    else:
        numbers = {*policy.features.numeric, *policy.features.extra}
        fields |= {
            "event_time": instant,
            "model_version": pa.string(),
            **dict.fromkeys(policy.label.target.columns, pa.float64()),
        }
        fields |= {c: pa.float64() if c in numbers else pa.string() for c in policy.columns}
    return pa.schema(list((fields | {"known_at": instant, "batch_id": pa.string()}).items()))
