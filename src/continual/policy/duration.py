"""Durations as people write them: `36h`, `91d`, `2w`, `15m`."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_PATTERN = r"^(\d+)([smhdw])$"


def parse(value: Any) -> timedelta:
    if isinstance(value, timedelta):
        return value
    match = re.match(_PATTERN, str(value).strip())
    if not match:
        raise ValueError(f"must be a number and a unit s, m, h, d or w such as '36h' or '91d', got {value!r}")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


def spell(value: timedelta) -> str:
    """The largest unit that divides `value`."""
    seconds = int(value.total_seconds())
    for unit, size in (("w", 604_800), ("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds and seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


Duration = Annotated[
    timedelta,
    BeforeValidator(parse),
    PlainSerializer(spell, return_type=str),
    WithJsonSchema({"type": "string", "pattern": _PATTERN, "examples": ["36h", "91d"]}),
]
