"""What one annotator does at the page, without HTTP: the next row, an answer, taking it back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from continual.core.labelling import Answer, Question, Task
from continual.flows.label_desk import queue_of, reading_of, tasks_of
from continual.flows.label_intake import write_labels
from continual.flows.workspace import Workspace
from continual.stores.clock import Clock, wall_clock

if TYPE_CHECKING:
    from continual.stores.label_memory import Annotators

#: Rows whose columns are read from the log at a time: one scan serves many rows.
AHEAD = 200


@dataclass(frozen=True)
class Sight:
    """What an annotator sees. task: None = nothing to do. waiting: rows that wait for anybody. done: own answers."""

    task: Task | None
    question: Question
    waiting: int
    done: int


class Room:
    """The labelling page's view of one application; tasks are kept once they were read."""

    def __init__(self, workspace: Workspace, clock: Clock = wall_clock) -> None:
        self.workspace, self._clock = workspace, clock
        self._tasks: dict[str, Task] = {}

    @property
    def annotators(self) -> Annotators:
        """Who may come in."""
        from continual.stores.label_memory import Annotators

        return Annotators(self.workspace.db, self.workspace.app)

    def next(self, who: str) -> Sight:
        """The row this person holds, or a new one; it stays theirs for `labelling.lease`."""
        queue = queue_of(self.workspace)
        task = None
        while task is None:
            held = queue.lease(who, 1, self.workspace.policy.labelling.lease)
            if not held:
                break
            task = self._task(held[0].key)
            if task is None:  # it left the log since: erased, or past its retention
                queue.cancel([held[0].key])
        counts, answers = reading_of(self.workspace).counts(), reading_of(self.workspace).answers()
        mine = int(answers.loc[answers["annotator"] == who, "key"].nunique())
        return Sight(task, self.workspace.policy.question, counts["open"] + counts["disputed"], mine)

    def answer(self, who: str, key: str, given: str) -> None:
        """Record an answer and write what is agreed on.

        Raises
        ------
        ValueError: it is no option, or nobody asked about this key.
        """
        value = self.workspace.policy.question.read(given)
        if queue_of(self.workspace).record([Answer(key, who, value, self._clock(), "page")]):
            raise ValueError("nobody asks about this row any more")
        write_labels(self.workspace)

    def last(self, who: str) -> Sight | None:
        """The row this person answered last, to answer it anew; None: there is none."""
        answers = reading_of(self.workspace).answers()
        mine = answers[(answers["annotator"] == who) & (answers["via"] == "page")]
        if mine.empty:
            return None
        task = self._task(str(mine["key"].iloc[-1]))
        return None if task is None else Sight(task, self.workspace.policy.question, 0, int(mine["key"].nunique()))

    def now(self) -> datetime:
        """Of the room's clock."""
        return self._clock()

    def _task(self, key: str) -> Task | None:
        if key not in self._tasks:
            waiting = reading_of(self.workspace).requests(everything=True)
            wanted = waiting[(waiting["key"] == key) | waiting.index.isin(waiting.index[:AHEAD])]
            self._tasks |= {task.key: task for task in tasks_of(self.workspace, wanted)}
        return self._tasks.get(key)
