"""YAML text -> plain data plus the line of every value, so that an error can point at it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import yaml

from continual.errors import PolicyError

Path = tuple[str | int, ...]
MAX_DEPTH = 50


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
    reader = _Reader(name)
    try:
        reader.look_through(text)
        root = yaml.compose(text, Loader=yaml.CSafeLoader)
        if isinstance(root, yaml.MappingNode):
            return Document(reader.value(root, ()), reader.lines)
    except yaml.MarkedYAMLError as error:
        problem = ", ".join(filter(None, [error.context, error.problem]))
        raise reader.not_yaml(_line(error.problem_mark), problem) from error
    except UnicodeEncodeError as error:  # half of a pair, which no file in UTF-8 holds but a form may
        raise reader.not_yaml(text[: error.start].count("\n") + 1, "a character is not allowed") from error
    except yaml.reader.ReaderError as error:
        line = text[: error.position].count("\n") + 1
        raise reader.not_yaml(line, f"character {error.character!r} is not allowed") from error
    line = _line(root.start_mark) if root else 1
    found = "nothing" if root is None else "a list" if isinstance(root, yaml.SequenceNode) else "a single value"
    raise PolicyError(
        "A policy file must be a mapping of fields.",
        f"{name}, line {line}: {found}.",
        "write fields as 'application: flights', one a line; configs/flights.yaml shows all.",
    )


def _line(mark: Any) -> int:
    return mark.line + 1 if mark else 1


class _Reader:
    """Builds plain values from YAML nodes and notes the line of each."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.lines: dict[Path, int] = {}
        self._scalars = yaml.CSafeLoader("")

    def look_through(self, text: str) -> None:
        """Refuse what must not be composed: aliases stand for gigabytes, deep nesting exhausts the C stack."""
        depth = 0
        for event in yaml.parse(text, Loader=yaml.CSafeLoader):
            line = _line(event.start_mark)
            if isinstance(event, yaml.AliasEvent):
                raise PolicyError(
                    "A policy file must not use YAML aliases.",
                    f"{self.name}, line {line}: *{event.anchor}.",
                    "write the value out.",
                )
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > MAX_DEPTH:
                raise self.not_yaml(line, f"nesting deeper than {MAX_DEPTH}")

    def not_yaml(self, line: int, problem: str) -> PolicyError:
        return PolicyError(
            "A policy file must be valid YAML.",
            f"{self.name}, line {line}: {problem}.",
            "check the indentation (spaces, no tabs) and the quotes on that line and the one before.",
        )

    def value(self, node: yaml.Node, path: Path) -> Any:
        line = self.lines.setdefault(path, _line(node.start_mark))
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item, (*path, i)) for i, item in enumerate(node.value)]
        return self._scalar(node, line)

    def _scalar(self, node: yaml.Node, line: int) -> Any:
        try:
            return self._scalars.construct_object(node)
        except ValueError as error:  # 2013-02-30
            raise self.not_yaml(line, f"{node.value!r}: {error}") from error

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        out: dict[str, Any] = {}
        for key_node, value_node in node.value:
            line = _line(key_node.start_mark)
            key = str(self._scalar(key_node, line))
            if key in out:
                raise PolicyError(
                    "A field must be written once.",
                    f"{self.name}, line {line}: {key!r} again.",
                    "remove one of the two.",
                )
            self.lines[(*path, key)] = line
            out[key] = self.value(value_node, (*path, key))
        return out
