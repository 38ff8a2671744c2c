"""Rows as clients send them -> rows as the loop logs them, or a sentence about the first thing that is wrong."""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from continual.errors import BatchError

if TYPE_CHECKING:
    from continual.policy.models import Policy

Row = dict[str, Any]
_OWN = ("record_key", "event_time")
_LONGEST_KEY = 256


@dataclass(frozen=True)
class RowRules:
    """What a row may hold. required: features of the policy, null allowed; kinds: text or number, where known."""

    application: str
    required: tuple[str, ...]
    allowed: frozenset[str]
    kinds: Mapping[str, str]

    @classmethod
    def of(cls, policy: Policy) -> RowRules:
        kinds = {
            **dict.fromkeys(policy.features.numeric, "number"),
            **dict.fromkeys(policy.features.categorical, "text"),
        }
        return cls(policy.application, tuple(policy.features.all), frozenset({*policy.columns, *_OWN}), kinds)

    def checked(self, rows: Sequence[Any], now: datetime) -> list[Row]:
        """Copies with record_key and event_time (ISO, UTC) set; a row without a key is given one.

        Raises
        ------
        BatchError: names the row, the column and what it may be.
        """
        return [self._checked(number, row, now) for number, row in enumerate(rows)]

    def _checked(self, number: int, row: Any, now: datetime) -> Row:
        where = f"rows[{number}]"
        if not isinstance(row, dict):
            raise _wrong("Every row must be an object.", f"{where} is {type(row).__name__}.", "send one object a row.")
        unknown = row.keys() - self.allowed
        if unknown:
            raise self._unknown(where, sorted(unknown)[0])
        missing = [name for name in self.required if name not in row]
        if missing:
            must = f"Every row must have the features of {self.application}."
            raise _wrong(must, f"{where} has no {', '.join(missing)}.", "send null where a value is not known.")
        values = {name: self._value(where, name, value) for name, value in row.items() if name not in _OWN}
        return {"record_key": _key(where, row), "event_time": _instant(where, row, now), **values}

    def _value(self, where: str, name: str, value: Any) -> Any:
        kind = self.kinds.get(name)
        if value is None or (isinstance(value, str) and kind != "number"):
            return value
        if isinstance(value, bool) and kind is None:
            return value
        if kind != "text" and _finite(value):
            return float(value)
        must = (
            f"{name} must be {'text' if kind == 'text' else 'a finite number' if kind else 'a number or text'} or null."
        )
        raise _wrong(
            must, f"{where}: {str(value)[:60]!r}.", "correct the row; none of the request's rows was answered."
        )

    def _unknown(self, where: str, name: str) -> BatchError:
        near = difflib.get_close_matches(name, sorted(self.allowed), n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        must = f"Columns must be features or tags of {self.application}."
        return _wrong(must, f"{where} has {name[:60]!r}.", f"{hint}Known: {', '.join(sorted(self.allowed))}.")


def _key(where: str, row: Row) -> str:
    key = row.get("record_key")
    if key is None:
        return uuid4().hex
    if not isinstance(key, str) or not key.strip() or len(key) > _LONGEST_KEY:
        must = f"record_key must be text of 1 to {_LONGEST_KEY} characters."
        raise _wrong(must, f"{where}: {str(key)[:60]!r}.", "send the key that the label will come under.")
    return key


def _instant(where: str, row: Row, now: datetime) -> str:
    given = row.get("event_time")
    if given is None:
        return now.isoformat()
    try:
        instant = datetime.fromisoformat(str(given))
        told = instant.astimezone(UTC).isoformat() if instant.tzinfo else None
    except (ValueError, OverflowError):  # the first and last hours of the calendar have no UTC
        told = None
    if told is None:
        must = "event_time must be an ISO instant with a time zone, such as 2013-08-01T06:00:00+00:00."
        raise _wrong(must, f"{where}: {str(given)[:60]!r}.", "leave it out: it is then the time of the request.")
    return told


def _finite(value: Any) -> bool:
    """A number that a float holds: JSON's whole numbers have no bound."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(float(value))
    except OverflowError:
        return False


def checked_labels(labels: Sequence[Any], now: datetime) -> list[Row]:
    """Labels as the loop logs them: record_key, value, source, known_at.

    Raises
    ------
    BatchError: names the label and the field.
    """
    return [_label(number, label, now) for number, label in enumerate(labels)]


def _label(number: int, label: Any, now: datetime) -> Row:
    where = f"labels[{number}]"
    if not isinstance(label, dict) or not {"record_key", "value"} <= label.keys() <= {*_LABEL_FIELDS}:
        must = "A label must be an object with record_key and value, and maybe source and known_at."
        raise _wrong(must, f"{where}: {str(label)[:60]!r}.", "correct it; none of the request's labels was taken.")
    value = label["value"]
    if not _finite(value):
        raise _wrong("A label's value must be a finite number.", f"{where}: {str(value)[:60]!r}.", "correct it.")
    source = label.get("source") or "feedback"
    known = _instant(where, {"event_time": label.get("known_at")}, now)
    return {"record_key": _key(where, label), "value": float(value), "source": str(source)[:100], "known_at": known}


_LABEL_FIELDS = ("record_key", "value", "source", "known_at")


def _wrong(must: str, got: str, remedy: str) -> BatchError:
    return BatchError(must, got, remedy)
