"""A small safe predicate language for slices: SQL comparisons over logged columns.

Parsed with sqlglot, whitelisted node by node, evaluated with numpy under SQL's three-valued logic (a comparison
with null is unknown, and unknown rows are not in the slice). Nothing is ever passed to `eval` or a database.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np

from continual.core.expression_codes import Bools, Columns, column
from continual.core.expression_evaluation import Evaluation
from continual.core.expression_kinds import Kind, stand_ins
from continual.core.expression_syntax import MAX_DEPTH, MAX_LENGTH, PREDICATE_NODES, Grammar, columns_of

__all__ = ["MAX_DEPTH", "MAX_LENGTH", "Kind", "Matcher", "check_kinds", "column", "columns", "mask", "parse"]

_GRAMMAR = Grammar(
    PREDICATE_NODES,
    "A slice predicate must compare columns with constants (= <> < <= > >=, IN, BETWEEN, IS NULL, AND, OR, NOT).",
    "rewrite the predicate, for example: plane_age <= 1 AND carrier IN ('UA', 'AA').",
)


def parse(text: str) -> Any:
    """The checked syntax tree of a predicate that a person wrote.

    Raises
    ------
    SliceError: too long, too deep, not parseable, a construct that is not whitelisted, or no condition.
    """
    _GRAMMAR.check_text(text)
    return _tree(text)


@lru_cache(maxsize=4096)
def _tree(text: str) -> Any:
    tree = _GRAMMAR.tree(text)
    # On one row of nulls: finds what can never be evaluated, whatever the columns hold.
    _answer(text, tree, Evaluation(stand_ins({}), 1))
    return tree


def columns(text: str) -> tuple[str, ...]:
    """Column names a predicate reads, sorted."""
    return columns_of(_tree(text))


def check_kinds(text: str, kinds: Mapping[str, Kind]) -> None:
    """Whether the predicate fits columns of these kinds; a column without a kind fits everything.

    Raises
    ------
    SliceError: bad predicate, text compared with a number, arithmetic on text, or a column of text as a condition.
    """
    _answer(text, _tree(text), Evaluation(stand_ins(kinds), 1))


class Matcher:
    """Predicates over one frame: every column is brought into its compared form, and into codes, once."""

    def __init__(self, frame: Mapping[str, Any], n: int) -> None:
        """frame: columns by name, each of length n."""
        self.frame, self.n = frame, n
        self.columns = Columns(frame, n)

    def mask(self, text: str) -> Bools:
        """(n,) bool: rows that satisfy the predicate.

        Raises
        ------
        SliceError: bad predicate, missing column, or a comparison of text with a number.
        """
        tree = _tree(text)
        missing = [c for c in columns_of(tree) if c not in self.frame]
        if missing:
            known = ", ".join(map(str, list(self.frame)[:30]))
            raise _GRAMMAR.refusal(text, f"unknown column {missing[0]!r} (known: {known})")
        return _answer(text, tree, Evaluation(self.columns.value, self.n, self.columns.groups))


def mask(text: str, frame: Mapping[str, Any], n: int) -> Bools:
    """(n,) bool: rows of `frame` (columns by name, each of length n) that satisfy the predicate; see `Matcher.mask`."""
    return Matcher(frame, n).mask(text)


def _answer(text: str, tree: Any, evaluation: Evaluation) -> Bools:
    """Only what is true is handed out to rows: nobody asks whether the rest is false or unknown."""
    try:
        with np.errstate(all="ignore"):
            if found := evaluation.grouped(tree):
                inner, groups = found
                return inner.condition(tree)[0][groups.index]
            return evaluation.condition(tree)[0]
    except (TypeError, ValueError) as error:
        raise _GRAMMAR.refusal(text, str(error)) from error
