"""Files: `tasks.csv` to fill in, answers in `answers/*.csv`. For a spreadsheet, an agency, a desk without a network."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from continual.core.labelling import Answer, Fetched, Task
from continual.labelers import _files
from continual.labelers.base import Desk, Labeler, Offered

#: Name under which the files that were read are remembered, each with the hash of its content.
READ = "read"
#: Answers are compared with the instant they are recorded at when the queue takes them, not here.
_EVER = datetime(9999, 1, 1, tzinfo=UTC)


class Csv(Labeler):
    """`<home>/labelling/<application>/tasks.csv` holds what is open; whoever labels puts files with the columns
    record_key, label and annotator into `answers/` beside it."""

    kind: Literal["csv"] = "csv"

    def offer(self, desk: Desk, tasks: Sequence[Task]) -> Offered:
        path = desk.folder / _files.TASKS
        _files.write_tasks(path, tasks, desk.question)
        (desk.folder / "answers").mkdir(parents=True, exist_ok=True)
        return Offered(f"{len(tasks):,} rows to label in {path}; put answers into {path.parent / 'answers'}")

    def fetch(self, desk: Desk) -> Fetched:
        seen: dict[str, str] = json.loads(desk.memory.get(READ, "{}"))
        answers: list[Answer] = []
        refused: list[tuple[dict[str, Any], str]] = []
        for path in sorted((desk.folder / "answers").glob("*.csv")):
            mark = hashlib.sha256(path.read_bytes()).hexdigest()[:16]
            if seen.get(path.name) == mark:
                continue
            found = self._read(path, desk)
            answers += found.answers
            refused += [(row, f"{path.name}, {why}") for row, why in found.refused]
            seen[path.name] = mark
        return Fetched(tuple(answers), tuple(refused), {READ: json.dumps(seen)})

    def _read(self, path: Path, desk: Desk) -> _files.Read:
        try:
            return _files.read_answers(path, desk.question, _EVER)
        except ValueError as error:
            return _files.Read(refused=[({"file": path.name}, str(error))])
