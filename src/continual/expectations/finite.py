"""Numbers that no measurement has."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from continual.expectations.outcome import ValidationOutcome, combined, rows_failing

if TYPE_CHECKING:
    import pandas as pd


def infinite(frame: pd.DataFrame, column: str) -> ValidationOutcome:
    """A division by zero or an overflow: most models refuse it, and every mean it enters is lost."""
    values = frame[column]
    if values.dtype.kind in "iub":
        return combined(len(frame), [])
    plain = isinstance(values.dtype, np.dtype) and values.dtype.kind == "f"
    numbers = values if plain else values.astype("Float64")
    found = np.isinf(numbers.to_numpy(dtype=np.float64, na_value=np.nan))
    return rows_failing(len(frame), found, f"{column}: infinite; deliver null where nothing is known")
