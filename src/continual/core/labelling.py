"""What annotators are asked and what their answers make together: a function of the answers, not of their order."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from statistics import median
from typing import Any

from continual.core.canonical import digest
from continual.core.target import Target


class Use(StrEnum):
    """What a requested label is for. Annotators see a model's answer on training rows only, if at all; such labels
    never judge a model."""

    EVALUATION = "evaluation"
    TRAINING = "training"


class State(StrEnum):
    """Of a request. A row is leased while somebody holds an unexpired lease on it; its state stays open, so that the
    row of an annotator who went away is free again by itself.

    open: waits for answers. disputed: its answers differ, another person is needed. answered: has a label. cancelled:
    nobody can tell, or it was called off. expired: its deadline passed. repeated: an earlier draw asks for it already.
    unchosen: was in the draw and not chosen; its probability counts.
    """

    OPEN = "open"
    DISPUTED = "disputed"
    ANSWERED = "answered"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    REPEATED = "repeated"
    UNCHOSEN = "unchosen"


#: Answers that say 'cannot tell' and no label, after which nobody else is asked.
GIVE_UP = 2


@dataclass(frozen=True)
class Task:
    """One row as an annotator sees it. fields: columns of the log by name, never an answer of a model. guess: the
    model's answer, None unless `use` is training. needed: how many people must answer."""

    key: str
    fields: dict[str, Any]
    use: Use = Use.EVALUATION
    needed: int = 1
    guess: float | None = None

    def __post_init__(self) -> None:
        if self.guess is not None and self.use is not Use.TRAINING:
            raise ValueError("an annotator must not see a model's answer on a row that judges models")


@dataclass(frozen=True)
class Answer:
    """One person's answer. value: the label as the log holds it, None = cannot tell. answered_at: when it was given.
    via: backend it came through. decides: of an adjudicator, whose answer outweighs all others."""

    key: str
    annotator: str
    value: float | None
    answered_at: datetime
    via: str = "page"
    decides: bool = False

    @property
    def id(self) -> str:
        """The same answer twice is one answer, whichever way it came."""
        return digest([self.key, self.annotator, self.value, self.answered_at, self.decides])[:32]


@dataclass(frozen=True)
class Resolution:
    """state: open, disputed, answered or cancelled. value: the label, if answered. known_at: when the last of the
    answers that count was given. votes: people whose answer is a label. reason: a few words."""

    state: State
    value: float | None = None
    known_at: datetime | None = None
    votes: int = 0
    reason: str = ""


@dataclass(frozen=True)
class Fetched:
    """Answers that came back from a backend. refused: (row as it came, why). memory: what the backend must remember."""

    answers: tuple[Answer, ...] = ()
    refused: tuple[tuple[dict[str, Any], str], ...] = ()
    memory: Mapping[str, str] = field(default_factory=dict)


def standing(answers: Iterable[Answer]) -> list[Answer]:
    """The newest answer of every person, in order of person; of two of one instant the smaller value stands, and a
    value before 'cannot tell'."""
    newest: dict[str, Answer] = {}
    for answer in sorted(answers, key=_order):
        newest[answer.annotator] = answer
    return [newest[name] for name in sorted(newest)]


def _order(answer: Answer) -> tuple[datetime, float, str, bool]:
    """Total, so that no tie is left to the order of arrival."""
    value = math.inf if answer.value is None else answer.value
    return answer.answered_at, -value, answer.annotator, answer.decides


def resolve(answers: Sequence[Answer], needed: int, tolerance: float = 0.0) -> Resolution:
    """What the answers to one row say together, whatever the order they came in.

    An adjudicator's newest answer decides. Otherwise `needed` people must have answered: one value is the label; where
    values differ, the one of more than half of at least three people is, else the row is disputed. tolerance: numbers
    this close are one value, and the label is their median. GIVE_UP people who cannot tell and nobody who can:
    cancelled.
    """
    decided = max((a for a in answers if a.decides), key=_order, default=None)
    latest = standing(answers)
    votes = [a for a in latest if a.value is not None]
    if decided is not None:
        return _settled(decided.value, [decided], len(votes), f"decided by {decided.annotator}")
    unsure = len(latest) - len(votes)
    if not votes and unsure >= GIVE_UP:
        return Resolution(State.CANCELLED, None, max(a.answered_at for a in latest), 0, f"{unsure} people cannot tell")
    if len(votes) < max(needed, 1):
        return Resolution(State.OPEN, votes=len(votes), reason=f"{len(votes)} of {needed} answers")
    return _vote(votes, tolerance)


def _vote(votes: Sequence[Answer], tolerance: float) -> Resolution:
    values = sorted(a.value for a in votes if a.value is not None)
    if values[-1] - values[0] <= tolerance:
        agreed = float(median(values)) if tolerance else values[0]
        return _settled(agreed, votes, len(votes), f"{len(votes)} agree" if len(votes) > 1 else "1 answer")
    best, count = min(Counter(values).items(), key=lambda item: (-item[1], item[0]))
    if len(votes) >= 3 and 2 * count > len(votes):
        return _settled(best, votes, len(votes), f"{count} of {len(votes)} agree")
    if len(votes) >= 3 and tolerance:
        return _settled(float(median(values)), votes, len(votes), f"median of {len(votes)}")
    return Resolution(State.DISPUTED, votes=len(votes), reason=f"{len(votes)} answers, {len(set(values))} values")


def _settled(value: float | None, counted: Sequence[Answer], votes: int, reason: str) -> Resolution:
    state = State.CANCELLED if value is None else State.ANSWERED
    return Resolution(state, value, max(a.answered_at for a in counted), votes, reason)


#: What an annotator writes who cannot tell.
UNSURE = ("?", "unsure", "cannot tell", "skip")


@dataclass(frozen=True)
class Question:
    """text: what is asked. options: (name, value as the log holds it), in the order people see; () = a number."""

    text: str
    options: tuple[tuple[str, float], ...] = ()

    @classmethod
    def of(cls, name: str, target: Target, text: str | None = None) -> Question:
        """name: `label.name` of the policy, of a binary label what 1 means."""
        if target.task == "regression":
            return cls(text or f"{name}?")
        names = target.classes or (f"not {name}", name)
        return cls(
            text or (f"{name}?" if not target.classes else name), tuple((n, float(i)) for i, n in enumerate(names))
        )

    def read(self, given: Any) -> float | None:
        """The label that a person wrote, None where they cannot tell. Names in any case, or numbers.

        Raises
        ------
        ValueError: it is neither an option nor, where numbers are asked for, a number.
        """
        text = str(given).strip()
        if text.lower() in UNSURE:
            return None
        by_name = {option.lower(): value for option, value in self.options}
        if text.lower() in by_name:
            return by_name[text.lower()]
        try:
            number = float(text)
        except ValueError:
            raise ValueError(f"{text!r} is none of: {self._allowed()}") from None
        if not math.isfinite(number) or (self.options and number not in by_name.values()):
            raise ValueError(f"{text!r} is none of: {self._allowed()}")
        return number

    def say(self, value: float | None) -> str:
        """The option's name, or the number."""
        if value is None:
            return UNSURE[0]
        names = {number: name for name, number in self.options}
        return names.get(value, f"{value:g}")

    def _allowed(self) -> str:
        return ", ".join([*(name for name, _ in self.options), *([] if self.options else ["a number"]), UNSURE[0]])
