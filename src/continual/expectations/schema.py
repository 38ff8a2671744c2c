"""What a batch must satisfy before any expectation of the policy: columns, types, keys, instants, probabilities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from continual.core.window import floor_day, utc
from continual.expectations.finite import infinite
from continual.expectations.outcome import ValidationOutcome, combined, refused, rows_failing
from continual.expectations.sentences import EMPTY, missing_column
from continual.metrics.base import Task

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

#: A clock may run ahead by this much before its instants are called future.
SKEW = timedelta(minutes=5)
#: Bytes are no concern of the log, but a key is an index entry, a file's bound and a line on a screen.
MAX_KEY = 255


def check_predictions(
    frame: pd.DataFrame,
    as_of: datetime,
    columns: Mapping[str, Kind],
    day: date | None = None,
    *,
    task: Task = Task.BINARY,
    classes: Sequence[str] = (),
    skew: timedelta = SKEW,
) -> ValidationOutcome:
    """Whether a batch can become rows of the prediction log.

    columns: kinds of the features and tags. as_of: event times more than `skew` after it cannot have been predicted
    yet. day: the UTC day the batch says its event times belong to. task: binary: `prediction` is a probability;
    regression: any finite number; multiclass: columns p_<class> for every one of `classes`, each in [0, 1], sum 1
    within 1e-3; `prediction` may be left out.
    """
    if len(frame) == 0:
        return refused(0, EMPTY)
    shape = kinds(frame, {**prediction_kinds(task, classes), **columns})
    if shape.failed_batch:
        return shape
    values = multiclass_predictions(frame, classes) if task == Task.MULTICLASS else predictions(frame, task)
    finite = [infinite(frame, column) for column, kind in columns.items() if kind == "number"]
    checks = [record_keys(frame), instants(frame, "event_time", as_of, day, skew), values, *finite]
    return combined(len(frame), [*checks, known_in_time(frame, as_of, skew)])


def check_labels(
    frame: pd.DataFrame,
    as_of: datetime,
    day: date | None = None,
    *,
    task: Task = Task.BINARY,
    classes: Sequence[str] = (),
    skew: timedelta = SKEW,
) -> ValidationOutcome:
    """Whether a batch can become rows of the label table.

    A key may come more than once (several sources, corrections). day: the UTC day the labels became known. task:
    binary: 0 or 1; regression: any finite number; multiclass: names of `classes` or their indices from 0.
    """
    if len(frame) == 0:
        return refused(0, EMPTY)
    shape = kinds(frame, {**LABEL, "value": label_kind(frame, task)})
    if shape.failed_batch:
        return shape
    n = len(frame)
    source = rows_failing(n, _blank(frame["source"]), "source: null or blank")
    checks = [key_form(frame), labels(frame, task, classes), source]
    return combined(n, [*checks, instants(frame, "known_at", as_of, day, skew)])


def prediction_kinds(task: Task, classes: Sequence[str]) -> dict[str, Kind]:
    """Kinds of the columns every batch of predictions has."""
    if task != Task.MULTICLASS:
        return dict(PREDICTION)
    fixed = {column: kind for column, kind in PREDICTION.items() if column != "prediction"}
    return {**fixed, **dict.fromkeys((f"p_{name}" for name in classes), "number")}


def label_kind(frame: pd.DataFrame, task: Task) -> Kind:
    """Classes come as names or as indices; anything else is a number."""
    if task == Task.MULTICLASS and "value" in frame and _held(frame["value"]) == "text":
        return "text"
    return "number"


def labels(frame: pd.DataFrame, task: Task = Task.BINARY, classes: Sequence[str] = ()) -> ValidationOutcome:
    """Values that are no label of this task; a class the policy does not name is unseen, not a new one."""
    n, value = len(frame), frame["value"]
    if task == Task.MULTICLASS and label_kind(frame, task) == "text":
        return rows_failing(n, ~value.isin(list(classes)).to_numpy(dtype=bool), f"value: no class of {_some(classes)}")
    numbers = _floats(value)
    if task == Task.MULTICLASS:
        legal = np.isin(numbers, np.arange(len(classes)))
        return rows_failing(n, ~legal, f"value: no index of a class, 0 to {len(classes) - 1}")
    if task == Task.REGRESSION:
        return rows_failing(n, ~np.isfinite(numbers), "value: null or not finite")
    return rows_failing(n, ~np.isin(numbers, (0.0, 1.0)), "value: must be 0 or 1")


def _some(classes: Sequence[str]) -> str:
    more = f" and {len(classes) - 5} more" if len(classes) > 5 else ""
    return ", ".join(classes[:5]) + more


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
            key_form(frame),
            rows_failing(n, copies, "record_key: the same row came before in this batch"),
            rows_failing(n, conflict, "record_key: several rows of this batch claim this key with different content"),
        ],
    )


def key_form(frame: pd.DataFrame) -> ValidationOutcome:
    """Keys that are null, blank, too long, or hold characters that cannot be seen (U+0000..U+001F, U+007F..U+009F)."""
    n, key = len(frame), frame["record_key"].astype("string")
    long = (key.str.len() > MAX_KEY).fillna(False).to_numpy(dtype=bool)
    control = key.str.contains(r"[\x00-\x1f\x7f-\x9f]", regex=True).fillna(False).to_numpy(dtype=bool)
    blank = _blank(frame["record_key"])
    return combined(
        n,
        [
            rows_failing(n, blank, "record_key: null or blank"),
            rows_failing(n, long, f"record_key: longer than {MAX_KEY} characters"),
            rows_failing(n, control & ~blank, "record_key: holds a control character"),
        ],
    )


def instants(
    frame: pd.DataFrame, column: str, as_of: datetime, day: date | None = None, skew: timedelta = SKEW
) -> ValidationOutcome:
    """Null, later than `as_of` + `skew`, or outside the batch's own UTC day."""
    n, values = len(frame), frame[column]
    checks = [rows_failing(n, values.isna().to_numpy(), f"{column}: null")]
    if not values.notna().any():
        return checks[0]
    late = (values > utc(as_of) + skew).to_numpy()
    checks.append(rows_failing(n, late, f"{column}: after {utc(as_of).isoformat()}, the instant of knowledge"))
    if day is not None:
        start = floor_day(datetime.fromisoformat(f"{day.isoformat()}T00:00:00+00:00"))
        off = (values.notna() & ((values < start) | (values >= start + timedelta(days=1)))).to_numpy()
        checks.append(rows_failing(n, off, f"{column}: outside {day.isoformat()} (UTC), the day of the batch"))
    return combined(n, checks)


