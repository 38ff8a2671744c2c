"""A small safe predicate language for slices: SQL comparisons over logged columns.

Parsed with sqlglot, whitelisted node by node, evaluated with numpy under SQL's three-valued logic (a comparison
with null is unknown, and unknown rows are not in the slice). Nothing is ever passed to `eval` or a database.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from continual.errors import SliceError

MAX_LENGTH = 1000
MAX_DEPTH = 32
Bools = npt.NDArray[np.bool_]
_COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "EQ": operator.eq,
    "NEQ": operator.ne,
    "GT": operator.gt,
    "GTE": operator.ge,
    "LT": operator.lt,
    "LTE": operator.le,
}
_ARITHMETIC: dict[str, Callable[[Any, Any], Any]] = {
    "Add": operator.add,
    "Sub": operator.sub,
    "Mul": operator.mul,
    "Mod": operator.mod,
}
_ALLOWED = {*_COMPARE, *_ARITHMETIC, "And", "Or", "Not", "Paren", "In", "Between", "Is", "Neg"} | {
    "Column",
    "Identifier",
    "Literal",
    "Boolean",
    "Null",
}


def _refuse(text: str, got: str) -> SliceError:
    return SliceError(
        "A slice predicate must compare columns with constants (= <> < <= > >=, IN, BETWEEN, IS NULL, AND, OR, NOT).",
        f"{got} in {text[:200]!r}.",
        "rewrite the predicate, for example: plane_age <= 1 AND carrier IN ('UA', 'AA').",
    )


@lru_cache(maxsize=4096)
def parse(text: str) -> Any:
    """The checked syntax tree of a predicate.

    Raises
    ------
    SliceError: too long, too deep, not parseable, or a construct that is not whitelisted.
    """
    import sqlglot
    from sqlglot.errors import SqlglotError

    if not text.strip() or len(text) > MAX_LENGTH:
        raise _refuse(text, f"{len(text)} characters (1 to {MAX_LENGTH} allowed)")
    try:
        tree = sqlglot.parse_one(text)
    except (SqlglotError, RecursionError) as error:
        raise _refuse(text, f"unreadable: {str(error).splitlines()[0][:120]}") from error
    for node in tree.walk():
        _check(node, text)
    if not is_predicate(tree):
        raise _refuse(text, f"{type(tree).__name__} is a value, not a condition,")
    return tree


def _check(node: Any, text: str) -> None:
    name = type(node).__name__
    if name not in _ALLOWED:
        raise _refuse(text, f"{name} is not allowed")
    if node.depth > MAX_DEPTH:
        raise _refuse(text, f"nesting deeper than {MAX_DEPTH}")
    if name == "Column" and len(node.parts) != 1:
        raise _refuse(text, f"qualified column {node.sql()}")
    if name == "In" and (node.args.get("query") or node.args.get("unnest") or not node.expressions):
        raise _refuse(text, "IN without a list of constants")


def is_predicate(node: Any) -> bool:
    name = type(node).__name__
    if name == "Paren":
        return is_predicate(node.this)
    return name in _COMPARE or name in {"And", "Or", "Not", "In", "Between", "Is", "Column", "Boolean"}


def columns(text: str) -> tuple[str, ...]:
    """Column names a predicate reads, sorted."""
    return tuple(sorted({c.name for c in parse(text).find_all(_exp("Column"))}))


def _exp(name: str) -> Any:
    from sqlglot import expressions

    return getattr(expressions, name)


def mask(text: str, frame: Mapping[str, Any], n: int) -> Bools:
    """(n,) bool: rows of `frame` (columns by name, each of length n) that satisfy the predicate.

    Raises
    ------
    SliceError: bad predicate, missing column, or a comparison of text with a number.
    """
    tree = parse(text)
    missing = [c for c in columns(text) if c not in frame]
    if missing:
        raise _refuse(text, f"unknown column {missing[0]!r} (known: {', '.join(map(str, list(frame)[:30]))})")
    try:
        true, _ = _Evaluation(frame, n).condition(tree)
    except TypeError as error:
        raise _refuse(text, f"types that do not compare ({error})") from error
    return true


class _Evaluation:
    """Walks one tree over one frame. Conditions are (true, known) pairs; values are (array, known) pairs."""

    def __init__(self, frame: Mapping[str, Any], n: int) -> None:
        self.frame, self.n = frame, n

    def condition(self, node: Any) -> tuple[Bools, Bools]:
        name = type(node).__name__
        if name == "Paren":
            return self.condition(node.this)
        if name == "Not":
            true, known = self.condition(node.this)
            return known & ~true, known
        if name in {"And", "Or"}:
            return self._logic(name, self.condition(node.this), self.condition(node.expression))
        if name in _COMPARE:
            return self._compare(_COMPARE[name], self.value(node.this), self.value(node.expression))
        return self._special(name, node)

    def _special(self, name: str, node: Any) -> tuple[Bools, Bools]:
        if name == "In":
            parts = [self._compare(operator.eq, self.value(node.this), self.value(e)) for e in node.expressions]
            out = parts[0]
            for part in parts[1:]:
                out = self._logic("Or", out, part)
            return out
        if name == "Between":
            low = self._compare(operator.ge, self.value(node.this), self.value(node.args["low"]))
            high = self._compare(operator.le, self.value(node.this), self.value(node.args["high"]))
            return self._logic("And", low, high)
        if name == "Is":
            return self._is(node)
        values, known = self.value(node)  # a boolean column or literal
        return np.asarray(values == True, dtype=bool) & known, known  # noqa: E712 - element-wise

    def _is(self, node: Any) -> tuple[Bools, Bools]:
        if type(node.expression).__name__ != "Null":
            raise TypeError("IS takes NULL only")
        _, known = self.value(node.this)
        return ~known, np.ones(self.n, dtype=bool)

    @staticmethod
    def _logic(name: str, a: tuple[Bools, Bools], b: tuple[Bools, Bools]) -> tuple[Bools, Bools]:
        (ta, ka), (tb, kb) = a, b
        if name == "And":
            return ta & tb, (ka & kb) | (ka & ~ta) | (kb & ~tb)
        return ta | tb, (ka & kb) | ta | tb

    @staticmethod
    def _compare(
        op: Callable[[Any, Any], Any], a: tuple[Any, Bools], b: tuple[Any, Bools]
    ) -> tuple[Bools, Bools]:
        known = a[1] & b[1]
        out = np.zeros(len(known), dtype=bool)
        if known.any():
            left, right = a[0][known], b[0][known]
            if left.dtype.kind != right.dtype.kind and "O" in (left.dtype.kind, right.dtype.kind):
                raise TypeError("text is compared with a number")
            out[known] = np.asarray(op(left, right), dtype=bool)
        return out, known

    def value(self, node: Any) -> tuple[Any, Bools]:
        name = type(node).__name__
        if name == "Paren":
            return self.value(node.this)
        if name == "Column":
            return _column(self.frame[node.name])
        if name in _ARITHMETIC:
            (a, ka), (b, kb) = self.value(node.this), self.value(node.expression)
            return _ARITHMETIC[name](a, b), ka & kb
        if name == "Neg":
            a, known = self.value(node.this)
            return -a, known
        return self._constant(name, node)

    def _constant(self, name: str, node: Any) -> tuple[Any, Bools]:
        known = np.ones(self.n, dtype=bool)
        if name == "Null":
            return np.zeros(self.n), ~known
        if name == "Boolean":
            return np.full(self.n, float(bool(node.this))), known
        if name == "Literal" and node.is_string:
            return np.full(self.n, str(node.this), dtype=object), known
        if name == "Literal":
            return np.full(self.n, float(node.this)), known
        raise TypeError(f"{name} is not a value")


def _column(raw: Any) -> tuple[Any, Bools]:
    """Numbers and booleans as float64, everything else as text; with the mask of non-null rows."""
    import pandas as pd

    series = pd.Series(raw)
    known = series.notna().to_numpy(dtype=bool)
    if pd.api.types.is_bool_dtype(series.dtype) or pd.api.types.is_numeric_dtype(series.dtype):
        return series.to_numpy(dtype=float, na_value=np.nan), known
    out = np.empty(len(series), dtype=object)
    out[known] = series[known].astype(str).to_numpy(dtype=object)
    return out, known
