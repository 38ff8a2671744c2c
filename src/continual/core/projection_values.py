"""The value language of projections: the predicate language plus arithmetic, text, CASE and the parts of an instant."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from continual.core.expression_codes import Bools, Value
from continual.core.expression_evaluation import COMPARE, Evaluation, Truth
from continual.core.expression_syntax import PREDICATE_NODES, Grammar

#: Longer text is cut: a projection can join columns, never grow without bound.
MAX_TEXT = 256
MAX_DECIMALS = 9
_ONE = frozenset({"this"})
_NODES = PREDICATE_NODES | {
    "Div": frozenset({"this", "expression"}),
    "DPipe": frozenset({"this", "expression", "safe"}),
    "Case": frozenset({"ifs", "default"}),
    "If": frozenset({"this", "true"}),
    "Coalesce": frozenset({"this", "expressions"}),
    "Round": frozenset({"this", "decimals"}),
    "Cast": frozenset({"this", "to"}),
    "DataType": frozenset({"this"}),
    "Extract": frozenset({"this", "expression"}),
    "Var": _ONE,
    **dict.fromkeys(("Lower", "Upper", "Abs", "Floor", "Ceil", "Ln", "Sqrt"), _ONE),
}
GRAMMAR = Grammar(
    _NODES,
    "A projection must compute a value from columns (+ - * / % ||, comparisons, AND, OR, NOT, CASE WHEN, COALESCE, "
    "LOWER, UPPER, ABS, FLOOR, CEIL, ROUND, LN, SQRT, CAST AS DOUBLE or TEXT, EXTRACT(hour, dow or month FROM ...)).",
    "rewrite the projection, for example: origin || '-' || dest.",
)
_CONDITIONS = frozenset({*COMPARE, "And", "Or", "Not", "In", "Between", "Is"})
_NUMERIC: dict[str, Callable[[Any], Any]] = {
    "Abs": np.abs,
    "Floor": np.floor,
    "Ceil": np.ceil,
    "Ln": np.log,
    "Sqrt": np.sqrt,
}
_TEXT: dict[str, Callable[[str], str]] = {"Lower": str.lower, "Upper": str.upper}
_NUMBER = re.compile(r"\s*[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?\s*", re.ASCII)
_PARTS: dict[str, Callable[[Any], Any]] = {
    "HOUR": lambda at: (at.astype("datetime64[h]") - at.astype("datetime64[D]")).astype(float),
    "DOW": lambda at: (at.astype("datetime64[D]").astype(np.int64) + 4) % 7.0,  # 1970-01-01 was a Thursday
    "MONTH": lambda at: at.astype("datetime64[M]").astype(np.int64) % 12 + 1.0,
}


class ValueEvaluation(Evaluation):
    """Values are (array, known) pairs as in predicates; a number that is not finite is null."""

    def value(self, node: Any) -> Value:
        if found := self.grouped(node):
            inner, groups = found
            values, known = inner.value(node)
            return values[groups.index], known[groups.index]
        name = type(node).__name__
        special = self._HANDLERS.get(name)
        if special is not None:
            return special(self, node)
        if name in _CONDITIONS:
            return self.condition(node)
        if name in _NUMERIC:
            values, known = self.number(node.this)
            return _finite(_NUMERIC[name](values.astype(float)), known)
        values, known = super().value(node)
        if values.dtype.kind == "M":
            raise TypeError(f"{getattr(node, 'name', name)!r} is an instant: use EXTRACT(hour FROM ...)")
        return _finite(values, known) if values.dtype.kind == "f" else (values, known)

    def _value_as_condition(self, name: str, node: Any) -> Truth:
        values, known = self.value(node)
        if values.dtype.kind != "b" and known.any() and name != "Column":
            raise TypeError(f"{name} is a value, not a condition")
        if values.dtype.kind == "O" and known.any():
            raise TypeError("text is no condition")
        return (values != 0) & known, known

    def _divide(self, node: Any) -> Value:
        (a, ka), (b, kb) = self.number(node.this), self.number(node.expression)
        return _finite(a.astype(float) / b.astype(float), ka & kb)

    def _text(self, node: Any, what: str) -> Value:
        values, known = self.value(node)
        if values.dtype.kind != "O":
            if known.any():
                raise TypeError(f"{what} takes text: write CAST(... AS TEXT)")
            values = np.full(self.n, "", dtype=object)
        return values, known

    def _join(self, node: Any) -> Value:
        (a, ka), (b, kb) = self._text(node.this, "||"), self._text(node.expression, "||")
        return _each(lambda pair: pair[0] + pair[1], zip(a, b, strict=True), ka & kb)

    def _letters(self, node: Any) -> Value:
        name = type(node).__name__
        values, known = self._text(node.this, name.upper())
        return _each(_TEXT[name], values, known)

    def _round(self, node: Any) -> Value:
        """Half away from zero, as in SQL."""
        digits = node.args.get("decimals")
        if digits is not None and not (_is_whole(digits) and int(digits.this) <= MAX_DECIMALS):
            raise TypeError(f"ROUND takes 0 to {MAX_DECIMALS} decimals")
        values, known = self.number(node.this)
        scale = 10.0 ** (int(digits.this) if digits is not None else 0)
        x = values.astype(float)
        scaled = np.abs(x) * scale
        rounded = np.copysign(np.floor(scaled + 0.5) / scale, x)
        return _finite(np.where(scaled < 2.0**52, rounded, x), known)

    def _case(self, node: Any) -> Value:
        branches = [(self.condition(branch.this)[0], self.value(branch.args["true"])) for branch in node.args["ifs"]]
        default = node.args.get("default")
        if default is not None:
            branches.append((np.ones(self.n, dtype=bool), self.value(default)))
        return self._first(branches)

    def _coalesce(self, node: Any) -> Value:
        parts = [self.value(part) for part in (node.this, *node.expressions)]
        return self._first([(known, (values, known)) for values, known in parts])

    def _first(self, branches: Iterable[tuple[Bools, Value]]) -> Value:
        """Of each row the value of the first branch that applies; null without one. All must be of one kind."""
        branches = list(branches)
        kinds = {_family(values) for _, (values, known) in branches if known.any()}
        if len(kinds) > 1:
            raise TypeError(f"CASE and COALESCE need results of one kind, got {' and '.join(sorted(kinds))}")
        dtype = {"text": object, "boolean": bool}.get(next(iter(kinds), "number"), float)
        out = np.full(self.n, "" if dtype is object else 0, dtype=dtype)
        known, open_ = np.zeros(self.n, dtype=bool), np.ones(self.n, dtype=bool)
        for applies, (values, there) in branches:
            here = open_ & applies & there
            out[here] = values[here]
            known |= here
            open_ &= ~applies
        return out, known

    def _cast(self, node: Any) -> Value:
        to = str(node.args["to"].this.name)
        if to not in {"DOUBLE", "FLOAT", "TEXT", "VARCHAR"}:
            raise TypeError(f"CAST AS {to}: only DOUBLE and TEXT are possible")
        values, known = self.value(node.this)
        if to in {"DOUBLE", "FLOAT"}:
            return _finite(_to_number(values, known), known)
        return (values, known) if values.dtype.kind == "O" else _each(_shown, values.tolist(), known)

    def _extract(self, node: Any) -> Value:
        part, source = str(node.this.name).upper(), node.expression
        if part not in _PARTS or type(source).__name__ != "Column":
            raise TypeError("EXTRACT takes hour, dow or month FROM a column of instants")
        values, known = self.column(source.name)
        if values.dtype.kind != "M":
            if known.any():
                raise TypeError(f"EXTRACT FROM {source.name!r}, which holds no instants")
            return np.zeros(self.n), known
        return _PARTS[part](values), known

    _HANDLERS: dict[str, Callable[[ValueEvaluation, Any], Value]] = {  # noqa: RUF012 (constant)
        "Div": _divide,
        "DPipe": _join,
        "Lower": _letters,
        "Upper": _letters,
        "Round": _round,
        "Case": _case,
        "Coalesce": _coalesce,
        "Cast": _cast,
        "Extract": _extract,
    }


def _finite(values: Any, known: Bools) -> Value:
    there = known & np.isfinite(values)
    return np.where(there, values, 0.0), there


def _each(change: Callable[[Any], str], values: Iterable[Any], known: Bools) -> Value:
    out = np.full(len(known), "", dtype=object)
    out[:] = [change(v)[:MAX_TEXT] if there else "" for v, there in zip(values, known.tolist(), strict=True)]
    return out, known


def _family(values: Any) -> str:
    return {"O": "text", "b": "boolean"}.get(values.dtype.kind, "number")


def _is_whole(node: Any) -> bool:
    return type(node).__name__ == "Literal" and not node.is_string and str(node.this).isdecimal()


def _to_number(values: Any, known: Bools) -> Any:
    if values.dtype.kind != "O":
        return values.astype(float)
    rows = zip(values, known.tolist(), strict=True)
    return np.array([float(v) if there and _NUMBER.fullmatch(v) else np.nan for v, there in rows], dtype=float)


def _shown(value: float | bool) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(int(value)) if abs(value) < 1e15 and float(value).is_integer() else str(value)
