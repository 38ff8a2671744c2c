"""YAML text -> plain data plus the line of every value, so that an error can point at it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import yaml

from continual.errors import PolicyError

Path = tuple[str | int, ...]


@dataclass(frozen=True)
class Document:
    """data: mapping as read. lines: path of keys and indices -> line number, 1-based."""

    data: dict[str, Any]
    lines: dict[Path, int]

    def locate(self, path: Path) -> tuple[Path, int]:
        """The longest prefix of `path` that stands in the file, and its line."""
        known = tuple(path)
        while known and known not in self.lines:
            known = known[:-1]
        return known, self.lines.get(known, 1)

    def value_at(self, path: Path) -> Any:
        value: Any = self.data
        for key in path:
            try:
                value = value[key]
            except (KeyError, IndexError, TypeError):
                return None
        return value


def read_document(text: str, name: str) -> Document:
    """Parse YAML with safe types only.

    Raises
    ------
    PolicyError: not YAML, not a mapping, or a key written twice (YAML would silently keep the last).
    """
    try:
        root = yaml.compose(text, Loader=yaml.CSafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise PolicyError(
            "A policy file must be valid YAML.",
            f"{name}, line {line}: {error.problem}.",
            "check the indentation and quotes on that line and the one before.",
        ) from error
    if not isinstance(root, yaml.MappingNode):
        raise PolicyError(
            "A policy file must be a mapping of fields.", f"{name}: no mapping.", "start from configs/flights.yaml."
        )
    lines: dict[Path, int] = {}
    data = _build(root, (), lines, yaml.CSafeLoader(""), name)
    return Document(data, lines)


def _build(node: yaml.Node, path: Path, lines: dict[Path, int], loader: Any, name: str) -> Any:
    lines.setdefault(path, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        return _mapping(node, path, lines, loader, name)
    if isinstance(node, yaml.SequenceNode):
        return [_build(item, (*path, i), lines, loader, name) for i, item in enumerate(node.value)]
    return loader.construct_object(node)


def _mapping(node: yaml.MappingNode, path: Path, lines: dict[Path, int], loader: Any, name: str) -> Any:
    out: dict[str, Any] = {}
    for key_node, value_node in node.value:
        key = str(loader.construct_object(key_node))
        line = key_node.start_mark.line + 1
        if key in out:
            raise PolicyError(
                "A field must be written once.", f"{name}, line {line}: {key!r} again.", "remove one of the two."
            )
        lines[(*path, key)] = line
        out[key] = _build(value_node, (*path, key), lines, loader, name)
    return out
