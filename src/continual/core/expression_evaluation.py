"""Evaluates a checked syntax tree over n rows under SQL's three-valued logic, with numpy."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from continual.core.expression_codes import Bools, Groups, Value
from continual.core.expression_syntax import columns_of

COMPARE: dict[str, Callable[[Any, Any], Any]] = {
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
Truth = tuple[Bools, Bools]


class Evaluation:
    """Walks one tree over n rows. Conditions are (true, known) pairs; values are (array, known) pairs.

    column: name -> its value. groups: names -> rows by the combinations of their values, or None where it does not
    pay: a condition on few combinations is evaluated on them and handed out to the rows.
    """

    def __init__(
        self,
        column: Callable[[str], Value],
        n: int,
        groups: Callable[[Sequence[str]], Groups | None] | None = None,
    ) -> None:
        self.column, self.n, self.groups = column, n, groups

    def grouped(self, node: Any) -> tuple[Evaluation, Groups] | None:
        """The same evaluation on the combinations of values that `node` reads."""
        groups = self.groups(columns_of(node)) if self.groups else None
        return (type(self)(groups.columns.__getitem__, groups.n), groups) if groups else None

    def condition(self, node: Any) -> Truth:
        if found := self.grouped(node):
            inner, groups = found
            true, known = inner.condition(node)
            return true[groups.index], known[groups.index]
        name = type(node).__name__
        if name == "Paren":
            return self.condition(node.this)
        if name == "Not":
            true, known = self.condition(node.this)
            return known & ~true, known
        if name in {"And", "Or"}:
            return self._logic(name, self.condition(node.this), self.condition(node.expression))
        if name in COMPARE:
            return self._compare(COMPARE[name], self.value(node.this), self.value(node.expression))
        return self._special(name, node)

    def _special(self, name: str, node: Any) -> Truth:
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
        return self._value_as_condition(name, node)

    def _value_as_condition(self, name: str, node: Any) -> Truth:
        if name not in {"Column", "Boolean", "Null"}:
            raise TypeError(f"{name} is a value, not a condition")
        values, known = self.value(node)
        if values.dtype.kind == "O" and known.any():
            raise TypeError("a column of text is no condition")
        return (values != 0) & known, known

    def _is(self, node: Any) -> Truth:
        if type(node.expression).__name__ != "Null":
            raise TypeError("IS takes NULL only")
        _, known = self.value(node.this)
        return ~known, np.ones(self.n, dtype=bool)

    @staticmethod
    def _logic(name: str, a: Truth, b: Truth) -> Truth:
        (ta, ka), (tb, kb) = a, b
        if name == "And":
            return ta & tb, (ka & kb) | (ka & ~ta) | (kb & ~tb)
        return ta | tb, (ka & kb) | ta | tb

    @staticmethod
    def _compare(op: Callable[[Any, Any], Any], a: Value, b: Value) -> Truth:
        known = a[1] & b[1]
        if not known.any():
            return known, known
        if (a[0].dtype.kind == "O") != (b[0].dtype.kind == "O"):
            raise TypeError("text is compared with a number")
        return np.asarray(op(a[0], b[0]), dtype=bool) & known, known

    def value(self, node: Any) -> Value:
        name = type(node).__name__
        if name == "Paren":
            return self.value(node.this)
        if name == "Column":
            return self.column(node.name)
        if name in _ARITHMETIC:
            (a, ka), (b, kb) = self.number(node.this), self.number(node.expression)
            out = _ARITHMETIC[name](a.astype(float), b.astype(float))
            return out, ka & kb & ~np.isnan(out)
        if name == "Neg":
            a, known = self.number(node.this)
            return -a, known
        return self._constant(name, node)

    def number(self, node: Any) -> Value:
        values, known = self.value(node)
        if values.dtype.kind == "O":
            if known.any():
                raise TypeError("arithmetic on text")
            return np.zeros(self.n), known
        return values.astype(float) if values.dtype.kind == "b" else values, known

    def _constant(self, name: str, node: Any) -> Value:
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
