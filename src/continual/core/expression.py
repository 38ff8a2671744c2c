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
    "Mod": np.fmod,  # the sign of the dividend, as in SQL
}
_BINARY = frozenset({"this", "expression"})
#: Node -> its arguments. Other nodes are refused, and so are other arguments: SYMMETRIC, a table name, a subquery.
_ALLOWED: dict[str, frozenset[str]] = dict.fromkeys((*_COMPARE, *_ARITHMETIC, "And", "Or", "Is"), _BINARY) | {
    "Not": frozenset({"this"}),
    "Neg": frozenset({"this"}),
    "Paren": frozenset({"this"}),
    "In": frozenset({"this", "expressions"}),
    "Between": frozenset({"this", "low", "high"}),
    "Column": frozenset({"this"}),
    "Identifier": frozenset({"this", "quoted"}),
    "Literal": frozenset({"this", "is_string"}),
    "Boolean": frozenset({"this"}),
    "Null": frozenset(),
}


def _refuse(text: str, got: str) -> SliceError:
    return SliceError(
        "A slice predicate must compare columns with constants (= <> < <= > >=, IN, BETWEEN, IS NULL, AND, OR, NOT).",
        f"{got} in {text[:200]!r}.",
        "rewrite the predicate, for example: plane_age <= 1 AND carrier IN ('UA', 'AA').",
    )


def parse(text: str) -> Any:
    """The checked syntax tree of a predicate that a person wrote.

    Raises
    ------
    SliceError: too long, too deep, not parseable, a construct that is not whitelisted, or no condition.
    """
    if not text.strip() or len(text) > MAX_LENGTH:
        raise _refuse(text, f"{len(text)} characters (1 to {MAX_LENGTH} allowed)")
    if not " ".join(text.split()).isprintable():
        raise _refuse(text, "a control character")
    return _tree(text)


@lru_cache(maxsize=1024)
def _tree(text: str) -> Any:
    import sqlglot
    from sqlglot.errors import SqlglotError

    try:
        tree = sqlglot.parse_one(text)
    except (SqlglotError, RecursionError) as error:
        raise _refuse(text, f"unreadable: {str(error).splitlines()[0][:120]}") from error
    for node in tree.walk():
        _check(node, text)
    # On one row of nulls: finds what can never be evaluated, whatever the columns hold.
    _answer(text, tree, _Evaluation(lambda name: (np.zeros(1), np.zeros(1, dtype=bool)), 1))
    return tree


def _check(node: Any, text: str) -> None:
    name = type(node).__name__
    if name not in _ALLOWED:
        raise _refuse(text, f"{name} is not allowed")
    if node.depth > MAX_DEPTH:
        raise _refuse(text, f"nesting (or a chain of AND, OR) deeper than {MAX_DEPTH}")
    extra = [key for key, value in node.args.items() if value and key not in _ALLOWED[name]]
    if extra or node.comments:
        raise _refuse(text, f"{name} with {extra[0] if extra else 'a comment'} {node.sql()[:60]}")
    if name == "In" and not node.expressions:
        raise _refuse(text, "IN without a list of constants")


def columns(text: str) -> tuple[str, ...]:
    """Column names a predicate reads, sorted."""
    return _columns(_tree(text))


def _columns(tree: Any) -> tuple[str, ...]:
    return tuple(sorted({node.name for node in tree.walk() if type(node).__name__ == "Column"}))


class Matcher:
    """Predicates over one frame: every column is brought into its compared form once."""

    def __init__(self, frame: Mapping[str, Any], n: int) -> None:
        """frame: columns by name, each of length n."""
        self.frame, self.n = frame, n
        self._seen: dict[str, tuple[Any, Bools]] = {}

    def mask(self, text: str) -> Bools:
        """(n,) bool: rows that satisfy the predicate.

        Raises
        ------
        SliceError: bad predicate, missing column, or a comparison of text with a number.
        """
        tree = _tree(text)
        missing = [c for c in _columns(tree) if c not in self.frame]
        if missing:
            known = ", ".join(map(str, list(self.frame)[:30]))
            raise _refuse(text, f"unknown column {missing[0]!r} (known: {known})")
        return _answer(text, tree, _Evaluation(self._column, self.n))

    def _column(self, name: str) -> tuple[Any, Bools]:
        if name not in self._seen:
            self._seen[name] = column(self.frame[name])
        return self._seen[name]


