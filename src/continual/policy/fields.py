"""Which fields may stand at a place of a policy file, for 'did you mean'."""

from __future__ import annotations

from types import UnionType
from typing import Any, get_args, get_type_hints

from pydantic import BaseModel

from continual.core.family import InFamily
from continual.policy.document import Document, Path
from continual.policy.models import Policy


def field_names(path: Path, document: Document) -> list[str]:
    """Fields of the section or strategy that `path` leads to; empty where nothing is known."""
    hint: Any = Policy
    for depth, key in enumerate(path):
        hint = _below(hint, key, document.value_at(path[:depth]))
    model = _model(hint, document.value_at(path))
    return list(model.model_fields) if model else []


def _below(hint: Any, key: str | int, value: Any) -> Any:
    if isinstance(key, int):
        return next(iter(get_args(hint)), None)  # list[X] -> X
    model = _model(hint, value)
    return get_type_hints(model, include_extras=True).get(key) if model else None


def _model(hint: Any, value: Any) -> type[BaseModel] | None:
    for mark in getattr(hint, "__metadata__", ()):
        if isinstance(mark, InFamily):
            kind = value.get("kind") if isinstance(value, dict) else None
            return mark.family.get(kind) if isinstance(kind, str) and kind in mark.family.kinds else None
    if isinstance(hint, UnionType):  # a section that may be left out
        hint = next((part for part in get_args(hint) if part is not type(None)), None)
    return hint if isinstance(hint, type) and issubclass(hint, BaseModel) else None
