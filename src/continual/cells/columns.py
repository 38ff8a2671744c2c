"""The columns of a day as integers: dictionary codes where Arrow has them, so that no text is touched per row."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from continual.core.slice_values import MAX_VALUE, OTHER, text
from continual.errors import SliceError

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

Index = npt.NDArray[np.int32]
Values = tuple[Any, ...]
#: Type of the values, and the values: 1 and True are equal, their names are not.
Key = tuple[str, Values]


@dataclass(frozen=True)
class Encoded:
    """index: (n,) in 0..K, K = null; values: the K distinct values; kind: their type; nulls: whether there are any."""

    index: Index
    values: list[Any]
    kind: str = ""
    nulls: bool = True

    @property
    def size(self) -> int:
        """Number of codes, null included."""
        return len(self.values) + 1

    @property
    def present(self) -> int:
        """Codes that can occur."""
        return len(self.values) + self.nulls

    @property
    def key(self) -> Key:
        """What names depend on."""
        return self.kind, tuple(self.values)


class Columns:
    """The columns of a table, each encoded once, when first asked for."""

    def __init__(self, table: pa.Table) -> None:
        self.table = table
        self._encoded: dict[str, Encoded] = {}

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def raw(self, name: str) -> pa.ChunkedArray:
        """
        Raises
        ------
        SliceError: no such column.
        """
        if name not in self.table.column_names:
            raise SliceError(
                "A slice column must be logged.",
                f"{name!r} is missing.",
                "add it to features or tags or drop the slice.",
            )
        return self.table.column(name)

    def is_dictionary(self, name: str) -> bool:
        import pyarrow as pa

        return bool(pa.types.is_dictionary(self.raw(name).type))

    def encoded(self, name: str) -> Encoded:
        """The column's dictionary; made when it has none."""
        if name not in self._encoded:
            self._encoded[name] = _encode(self.raw(name))
        return self._encoded[name]

    def dictionary(self, name: str) -> pd.Series[Any]:
        """The distinct values of a dictionary column, then a null."""
        import pyarrow as pa

        values = pa.array([*self.encoded(name).values, None], type=self.raw(name).type.value_type)
        found: pd.Series[Any] = values.to_pandas()
        return found

    def rows(self, names: Iterable[str]) -> dict[str, pd.Series[Any]]:
        return {name: self.raw(name).to_pandas() for name in names}


def _encode(column: pa.ChunkedArray) -> Encoded:
    import pyarrow as pa

    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    if column.num_chunks > 1:
        column = column.unify_dictionaries()
    array = column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
    if isinstance(array, pa.ChunkedArray):  # what combine_chunks gives for no chunk at all
        return Encoded(np.zeros(0, dtype=np.int32), [])
    values = array.dictionary.to_pylist()
    indices = array.indices
    if nulls := indices.null_count > 0:
        indices = indices.fill_null(len(values)) if _fits(indices, len(values)) else _wide(indices, len(values))
    codes = indices.to_numpy(zero_copy_only=False).astype(np.int32, copy=False)
    return Encoded(codes, values, str(array.dictionary.type), nulls)


def _fits(indices: Any, last: int) -> bool:
    return last < 1 << (int(indices.type.bit_width) - 1)


def _wide(indices: Any, last: int) -> Any:
    return indices.cast("int32").fill_null(last)


def nameable(value: Any) -> bool:
    """Null, NaN, infinity, `other`, the unprintable and the endless have no slice of their own."""
    if value is None or value != value:  # noqa: PLR0124 - NaN
        return False
    shown = text(value)
    return shown != OTHER and shown.isprintable() and len(shown) <= MAX_VALUE and shown not in {"inf", "-inf"}