def mask(text: str, frame: Mapping[str, Any], n: int) -> Bools:
    """(n,) bool: rows of `frame` (columns by name, each of length n) that satisfy the predicate; see `Matcher.mask`."""
    return Matcher(frame, n).mask(text)


def _answer(text: str, tree: Any, evaluation: _Evaluation) -> Bools:
    try:
        with np.errstate(all="ignore"):
            return evaluation.condition(tree)[0]
    except (TypeError, ValueError) as error:
        raise _refuse(text, str(error)) from error


class _Evaluation:
    """Walks one tree over n rows. Conditions are (true, known) pairs; values are (array, known) pairs.

    column: name -> its value.
    """

    def __init__(self, column: Callable[[str], tuple[Any, Bools]], n: int) -> None:
        self.column, self.n = column, n

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
        if name not in {"Column", "Boolean", "Null"}:
            raise TypeError(f"{name} is a value, not a condition")
        values, known = self.value(node)
        if values.dtype.kind == "O" and known.any():
            raise TypeError("a column of text is no condition")
        return (values != 0) & known, known

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
    def _compare(op: Callable[[Any, Any], Any], a: tuple[Any, Bools], b: tuple[Any, Bools]) -> tuple[Bools, Bools]:
        known = a[1] & b[1]
        if not known.any():
            return known, known
        if (a[0].dtype.kind == "O") != (b[0].dtype.kind == "O"):
            raise TypeError("text is compared with a number")
        return np.asarray(op(a[0], b[0]), dtype=bool) & known, known

    def value(self, node: Any) -> tuple[Any, Bools]:
        name = type(node).__name__
        if name == "Paren":
            return self.value(node.this)
        if name == "Column":
            return self.column(node.name)
        if name in _ARITHMETIC:
            (a, ka), (b, kb) = self._number(node.this), self._number(node.expression)
            out = _ARITHMETIC[name](a.astype(float), b.astype(float))
            return out, ka & kb & ~np.isnan(out)
        if name == "Neg":
            a, known = self._number(node.this)
            return -a, known
        return self._constant(name, node)

    def _number(self, node: Any) -> tuple[Any, Bools]:
        values, known = self.value(node)
        if values.dtype.kind == "O":
            raise TypeError("arithmetic on text")
        return values.astype(float) if values.dtype.kind == "b" else values, known

    def _constant(self, name: str, node: Any) -> tuple[Any, Bools]:
        if name == "Null":
            return np.zeros(self.n), np.zeros(self.n, dtype=bool)
        if name == "Boolean":
            found = np.asarray(bool(node.this))
        elif name == "Literal":
            found = np.asarray(str(node.this), dtype=object) if node.is_string else _literal(str(node.this))
        else:
            raise TypeError(f"{name} is not a value")
        return np.broadcast_to(found, (self.n,)), np.ones(self.n, dtype=bool)


def _literal(text: str) -> npt.NDArray[Any]:
    """Whole numbers stay exact beyond 2^53, as in the columns they are compared with."""
    return np.asarray(int(text) if text.isdecimal() and len(text) <= 18 else float(text))


def column(raw: Any) -> tuple[Any, Bools]:
    """How a column is compared: (n,) booleans, int64, float64, or text (everything else); and its non-null rows."""
    import pandas as pd

    series = pd.Series(raw)
    if series.dtype == object:
        series = series.convert_dtypes()  # booleans and numbers among nulls
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
