"""Values of columns that get slices of their own: which, what they are called, and how a predicate says them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from continual.core.expression_codes import Coded, distinct_codes

OTHER = "other"
#: Longer values of a column have no slice of their own.
MAX_VALUE = 100
#: Stands between the two halves of a cross's name, so no value with a slice of its own may hold it.
AND = " & "


def frequent(coded: Coded, top: int, min_rows: int) -> list[Any]:
    """Values that get a slice of their own, as predicates compare them, in the order of their text."""
    count = np.bincount(coded.code, minlength=coded.k)[: coded.k]
    enough = np.flatnonzero(count >= max(1, min_rows))
    values = coded.values[enough].tolist()
    ranked = [(-n, text(v), v) for n, v in zip(count[enough].tolist(), values, strict=True) if _nameable(text(v))]
    best = sorted(ranked, key=lambda item: item[:2])[:top]
    return [value for _, _, value in sorted(best, key=lambda item: item[1])]


def frequent_pairs(a: Coded, b: Coded, top: int, min_rows: int) -> list[tuple[Any, Any]]:
    """Pairs of values that get a slice of their own, in the order of their text."""
    known = (a.code < a.k) & (b.code < b.k)
    present, index = distinct_codes(a.code[known] * max(1, b.k) + b.code[known], a.k * b.k)
    count = np.bincount(index, minlength=len(present))
    enough = np.flatnonzero(count >= max(1, min_rows))
    name = {0: _names(a), 1: _names(b)}
    ranked = []
    for n, pair in zip(count[enough].tolist(), present[enough].tolist(), strict=True):
        i, j = divmod(pair, b.k)
        first, second = name[0](i), name[1](j)
        if first is not None and second is not None:
            ranked.append((-n, first, second, i, j))
    best = sorted(sorted(ranked)[:top], key=lambda item: item[1:3])
    return [(a.values[i : i + 1].tolist()[0], b.values[j : j + 1].tolist()[0]) for *_, i, j in best]


def _names(coded: Coded) -> Callable[[int], str | None]:
    texts = [text(v) for v in coded.values.tolist()]
    fit = [t if _nameable(t) and AND not in t else None for t in texts]
    return fit.__getitem__


def _nameable(value: str) -> bool:
    """A value that is called `other`, unprintable, endless or infinite has no slice of its own: it is in `other`."""
    return value != OTHER and value.isprintable() and len(value) <= MAX_VALUE and value not in {"inf", "-inf"}


def text(value: Any) -> str:
    """How a value stands in a slice's name."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def literal(value: Any) -> str:
    """How a value stands in a predicate."""
    if isinstance(value, (bool, np.bool_)):
        return "TRUE" if value else "FALSE"
    return text(value) if isinstance(value, (int, float)) else "'" + str(value).replace("'", "''") + "'"


def quoted(column: str) -> str:
    """A column's name in a predicate, whatever it is."""
    return '"' + column.replace('"', '""') + '"'


def rest(column: str, values: Sequence[Any]) -> str:
    """Predicate of the rows with none of these values; null is one of them."""
    name = quoted(column)
    if not values:
        return f"{name} IS NULL OR NOT {name} IS NULL"
    return f"{name} IS NULL OR NOT {name} IN ({', '.join(map(literal, values))})"


def rest_of_pairs(columns: tuple[str, str], pairs: Sequence[tuple[Any, Any]]) -> str:
    """Predicate of the rows in none of these pairs; a row with a null is one of them."""
    first, second = columns
    partners: dict[Any, list[Any]] = {}
    for a, b in pairs:
        partners.setdefault(a, []).append(b)
    parts = [rest(first, list(partners))]
    if pairs:
        parts.append(f"{quoted(second)} IS NULL")
    for a, listed in partners.items():
        others = ", ".join(map(literal, listed))
        parts.append(f"({quoted(first)} = {literal(a)} AND NOT {quoted(second)} IN ({others}))")
    return _balanced(parts)


def _balanced(parts: Sequence[str]) -> str:
    """Joined by OR as a shallow tree: a chain of a thousand would be too deep to read."""
    if len(parts) == 1:
        return f"({parts[0]})"
    half = len(parts) // 2
    return f"({_balanced(parts[:half])} OR {_balanced(parts[half:])})"


def bins(column: str, edges: Sequence[float]) -> Iterator[tuple[str, str]]:
    """Name and predicate of each half-open bin, from the lowest; `other` (no value) is last."""
    name, at = quoted(column), [text(float(edge)) for edge in edges]
    yield f"{column}<{at[0]}", f"{name} < {at[0]}"
    for low, high in pairwise(at):
        yield f"{column}=[{low},{high})", f"{name} >= {low} AND {name} < {high}"
    yield f"{column}>={at[-1]}", f"{name} >= {at[-1]}"
    yield f"{column}={OTHER}", f"{name} IS NULL"
