"""Durations as people write them: `36h`, `91d`, `2w`, `15m`."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_PATTERN = r"^([0-9]{1,10})([smhdw])$"
_LONGEST = timedelta(days=36_525)


def parse(value: Any) -> timedelta:
    """Read a duration.

    Raises
    ------
    ValueError: not a number and a unit, or more than a hundred years.
    """
    if isinstance(value, timedelta):
        return value
    match = re.match(_PATTERN, str(value).strip())
    if not match:
        raise ValueError(f"must be a number and a unit s, m, h, d or w such as '36h' or '91d', got {value!r}")
    seconds = int(match[1]) * timedelta(**{_UNITS[match[2]]: 1}).total_seconds()
    if seconds > _LONGEST.total_seconds():
        raise ValueError(f"must be at most a hundred years, got {value!r}")
    return timedelta(seconds=seconds)


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
