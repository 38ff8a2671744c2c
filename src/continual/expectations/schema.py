"""What a batch must satisfy before any expectation of the policy: columns, types, keys, instants, probabilities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from continual.core.window import floor_day, utc
from continual.expectations.outcome import ValidationOutcome, combined, refused, rows_failing
from continual.expectations.sentences import EMPTY, missing_column

if TYPE_CHECKING:
    import pandas as pd

Kind = Literal["number", "text", "boolean", "instant"]
PREDICTION: Mapping[str, Kind] = {
    "record_key": "text",
    "event_time": "instant",
    "model_version": "text",
    "prediction": "number",
}
LABEL: Mapping[str, Kind] = {"record_key": "text", "value": "number", "source": "text", "known_at": "instant"}


def check_predictions(
    frame: pd.DataFrame, as_of: datetime, columns: Mapping[str, Kind], day: date | None = None
) -> ValidationOutcome:
    """Whether a batch can become rows of the prediction log.

    columns: kinds of the features and tags. as_of: event times after it cannot have been predicted yet. day: the
    UTC day the batch says its event times belong to.
    """
    if len(frame) == 0:
        return refused(0, EMPTY)
    shape = kinds(frame, {**PREDICTION, **columns})
    if shape.failed_batch:
        return shape
    checks = [record_keys(frame), instants(frame, "event_time", as_of, day), predictions(frame)]
    return combined(len(frame), checks)


def check_labels(frame: pd.DataFrame, as_of: datetime, day: date | None = None) -> ValidationOutcome:
    """Whether a batch can become rows of the label table (binary labels).

    A key may come more than once (several sources, corrections). day: the UTC day the labels became known.
    """
    if len(frame) == 0:
        return refused(0, EMPTY)
    shape = kinds(frame, LABEL)
    if shape.failed_batch:
        return shape
    n, value = len(frame), _floats(frame["value"])
    bad = rows_failing(n, ~np.isin(value, (0.0, 1.0)), "value: must be 0 or 1")
    source = rows_failing(n, _blank(frame["source"]), "source: null or blank")
    return combined(n, [_keyless(frame), bad, source, instants(frame, "known_at", as_of, day)])


def kinds(frame: pd.DataFrame, columns: Mapping[str, Kind]) -> ValidationOutcome:
    """Every column is there once and holds its kind; a wholly null column is of every kind."""
    came = [str(column) for column in frame.columns]
    missing = [missing_column(column, came) for column in columns if column not in came]
    twice = [f"{column}: two columns of this name came" for column in columns if came.count(column) > 1]
    wrong = [_wrong_kind(frame[c], kind) for c, kind in columns.items() if came.count(c) == 1]
    return ValidationOutcome(len(frame), (*missing, *twice, *(reason for reason in wrong if reason)))


def record_keys(frame: pd.DataFrame) -> ValidationOutcome:
    """Null or blank keys; repeats of a whole row after its first; rows that claim one key with different content."""
    n, key = len(frame), frame["record_key"]
    repeated = key.duplicated(keep=False).to_numpy() & ~_blank(key)
    copies, conflict = np.zeros(n, dtype=bool), np.zeros(n, dtype=bool)
    copies[repeated] = _as_text(frame[repeated]).duplicated().to_numpy()
    distinct = repeated & ~copies
    conflict[distinct] = key[distinct].duplicated(keep=False).to_numpy()
    return combined(
        n,
        [
            _keyless(frame),
            rows_failing(n, copies, "record_key: the same row came before in this batch"),
            rows_failing(n, conflict, "record_key: several rows of this batch claim this key with different content"),
        ],
    )


def instants(frame: pd.DataFrame, column: str, as_of: datetime, day: date | None = None) -> ValidationOutcome:
    """Null, later than `as_of`, or outside the batch's own UTC day."""
    n, values = len(frame), frame[column]
    checks = [rows_failing(n, values.isna().to_numpy(), f"{column}: null")]
    if not values.notna().any():
        return checks[0]
    late = (values > utc(as_of)).to_numpy()
    checks.append(rows_failing(n, late, f"{column}: after {utc(as_of).isoformat()}, the instant of knowledge"))
    if day is not None:
        start = floor_day(datetime.fromisoformat(f"{day.isoformat()}T00:00:00+00:00"))
        off = (values.notna() & ((values < start) | (values >= start + timedelta(days=1)))).to_numpy()
        checks.append(rows_failing(n, off, f"{column}: outside {day.isoformat()} (UTC), the day of the batch"))
    return combined(n, checks)


