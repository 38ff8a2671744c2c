"""A suite proposed from days of the log, each line with how often it would have failed on the other days."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from continual.core.window import Window, days_of, utc
from continual.errors import NotEnoughData
from continual.expectations.spec import ExpectationSpec
from continual.expectations.suggest import propose, upper
from continual.flows.workspace import Workspace

if TYPE_CHECKING:
    import pandas as pd

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Suggestion:
    """failed: other days on which it would have failed; tried: other days it was tried on. stands: the policy has an
    expectation of this name and column already."""

    stream: str
    spec: ExpectationSpec
    why: str
    failed: tuple[date, ...]
    tried: int
    stands: bool

    @property
    def rate(self) -> float | None:
        """Share of the other days it would have failed on; None: there was none."""
        return len(self.failed) / self.tried if self.tried else None

    @property
    def at_most(self) -> float | None:
        """95% upper bound of that share for days to come."""
        return upper(len(self.failed), self.tried, 0.05) if self.tried else None

    def as_dict(self) -> dict[str, Any]:
        tested = {"failed": [day.isoformat() for day in self.failed], "tried": self.tried}
        rates = {"rate": self.rate, "at_most": self.at_most}
        return {"stream": self.stream, "expectation": self.spec.model_dump(), "why": self.why, **tested, **rates} | {
            "in_policy": self.stands
        }


def suggest(
    ws: Workspace, reference: Window, history: timedelta, as_of: datetime, progress: Progress | None = None
) -> list[Suggestion]:
    """reference: days that were all right. history: how far before and after it days are tried that the proposals have
    not seen, with the real Great Expectations. Rows are those of the log: what was set aside is not among them.

    Raises
    ------
    NotEnoughData: fewer than three days of the reference have rows.
    """
    as_of = utc(as_of)
    whole = Window(reference.start - history, min(reference.end + history, max(as_of, reference.end)))
    out = []
    for stream, read in (("predictions", _predictions), ("labels", _labels)):
        days = read(ws, whole, as_of)
        inside = {day: rows for day, rows in days.items() if day in set(days_of(reference))}
        if len(inside) < 3 and stream == "predictions":
            raise NotEnoughData(
                "Expectations are proposed from three days with rows or more.",
                f"{len(inside)} in {reference}, as known {as_of:%Y-%m-%d}.",
                "name a longer --window, of days that were all right.",
            )
        if len(inside) >= 3:
            others = {day: rows for day, rows in days.items() if day not in inside}
            out += _tried(ws, stream, inside, others, progress)
    return out


def _tried(
    ws: Workspace,
    stream: str,
    inside: Mapping[date, pd.DataFrame],
    others: Mapping[date, pd.DataFrame],
    progress: Progress | None,
) -> list[Suggestion]:
    numbers, texts = _columns(ws, stream)
    proposals = propose(inside, numbers, texts)
    failed = back_test([p.spec for p in proposals], others, progress, stream)
    standing = {(check.name, tuple(check.columns)) for check in getattr(ws.policy.expectations, stream).checks}
    return [
        Suggestion(
            stream=stream,
            spec=proposal.spec,
            why=proposal.why,
            failed=tuple(days),
            tried=len(others),
            stands=(proposal.spec.name, tuple(proposal.spec.columns)) in standing,
        )
        for proposal, days in zip(proposals, failed, strict=True)
    ]


def back_test(
    specs: Sequence[ExpectationSpec],
    days: Mapping[date, pd.DataFrame],
    progress: Progress | None = None,
    what: str = "",
) -> list[list[date]]:
    """Of each expectation the days on which a batch of that day's rows would have failed it."""
    from continual.expectations.spec import ExpectationSuiteSpec
    from continual.expectations.validation import validate

    suite, failed = ExpectationSuiteSpec(checks=tuple(specs)), [list[date]() for _ in specs]
    for done, (day, rows) in enumerate(days.items(), start=1):
        lines = validate(rows.reset_index(drop=True), suite, day.isoformat()).statistics["expectations"]
        for found, line in zip(failed, lines, strict=True):
            if not line["success"]:
                found.append(day)
        if progress:
            progress(done, len(days), f"{what} {day}")
    return failed


def _columns(ws: Workspace, stream: str) -> tuple[list[str], list[str]]:
    if stream == "labels":
        return ["value"], ["source"]
    numbers = [*ws.policy.features.numeric, *ws.policy.features.extra]
    return numbers, [c for c in ws.policy.columns if c not in numbers]


def _predictions(ws: Workspace, window: Window, as_of: datetime) -> dict[date, pd.DataFrame]:
    numbers, texts = _columns(ws, "predictions")
    return _by_day(ws.log.read_predictions(window, as_of, ["event_time", *numbers, *texts]), "event_time")


def _labels(ws: Workspace, window: Window, as_of: datetime) -> dict[date, pd.DataFrame]:
    """By the day they came."""
    frame = ws.log.read_labels(window.start, min(window.end, as_of))
    return _by_day(frame[["known_at", "value", "source"]], "known_at")


def _by_day(frame: pd.DataFrame, time: str) -> dict[date, pd.DataFrame]:
    return {day: rows.drop(columns=time) for day, rows in frame.groupby(frame[time].dt.date)}