def known_in_time(frame: pd.DataFrame, as_of: datetime, skew: timedelta = SKEW) -> ValidationOutcome:
    """Where a batch says itself when its predictions were known: null, in the future, or before the event."""
    n = len(frame)
    if "known_at" not in frame:
        return combined(n, [])
    shape = kinds(frame, {"known_at": "instant"})
    if shape.failed_batch or not frame["known_at"].notna().any():
        return combined(n, [shape, rows_failing(n, frame["known_at"].isna().to_numpy(), "known_at: null")])
    early = np.zeros(n, dtype=bool)
    if frame["event_time"].notna().any():
        early = (frame["known_at"] < frame["event_time"] - skew).to_numpy()
    return combined(
        n, [instants(frame, "known_at", as_of, None, skew), rows_failing(n, early, "known_at: before event_time")]
    )


def predictions(frame: pd.DataFrame, task: Task = Task.BINARY) -> ValidationOutcome:
    """Probabilities in [0, 1] (regression: finite numbers); null only where no model version served (history)."""
    n, value = len(frame), _floats(frame["prediction"])
    served = ~_blank(frame["model_version"])
    with np.errstate(invalid="ignore"):
        legal = np.isfinite(value) if task == Task.REGRESSION else (value >= 0) & (value <= 1)
    sentence = "prediction: not finite" if task == Task.REGRESSION else "prediction: outside [0, 1]"
    return combined(n, [rows_failing(n, ~np.isnan(value) & ~legal, sentence), *_served("prediction", value, served)])


def multiclass_predictions(frame: pd.DataFrame, classes: Sequence[str]) -> ValidationOutcome:
    """p_<class> in [0, 1] that sum to 1 within 1e-3; all null only where no model version served."""
    n, names = len(frame), [f"p_{name}" for name in classes]
    value = np.column_stack([_floats(frame[name]) for name in names])
    served, missing = ~_blank(frame["model_version"]), np.isnan(value)
    with np.errstate(invalid="ignore"):
        outside = np.asarray((~missing & ~((value >= 0) & (value <= 1))).any(axis=1))
        off = ~(np.abs(value.sum(axis=1) - 1) <= 1e-3)
    some = np.asarray(missing.any(axis=1) & ~missing.all(axis=1))
    checks = [
        rows_failing(n, outside, "p_*: outside [0, 1]"),
        rows_failing(n, np.asarray(off & ~missing.any(axis=1) & ~outside), "p_*: do not sum to 1"),
        rows_failing(n, some, "p_*: some classes have no probability"),
    ]
    return combined(n, [*checks, *_served("p_*", np.where(missing.all(axis=1), np.nan, 0.0), served)])


def _served(
    name: str, value: npt.NDArray[np.float64], served: npt.NDArray[np.bool_]
) -> tuple[ValidationOutcome, ValidationOutcome]:
    """A value and a model version that gave it come together or not at all."""
    n, missing = len(value), np.isnan(value)
    return (
        rows_failing(n, missing & served, f"{name}: null or NaN although a model version served"),
        rows_failing(n, ~missing & ~served, f"{name}: no model version says whose it is"),
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
