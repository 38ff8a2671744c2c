"""Text among the numbers of a CSV file: the rows that hold it are set aside, the others are numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from continual.errors import BatchError
from continual.expectations.outcome import ValidationOutcome, combined, rows_failing
from continual.policy.models import Policy
from continual.sources.base import BatchRef, MixedKinds

if TYPE_CHECKING:
    import pandas as pd

    from continual.sources.base import Stream


@dataclass(frozen=True)
class Delivered:
    """frame: (n, ...) to be judged, null where a row holds text for a number. came: the same rows as they came, for
    the quarantine. failing: these rows, with the reason. error: why the batch cannot be taken at all."""

    frame: pd.DataFrame
    came: pd.DataFrame
    failing: ValidationOutcome
    error: BatchError | None = None


def deliver(policy: Policy, ref: BatchRef) -> Delivered:
    """Read a batch.

    Raises
    ------
    BatchError: no row of it can be read. SourceUnavailable: the place does not answer.
    """
    numbers = numbers_of(policy, ref.stream)
    try:
        frame, error = policy.source.read(ref).to_pandas(), None
    except MixedKinds as mixed:
        frame, error = mixed.rows.to_pandas(), mixed if set(mixed.columns) - numbers else None
    if error is not None or not ref.name.endswith(".csv"):  # other formats say themselves what a column holds
        return Delivered(frame, frame, ValidationOutcome(len(frame)), error)
    return told_apart(frame, numbers, "string")


def told_apart(frame: pd.DataFrame, numbers: set[str], *held: str) -> Delivered:
    """held: what a column of `numbers` has to hold, in words of pandas, to be looked at."""
    judged, came, failing = frame.copy(), frame.copy(), []
    for name in [c for c in frame.columns if c in numbers and list(frame.columns).count(c) == 1]:
        found = _parsed(frame[name], held)
        if found is None:
            continue
        odd = (found.isna() & frame[name].notna()).to_numpy(dtype=bool)
        judged[name] = found
        came[name] = frame[name].astype(object).where(odd, found.astype(object))
        example = str(frame[name][odd].iloc[0])[:60] if odd.any() else ""
        failing.append(rows_failing(len(frame), odd, f"{name}: must hold a number, holds text such as {example!r}"))
    return Delivered(judged, came, combined(len(frame), failing))


def _parsed(values: pd.Series[Any], held: tuple[str, ...]) -> pd.Series[Any] | None:
    """Numbers, NaN where there is none; None where nothing has to be told apart or there is no number at all."""
    import pandas as pd

    if pd.api.types.infer_dtype(values, skipna=True) not in held:
        return None
    found: pd.Series[Any] = pd.to_numeric(values, errors="coerce").astype(float)
    return found if found.notna().any() else None


def numbers_of(policy: Policy, stream: Stream) -> set[str]:
    """Columns that must hold numbers."""
    if stream == "labels":
        return set() if policy.label.classes else {"value"}
    return {*policy.features.numeric, *policy.features.extra, *policy.label.target.columns}
