"""Columns of one frame as they are compared, and as integer codes: what many predicates ask of a column is answered
once per distinct value instead of once per row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Bools = npt.NDArray[np.bool_]
Indices = npt.NDArray[np.intp]
#: (values, non-null): booleans, int64, float64, or text as objects.
Value = tuple[Any, Bools]
#: A column of numbers is coded when it has been asked this often: comparing numbers is cheap, coding is not.
MANY_USES = 8
#: More columns are not grouped together: their combinations are about as many as the rows.
MAX_COLUMNS = 3
#: With more combinations than this and an eighth of the rows, each column is better grouped by itself.
MANY_GROUPS = 100


@dataclass(frozen=True)
class Coded:
    """code: (n,) 0..k; values: (k,) distinct non-null values; code k = null."""

    code: Indices
    values: Any

    @property
    def k(self) -> int:
        return len(self.values)

    def table(self) -> Value:
        """(k + 1,) the values and, last, null."""
        null = np.full(1, "", dtype=object) if self.values.dtype.kind == "O" else np.zeros(1, self.values.dtype)
        return np.concatenate([self.values, null]), np.arange(self.k + 1) < self.k


@dataclass(frozen=True)
class Groups:
    """Rows by the combination of values of some columns. index: (n,) 0..n_groups-1; columns: (n_groups,) values."""

    index: Indices
    columns: Mapping[str, Value]
    n: int


def column(raw: Any) -> Value:
    """How a column is compared: (n,) booleans, int64, float64, or text (everything else); and its non-null rows."""
    import pandas as pd

    series = _series(raw)
    known = series.notna().to_numpy(dtype=bool)
    if pd.api.types.is_bool_dtype(series.dtype):
        return series.to_numpy(dtype=bool, na_value=False), known
    if pd.api.types.is_signed_integer_dtype(series.dtype):
        return series.to_numpy(dtype=np.int64, na_value=0), known
    if pd.api.types.is_numeric_dtype(series.dtype):
        numbers = series.to_numpy(dtype=float, na_value=np.nan)
        return numbers, known & ~np.isnan(numbers)
    text = np.full(len(series), "", dtype=object)
    text[known] = series[known].astype(str).to_numpy(dtype=object)
    return text, known


def _series(raw: Any) -> Any:
    import pandas as pd

    series = pd.Series(raw)
    return series.convert_dtypes() if series.dtype == object else series  # booleans and numbers among nulls


def _coded(values: Any, known: Bools) -> Coded:
    import pandas as pd

    found, distinct = pd.factorize(values[known])
    code = np.full(len(values), len(distinct), dtype=np.intp)
    code[known] = found
    return Coded(code, np.asarray(distinct, dtype=values.dtype))


class Columns:
    """The columns of a frame, each brought into its compared form, and coded, at most once."""

    def __init__(self, frame: Mapping[str, Any], n: int) -> None:
        """frame: columns by name, each of length n."""
        self.frame, self.n = frame, n
        self._values: dict[str, Value] = {}
        self._codes: dict[str, Coded | None] = {}
        self._groups: dict[tuple[str, ...], Groups | None] = {}
        self._uses: Counter[str] = Counter()

    def value(self, name: str) -> Value:
        """(n,) values and the non-null rows."""
        if name not in self._values:
            coded = self._codes.get(name)
            if coded is None:
                self._values[name] = column(self.frame[name])
            else:
                values, known = coded.table()
                self._values[name] = values[coded.code], known[coded.code]
        return self._values[name]

    def code(self, name: str) -> Coded:
        """The column as codes, whatever it holds."""
        found = self._codes.get(name)
        if found is None:
            found = self._codes[name] = self._text(name) or _coded(*self.value(name))
        return found

    def _text(self, name: str) -> Coded | None:
        """Strings are coded as they are stored; their text is never written out row by row."""
        import pandas as pd

        series = _series(self.frame[name])
        if name in self._values or not isinstance(series.dtype, pd.StringDtype):
            return None
        found, distinct = pd.factorize(series)
        code = np.where(found < 0, len(distinct), found).astype(np.intp)
        return Coded(code, np.asarray(distinct.astype(str), dtype=object))

    def groups(self, names: Sequence[str]) -> Groups | None:
        """Rows by the values of these columns; None where that does not pay."""
        if not self.n or not 1 <= len(names) <= MAX_COLUMNS:
            return None
        self._uses.update(names)
        key = tuple(names)
        if key not in self._groups:
            coded = [self._worth(name) for name in key]
            if any(c is None for c in coded):
                return None
            self._groups[key] = self._combine(dict(zip(key, [c for c in coded if c], strict=True)))
        return self._groups[key]

    def _worth(self, name: str) -> Coded | None:
        if self._codes.get(name) is None:
            text = _is_text(self.frame[name]) or self.value(name)[0].dtype.kind == "O"
            if not text and self._uses[name] < MANY_USES:
                return None
            self._codes[name] = self.code(name)
        found = self._codes[name]
        few = found is not None and (found.values.dtype.kind == "O" or found.k <= self.n // 4)
        return found if few else None

    def _combine(self, coded: Mapping[str, Coded]) -> Groups | None:
        tables = {name: c.table() for name, c in coded.items()}
        if len(coded) == 1:
            (only,) = coded.values()
            return Groups(only.code, tables, only.k + 1)
        parts = list(coded.values())
        joint, sizes = parts[0].code, [c.k + 1 for c in parts]
        for part, size in zip(parts[1:], sizes[1:], strict=True):
            joint = joint * size + part.code
        present, index = distinct_codes(joint, int(np.prod(sizes)))
        if len(present) > max(MANY_GROUPS, self.n // 8):
            return None
        at = dict(zip(coded, np.unravel_index(present, sizes), strict=True))
        return Groups(index, {n: (v[at[n]], k[at[n]]) for n, (v, k) in tables.items()}, len(present))


def _is_text(raw: Any) -> bool:
    import pandas as pd

    return isinstance(getattr(raw, "dtype", None), pd.StringDtype)


def distinct_codes(code: Indices, size: int) -> tuple[Indices, Indices]:
    """Codes 0..size-1 -> the present ones, ascending, and each row's index among them; linear where size permits."""
    if size > 4 * len(code) + 1024:
        present, index = np.unique(code, return_inverse=True)
        return present, index.astype(np.intp)
    there = np.bincount(code, minlength=size) > 0
    return np.flatnonzero(there), (np.cumsum(there) - 1)[code]
