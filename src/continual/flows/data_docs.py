"""Data Docs of validated batches, kept in the home: a page a batch, the newest ones only."""

from __future__ import annotations

import json
import logging
import os
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from continual.core.window import utc
from continual.expectations.outcome import ValidationOutcome
from continual.expectations.page import page, verdict
from continual.stores.names import checked_app

#: Pages of an application; older ones go. A page shows some of the values that were not expected.
KEEP = 200
_ID = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True)
class Doc:
    """One page. batch: its id. verdict: refused, partly or passed."""

    batch: str
    stream: str
    name: str
    as_of: str
    verdict: str
    reason: str


class DataDocs:
    """The pages of one application under `home`."""

    def __init__(self, home: Path, app: str) -> None:
        self.folder = home / "data_docs" / checked_app(app)

    def keep(
        self, batch: str, stream: str, name: str, as_of: datetime, outcome: ValidationOutcome, report: Any
    ) -> None:
        """Write a batch's page; judged again, it is replaced. That there can be no page stops no ingest."""
        doc = Doc(batch, stream, name, utc(as_of).isoformat(), verdict(outcome), outcome.reason)
        try:
            text = page(report, outcome, f"{stream} {name}")
            self.folder.mkdir(parents=True, exist_ok=True)
            self._write(f"{batch}.html", text)
            self._write(f"{batch}.json", json.dumps(asdict(doc)))
            self._drop(self.list()[KEEP:])
        except Exception:  # a renderer of foreign results, a full disk; the verdict does not depend on it
            logging.getLogger(__name__).exception("no Data Docs page of %s %s", stream, name)

    def forget(self, before: datetime | None = None) -> None:
        """Drop the pages judged before an instant; None: all. A page shows delivered values, not whose they are."""
        limit = None if before is None else utc(before).isoformat()
        self._drop([doc for doc in self.list() if limit is None or doc.as_of < limit])

    def list(self, as_of: str | None = None) -> list[Doc]:
        """Newest first; as_of: only those judged by the run of that instant (ISO)."""
        found = []
        for file in self.folder.glob("*.json"):
            try:
                found.append(Doc(**json.loads(file.read_text(encoding="utf-8"))))
            except (OSError, ValueError, TypeError):
                continue  # pruned or replaced meanwhile
        kept = [doc for doc in found if as_of is None or doc.as_of == as_of]
        return sorted(kept, key=lambda doc: (doc.as_of, doc.stream, doc.name), reverse=True)

    def read(self, batch: str) -> str | None:
        """The page of a batch; None: there is none. Anything that is no batch id names no file."""
        if not _ID.fullmatch(batch):
            return None
        try:
            return (self.folder / f"{batch}.html").read_text(encoding="utf-8")
        except FileNotFoundError:
            return None

    def _write(self, name: str, text: str) -> None:
        unfinished = self.folder / f".{name}.{os.getpid()}"
        unfinished.write_text(text, encoding="utf-8")
        os.replace(unfinished, self.folder / name)

    def _drop(self, docs: Sequence[Doc]) -> None:
        for doc in docs:
            for ending in ("json", "html"):
                (self.folder / f"{doc.batch}.{ending}").unlink(missing_ok=True)
