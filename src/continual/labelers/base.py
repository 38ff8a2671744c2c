"""What every labeler can do: take rows that need a label to the people who label, and bring their answers back."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from continual.core.family import Family, Strategy
from continual.core.labelling import Fetched, Question, Task

LABELERS = Family("labeler", "continual.labelers")


@dataclass(frozen=True)
class Desk:
    """Where a labeler works. folder: its own, under the deployment's home. memory: what its last call returned."""

    app: str
    question: Question
    folder: Path
    memory: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Offered:
    """said: one sentence about what happens next. memory: to be remembered; names that are not given stay."""

    said: str
    memory: Mapping[str, str] = field(default_factory=dict)


class Labeler(Strategy):
    """Backend of the label queue. The queue is in the evaluation store: a labeler may forget everything."""

    family: ClassVar[Family] = LABELERS
    #: False: labels come by themselves, nobody is asked.
    asks: ClassVar[bool] = True

    @abstractmethod
    def offer(self, desk: Desk, tasks: Sequence[Task]) -> Offered:
        """Put rows before annotators; called again with the same rows it adds none.

        Raises
        ------
        LabelerError: the backend does not answer or refuses.
        """

    @abstractmethod
    def fetch(self, desk: Desk) -> Fetched:
        """Answers that came since the last fetch; one that is brought twice does no harm.

        Raises
        ------
        LabelerError: as `offer`.
        """
