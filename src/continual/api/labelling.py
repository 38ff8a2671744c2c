"""Asking people for labels, from Python: the twin of `continual labelling`."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from continual.core.labelling import Answer
from continual.core.window import utc
from continual.errors import LabelerError
from continual.flows import label_intake, label_quality, label_wait
from continual.flows.ask import ask
from continual.flows.label_budget import account_of
from continual.flows.label_desk import queue_of, reading_of, waiting_tasks
from continual.flows.label_order import Order, price_of
from continual.flows.workspace import Outcome, Workspace

if TYPE_CHECKING:
    import pandas as pd

    from continual.stores.label_memory import Annotators


class Labelling:
    """The label queue of one application. `Application.labelling` opens it.

    as_of: instant of knowledge; a person acts now unless they say another one.
    """

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace

    def ask(
        self, as_of: datetime, *, labels: int | None = None, slice: str | None = None, reason: str = "asked for by hand"
    ) -> Outcome:
        """Draw rows, put them into the queue and before annotators; the budget is charged. labels: how many rows, None
        = what the budget leaves. slice: where, None = where the pending verdict lacks labels.

        Raises
        ------
        Skipped: labels come by themselves, the budget is used up, or there is nothing to ask about. LabelerError: the
        backend does not answer; the rows are in the queue all the same, ask again.
        """
        found = ask(self.workspace, as_of, Order(labels, slice, reason))
        offered = label_wait.offer(self.workspace)
        return Outcome(f"{found.reason}; {offered.reason}", {**found.data, **offered.data})

    def state(self, as_of: datetime) -> dict[str, Any]:
        """Rows by state, and the account of the present budget period.

        Raises
        ------
        Skipped: labels come by themselves.
        """
        account = account_of(self.workspace, as_of)
        _, unit = price_of(self.workspace.policy)
        return {
            "counts": reading_of(self.workspace).counts(),
            "account": {**account.as_dict(), "left": account.left, "kept": account.kept, "unit": unit},
        }

    def queue(self, everything: bool = False) -> pd.DataFrame:
        """Rows that wait for answers, the first to be labelled first; columns of the table `label_request`."""
        return reading_of(self.workspace).requests(everything=everything)

    def answers(self) -> pd.DataFrame:
        """Every answer ever given: key, annotator, value, answered_at, via, decides."""
        return reading_of(self.workspace).answers()

    def export(self, path: Path) -> int:
        """Write what waits into a CSV file to fill in; returns the number of rows."""
        from continual.labelers._files import write_tasks

        tasks = waiting_tasks(self.workspace)
        write_tasks(path, tasks, self.workspace.policy.question)
        return len(tasks)

    def import_answers(self, path: Path, as_of: datetime, annotator: str | None = None) -> Outcome:
        """Take a filled in CSV file; see `flows.label_intake.import_answers`."""
        return label_intake.import_answers(self.workspace, path, as_of, annotator)

    def answer(self, key: str, label: str, annotator: str, answered_at: datetime, *, decides: bool = False) -> Outcome:
        """One answer. label: as people write it ('late', '1', '?' = cannot tell). decides: an adjudication, which
        outweighs all other answers.

        Raises
        ------
        LabelerError: the label is no option, or nobody asked about this key.
        """
        question = self.workspace.policy.question
        try:
            value = question.read(label)
        except ValueError as error:
            raise LabelerError("An answer must be an option.", f"{error}.", "write one of the options.") from error
        said = Answer(key, annotator, value, utc(answered_at), "api", decides)
        if queue_of(self.workspace).record([said]):
            raise LabelerError(
                "Somebody must have asked for the label.",
                f"no request for {key!r}.",
                "see `continual labelling queue`; labels that nobody asked for come with the label stream.",
            )
        written = label_intake.write_labels(self.workspace)
        now = reading_of(self.workspace).asked_of([key]).iloc[0]
        state = f"{key} is {now['state']}"
        return Outcome(
            f"{question.say(value)} by {annotator}: {state}", {"state": now["state"], "written": len(written)}
        )

    def collect(self, as_of: datetime) -> Outcome:
        """Fetch answers from the backend, settle the queue, write agreed labels to the log."""
        return label_intake.collect(self.workspace, as_of)

    def quality(self) -> label_quality.Quality:
        """Agreement, noise rate, and what noise does to the last comparison."""
        return label_quality.quality(self.workspace)

    def suspects(self, as_of: datetime, limit: int = label_quality.REVIEWED) -> pd.DataFrame:
        """Labels of people that the champion finds unlikely; for another look, never for dropping rows."""
        return label_quality.suspects(self.workspace, as_of, limit)

    def review(self, as_of: datetime, limit: int = label_quality.REVIEWED) -> Outcome:
        """Ask one more person about those of them that no longer judge."""
        return label_quality.review(self.workspace, as_of, limit)

    @property
    def annotators(self) -> Annotators:
        """Who may use the labelling page."""
        from continual.stores.label_memory import Annotators

        return Annotators(self.workspace.db, self.workspace.app)
