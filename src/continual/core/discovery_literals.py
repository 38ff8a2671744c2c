"""Columns -> the literals that conjunctions are made of: frequent values, quantile bins, null."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from continual.core import expression
from continual.core.expression_codes import Coded, Columns, Indices
from continual.core.slice_values import frequent, literal, quoted
from continual.errors import SliceError

Bools = npt.NDArray[np.bool_]
#: Numbers with at most so many values are taken value by value.
FEW = 12


@dataclass(frozen=True)
class Literals:
    """predicates: one per literal; code: (n,) literal of each row, len(predicates) = none of them."""

    predicates: tuple[str, ...]
    code: Indices


def literals(columns: Columns, name: str, use: Bools, bins: int, support: int, top: int) -> Literals:
    """Literals of one column, chosen on the rows `use` and coded over all rows; rarer than `support` is none."""
    values, known = columns.value(name)
    there = use & known
    if values.dtype.kind in "fi":
        edges = _edges(values[there], bins)
        if edges is not None:
            return _binned(name, values, known, edges)
    return _valued(name, columns.code(name), use, support, top)


def _written(name: str) -> str:
    """The column as a person would write it: quoted only where it must be."""
    try:
        plain = name.isidentifier() and expression.columns(f"{name} IS NULL") == (name,)
    except SliceError:
        plain = False
    return name if plain else quoted(name)


def _edges(values: npt.NDArray[np.generic], bins: int) -> list[float] | None:
    """Inner edges of bins with about equally many rows, with few digits; None where single values are better."""
    few = np.unique(values[:: max(1, len(values) // 10_000)])
    if len(few) <= FEW and len(np.unique(values)) <= FEW:
        return None
    at = np.quantile(values.astype(float), np.arange(1, bins) / bins, method="higher")
    short = sorted({float(f"{edge:.4g}") for edge in at if np.isfinite(edge)})
    return short or None


def _binned(name: str, values: npt.NDArray[np.generic], known: Bools, edges: Sequence[float]) -> Literals:
    column, at = _written(name), [literal(edge) for edge in edges]
    between = [f"{column} >= {low} AND {column} < {high}" for low, high in pairwise(at)]
    predicates = (f"{column} < {at[0]}", *between, f"{column} >= {at[-1]}", f"{column} IS NULL")
    code = np.where(known, np.searchsorted(edges, values, side="right"), len(edges) + 1)
    return Literals(predicates, code.astype(np.intp))


def _valued(name: str, coded: Coded, use: Bools, support: int, top: int) -> Literals:
    chosen = frequent(Coded(coded.code[use], coded.values), top, support)
    column, place = _written(name), {value: i for i, value in enumerate(chosen)}
    none = len(chosen) + 1
    table = np.array([place.get(v, none) for v in coded.values.tolist()] + [len(chosen)], dtype=np.intp)
    return Literals((*(f"{column} = {literal(v)}" for v in chosen), f"{column} IS NULL"), table[coded.code])
