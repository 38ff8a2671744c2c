"""What every behaviour test can do: probe a candidate on recent rows, say how far it is from its limit."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import numpy.typing as npt
from pydantic import Field

from continual.core.family import Family, Strategy
from continual.core.verdict import BehaviourEvidence
from continual.errors import ContinualError

if TYPE_CHECKING:
    import pandas as pd

Floats = npt.NDArray[np.float64]
#: Rows -> answers, (n,) or (n, K); raises ContinualError where it cannot.
Scorer = Callable[["pd.DataFrame"], Floats]

BEHAVIOURS = Family("behaviour", "continual.behaviours")


@dataclass(frozen=True)
class Subject:
    """Who is probed. rows: recent rows as logged. size: bytes of a version's artifact, None = unknown.

    champion: None while there is none. seconds: a clock that only ever goes forward; seed: of added noise.
    """

    rows: pd.DataFrame
    candidate: Scorer
    champion: Scorer | None
    size: Callable[[Scorer], int | None]
    seconds: Callable[[], float]
    seed: int


@dataclass(frozen=True)
class Measured:
    """The test holds when value <= limit. value None: not measurable; applies False: it needs a champion to be."""

    value: float | None
    limit: float
    says: str
    applies: bool = True


class Behaviour(Strategy):
    """A property the candidate must have whatever its metrics say; measured once, judged by the gate."""

    family: ClassVar[Family] = BEHAVIOURS

    name: str = Field("", max_length=80, description="Name in verdicts and reports; empty: made from the fields.")

    @property
    def label(self) -> str:
        """Name that stands for this test in verdicts."""
        return self.name or self.default_name()

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns it changes; they must be features or tags of the policy."""
        return ()

    @abstractmethod
    def default_name(self) -> str:
        """A name made from the fields that tell this test from others of its kind."""

    @abstractmethod
    def measure(self, subject: Subject) -> Measured:
        """Probe the candidate.

        Raises
        ------
        ContinualError: the candidate cannot score the changed rows, or a column is missing.
        """

    @property
    @abstractmethod
    def limit(self) -> float:
        """Largest value that holds."""


def probe(behaviour: Behaviour, subject: Subject) -> BehaviourEvidence:
    """The frozen result; a test that cannot run is evidence too, and does not hold."""
    try:
        missing = [name for name in behaviour.columns if name not in subject.rows.columns]
        found = _unable(behaviour, missing, len(subject.rows)) or behaviour.measure(subject)
    except ContinualError as error:
        found = Measured(None, behaviour.limit, f"could not run: {error}")
    if found.value is not None and not math.isfinite(found.value):
        found = Measured(None, behaviour.limit, f"gave no finite number ({found.value})")
    sentence = f"{behaviour.label}: {found.says}"
    return BehaviourEvidence(
        behaviour.label, behaviour.kind, found.value, found.limit, len(subject.rows), sentence, found.applies
    )


def _unable(behaviour: Behaviour, missing: Sequence[str], rows: int) -> Measured | None:
    if missing:
        return Measured(None, behaviour.limit, f"could not run: the rows have no column {', '.join(missing)}")
    return None if rows else Measured(None, behaviour.limit, "could not run: there are no recent rows")


def at_share(values: Floats, share: float) -> float:
    """The smallest v such that at least `share` of the values are <= v; values (n,), n > 0, share in (0, 1]."""
    ordered = np.sort(values)
    return float(ordered[max(math.ceil(share * len(ordered) - 1e-9), 1) - 1])


def moves(after: Floats, before: Floats) -> Floats:
    """(n,) largest absolute change of each row's answer, over the classes where there are several."""
    change = np.abs(after - before)
    return np.asarray(change.max(axis=1) if change.ndim == 2 else change)


def same_names(behaviours: Sequence[Behaviour]) -> Iterator[tuple[int, str]]:
    """Position and label of every test whose label an earlier one has."""
    seen: set[str] = set()
    for i, one in enumerate(behaviours):
        if one.label in seen:
            yield i, one.label
        seen.add(one.label)
