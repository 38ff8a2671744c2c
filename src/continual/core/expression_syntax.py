"""Text a person wrote -> a syntax tree in which every node and argument is on a list. Nothing is ever executed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from continual.errors import SliceError

MAX_LENGTH = 1000
MAX_DEPTH = 32
_BINARY = frozenset({"this", "expression"})
_COMPARISONS = ("EQ", "NEQ", "GT", "GTE", "LT", "LTE")
#: Node -> its arguments. Other nodes are refused, and so are other arguments: SYMMETRIC, a table name, a subquery.
PREDICATE_NODES: dict[str, frozenset[str]] = dict.fromkeys(
    (*_COMPARISONS, "Add", "Sub", "Mul", "Mod", "And", "Or", "Is"), _BINARY
) | {
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


@dataclass(frozen=True, eq=False)
class Grammar:
    """What may be written. nodes: sqlglot node -> its arguments; must, remedy: words of the error."""

    nodes: Mapping[str, frozenset[str]]
    must: str
    remedy: str

    def refusal(self, text: str, got: str) -> SliceError:
        return SliceError(self.must, f"{got} in {text[:200]!r}.", self.remedy)

    def check_text(self, text: str) -> None:
        """Raises SliceError: empty, too long, or with a control character."""
        if not text.strip() or len(text) > MAX_LENGTH:
            raise self.refusal(text, f"{len(text)} characters (1 to {MAX_LENGTH} allowed)")
        if not " ".join(text.split()).isprintable():
            raise self.refusal(text, "a control character")

    def tree(self, text: str) -> Any:
        """The checked syntax tree, cached.

        Raises
        ------
        SliceError: not parseable, too deep, or a construct that is not listed; with the character where it stands.
        """
        return _tree(self, text)

    def check_node(self, node: Any, text: str) -> None:
        name = type(node).__name__
        if name not in self.nodes:
            raise self.refusal(text, f"{name} is not allowed{_at(node)}")
        if node.depth > MAX_DEPTH:
            raise self.refusal(text, f"nesting (or a chain of AND, OR) deeper than {MAX_DEPTH}")
        extra = [key for key, value in node.args.items() if value and key not in self.nodes[name]]
        if extra or node.comments:
            raise self.refusal(text, f"{name} with {extra[0] if extra else 'a comment'} {node.sql()[:60]}{_at(node)}")
        if name == "In" and not node.expressions:
            raise self.refusal(text, f"IN without a list of constants{_at(node)}")


def _at(node: Any) -> str:
    """Where the leftmost part of `node` that remembers its place stands in the text."""
    places = [part.meta["start"] for part in node.walk() if "start" in part.meta]
    return f" near character {min(places) + 1}" if places else ""


@lru_cache(maxsize=4096)
def _tree(grammar: Grammar, text: str) -> Any:
    import sqlglot
    from sqlglot.errors import SqlglotError

    try:
        tree = sqlglot.parse_one(text)
    except (SqlglotError, RecursionError) as error:
        raise grammar.refusal(text, f"unreadable: {str(error).splitlines()[0][:120]}") from error
    for node in tree.walk():
        grammar.check_node(node, text)
    return tree


def columns_of(node: Any) -> tuple[str, ...]:
    """Column names below a node, sorted; remembered on the node."""
    found: tuple[str, ...] | None = node.meta.get("columns_read")
    if found is None:
        found = tuple(sorted({n.name for n in node.walk() if type(n).__name__ == "Column"}))
        node.meta["columns_read"] = found
    return found
