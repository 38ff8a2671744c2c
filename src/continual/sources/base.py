"""What every source can do: list the batches of a stream by day, read one."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import asdict, dataclass
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from continual.core.family import Family, Strategy
from continual.errors import BatchError, ContinualError

if TYPE_CHECKING:
    import pyarrow as pa

SOURCES = Family("source", "continual.sources")
Stream = Literal["predictions", "labels"]


class SourceUnavailable(ContinualError):
    """The place that batches come from does not answer now. No `BatchError`: no batch is refused for it, the task is
    tried again."""


class MixedKinds(BatchError):
    """Columns of a batch hold numbers and text. Its rows could be read and come along, so that they are kept.

    columns: their names. rows: (n, ...) as read, these columns as text.
    """

    def __init__(self, must: str, got: str, remedy: str, columns: tuple[str, ...], rows: pa.Table) -> None:
        super().__init__(must, got, remedy)
        self.columns, self.rows = columns, rows


@dataclass(frozen=True)
class BatchRef:
    """One delivered batch, by content.

    name: stable name inside its stream. date: UTC day its rows belong to (predictions) or became known (labels).
    locator: where `read` finds it; opaque to everybody else. content_hash: SHA-256 (hex) of what identifies its
    content (a file: its bytes; a day of a table: its counts and sums), empty when it could not be read (`read` then
    raises). n_bytes: its size, 0 where only the rows have one.
    """

    stream: Stream
    name: str
    date: date
    locator: str
    content_hash: str
    n_bytes: int

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "date": self.date.isoformat()}


class Source(Strategy):
    """Where the predictions and labels of an application are delivered."""

    family: ClassVar[Family] = SOURCES

    @abstractmethod
    def batches(self, stream: Stream, until: datetime, home: Path) -> list[BatchRef]:
        """All batches of days that ended by `until`, oldest first, then by name.

        Late ones (an old day, delivered after newer days) are listed like any other; the caller knows what it has
        taken in. home: folder of the deployment; relative locations start there.

        Raises
        ------
        BatchError: something was delivered whose day cannot be known, or the policy names what is not there.
        SourceUnavailable: the place does not answer.
        """

    @abstractmethod
    def read(self, ref: BatchRef) -> pa.Table:
        """The rows of one batch.

        Raises
        ------
        BatchError: it cannot be read, or its content is no longer what was listed.
        SourceUnavailable: the place does not answer.
        """
