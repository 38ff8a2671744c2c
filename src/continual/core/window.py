"""Half-open UTC intervals of event time, and the two windows a retrain needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta


def utc(value: datetime | str) -> datetime:
    """A plain datetime in UTC; naive ones are refused because a guessed zone shifts every window.

    Airflow's instants are of a class of its own, which pandas does not compare with.

    Raises
    ------
    ValueError: the instant has no time zone.
    """
    instant = datetime.fromisoformat(value) if isinstance(value, str) else value
    if instant.tzinfo is None:
        raise ValueError(f"an instant needs a time zone, got {value!r}; append 'Z' or '+00:00'")
    at = instant.astimezone(UTC)
    return datetime(at.year, at.month, at.day, at.hour, at.minute, at.second, at.microsecond, UTC)


@dataclass(frozen=True, order=True)
class Window:
    """[start, end) in UTC event time; equals an Airflow data interval."""

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        object.__setattr__(self, "start", utc(self.start))
        object.__setattr__(self, "end", utc(self.end))
        if self.end <= self.start:
            raise ValueError(f"a window must end after it starts, got [{self.start}, {self.end})")

    @property
    def days(self) -> float:
        return (self.end - self.start) / timedelta(days=1)

    def overlaps(self, other: Window) -> bool:
        return self.start < other.end and other.start < self.end

    def as_dict(self) -> dict[str, str]:
        return {"start": self.start.isoformat(), "end": self.end.isoformat()}

    @classmethod
    def from_dict(cls, value: dict[str, str]) -> Window:
        return cls(utc(value["start"]), utc(value["end"]))

    def __str__(self) -> str:
        return f"{self.start:%Y-%m-%d %H:%M}..{self.end:%Y-%m-%d %H:%M}Z".replace(" 00:00", "")


def floor_day(instant: datetime) -> datetime:
    """Midnight UTC at or before `instant`: cells and partitions are days."""
    return utc(instant).replace(hour=0, minute=0, second=0, microsecond=0)


def day_window(day: date) -> Window:
    """A UTC day as a window."""
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return Window(start, start + timedelta(days=1))


def hull(windows: Sequence[Window]) -> Window:
    """The shortest window that holds all of them, at least one."""
    return Window(min(w.start for w in windows), max(w.end for w in windows))


def days_of(window: Window) -> list[date]:
    """The UTC days a window touches, in order."""
    first, last = window.start.date(), (window.end - timedelta(microseconds=1)).date()
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]
