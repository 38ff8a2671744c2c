"""What an expression finds in a column of a declared kind, without data: mistakes are found when a policy is loaded."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum

import numpy as np

from continual.core.expression_codes import Value


class Kind(StrEnum):
    """What a column holds. time: an instant."""

    NUMBER = "number"
    TEXT = "text"
    BOOLEAN = "boolean"
    TIME = "time"


def kind_of(values: Value) -> Kind:
    """Kind of evaluated values."""
    by_letter = {"O": Kind.TEXT, "b": Kind.BOOLEAN, "M": Kind.TIME}
    return by_letter.get(values[0].dtype.kind, Kind.NUMBER)


def stand_ins(kinds: Mapping[str, Kind]) -> Callable[[str], Value]:
    """Name -> one row: non-null of its kind, or null where no kind is declared."""
    order = {name: i for i, name in enumerate(kinds)}
    here, missing = np.ones(1, dtype=bool), np.zeros(1, dtype=bool)

    def column(name: str) -> Value:
        if name not in kinds:
            return np.zeros(1), missing
        if kinds[name] == Kind.TEXT:
            return np.full(1, "", dtype=object), here
        if kinds[name] == Kind.BOOLEAN:
            return here, here
        if kinds[name] == Kind.TIME:
            return np.zeros(1, dtype="datetime64[us]"), here
        # Numbers that differ and are no fractions of each other: differences and quotients stay defined.
        return np.full(1, np.sqrt(2 + order[name])), here

    return column