def predictions(frame: pd.DataFrame) -> ValidationOutcome:
    """Probabilities in [0, 1]; null only where no model version served (history)."""
    n, value = len(frame), _floats(frame["prediction"])
    served = ~_blank(frame["model_version"])
    with np.errstate(invalid="ignore"):
        outside = ~np.isnan(value) & ~((value >= 0) & (value <= 1))
    return combined(
        n,
        [
            rows_failing(n, outside, "prediction: outside [0, 1]"),
            rows_failing(n, np.isnan(value) & served, "prediction: null or NaN although a model version served"),
            rows_failing(n, ~np.isnan(value) & ~served, "prediction: no model version says whose it is"),
        ],
    )


def null_jumps(shares: Mapping[str, float], usual: Mapping[str, float], tolerance: float = 0.2) -> tuple[str, ...]:
    """Columns whose share of nulls moved up by more than `tolerance` (shares in [0, 1]), as sentences.

    shares: `statistics["null_share"]` of a batch; usual: the same of accepted batches, averaged.
    """
    return tuple(
        f"{column}: {shares[column]:.1%} null, usually {share:.1%}"
        for column, share in usual.items()
        if shares.get(column, 0.0) - share > tolerance
    )


def _wrong_kind(values: pd.Series[Any], kind: Kind) -> str | None:
    held = _held(values)
    if held in (kind, "null"):
        return None
    if kind == "instant" and held == "naive instant":
        return f"{values.name}: instants without a time zone; write them in UTC with an offset"
    example = values.dropna().iloc[0]
    return f"{values.name}: must hold {kind}, holds {held} ({values.dtype}), such as {str(example)[:60]!r}"


_HELD = {
    "string": "text",
    "boolean": "boolean",
    "integer": "number",
    "floating": "number",
    "mixed-integer-float": "number",
    "decimal": "number",
    "empty": "null",
}


def _held(values: pd.Series[Any]) -> str:
    import pandas as pd

    if isinstance(values.dtype, pd.CategoricalDtype):
        values = values.astype(values.cat.categories.dtype)
    if pd.api.types.is_datetime64_any_dtype(values.dtype):
        return "instant" if getattr(values.dtype, "tz", None) else "naive instant"
    inferred = pd.api.types.infer_dtype(values, skipna=True)
    if len(values) and inferred != "empty" and not values.notna().any():
        return "null"
    return _HELD.get(inferred, inferred)


def _keyless(frame: pd.DataFrame) -> ValidationOutcome:
    return rows_failing(len(frame), _blank(frame["record_key"]), "record_key: null or blank")


def _blank(values: pd.Series[Any]) -> npt.NDArray[np.bool_]:
    blank = values.isna() | (values.astype("string").str.strip() == "").fillna(False)
    return blank.to_numpy(dtype=bool)


def _floats(values: pd.Series[Any]) -> npt.NDArray[np.float64]:
    return np.asarray(values.astype("Float64").to_numpy(dtype=np.float64, na_value=np.nan), dtype=np.float64)


def _as_text(rows: pd.DataFrame) -> pd.DataFrame:
    """Comparable also when cells hold lists or mappings."""
    return rows.astype("string")


def kinds_of(numeric: Sequence[str], text: Sequence[str]) -> dict[str, Kind]:
    """Column kinds from the lists of a policy: numeric features, and names (categorical features and tags)."""
    names: dict[str, Kind] = dict.fromkeys(text, "text")
    return {**names, **dict.fromkeys(numeric, "number")}
