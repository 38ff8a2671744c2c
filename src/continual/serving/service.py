"""One application behind HTTP: rows in, answers kept in the spool, answers out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import blake2b
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from continual.errors import ContinualError
from continual.serving.meters import Meters
from continual.serving.rows import Row, RowRules, checked_labels
from continual.serving.serves import Served, Serves
from continual.serving.spool import Spool

if TYPE_CHECKING:
    import pandas as pd

    from continual.flows.workspace import Workspace
    from continual.models.artifact import Floats


@dataclass(frozen=True)
class Options:
    """canary: share of record keys that the challenger answers, in [0, 1]. shadow: the challenger answers the rest of
    the rows too, for the log alone."""

    canary: float = 0.0
    shadow: bool = True


class Service:
    """Answers rows with the champion (a share of keys with the challenger) and keeps what was said."""

    def __init__(self, ws: Workspace, serves: Serves, spool: Spool, meters: Meters, options: Options) -> None:
        self.app, self.target = ws.app, ws.policy.label.target
        self.rules = RowRules.of(ws.policy)
        self.serves, self.spool, self.meters, self.options = serves, spool, meters, options

    def answer(self, rows: list[Row]) -> list[Row]:
        """Checked rows -> what a client is told, after it is in the spool. Called by one thread at a time.

        Raises
        ------
        ModelUnavailable: the version has no legal answer. SpoolFull: it could not be kept, so it is not given.
        """
        import pandas as pd

        begun, champion, challenger = perf_counter(), self.serves.champion, self.serves.challenger
        assert champion is not None  # noqa: S101 for the type checker: start() loaded it
        frame = pd.DataFrame(rows, columns=["record_key", *self.rules.required])
        answers, versions = self._answers(frame, champion, challenger)
        told = [self._told(*pair) for pair in zip(rows, versions, answers, strict=True)]
        kept = [{"stream": "predictions", "row": {**row, **said}} for row, said in zip(rows, told, strict=True)]
        self.spool.append([*kept, *self._shadow(rows, frame, versions, challenger)])
        self.meters.batch(len(rows), perf_counter() - begun, versions)
        return [{"record_key": row["record_key"], **said} for row, said in zip(rows, told, strict=True)]

    def _answers(self, frame: pd.DataFrame, champion: Served, challenger: Served | None) -> tuple[Floats, list[str]]:
        answers = self.serves.answers(champion, frame)
        versions = [champion.version] * len(frame)
        if challenger is None or not self.options.canary:
            return answers, versions
        canary = np.flatnonzero([share_of(key) < self.options.canary for key in frame["record_key"]])
        if len(canary):
            answers[canary] = self.serves.answers(challenger, frame.iloc[canary])
        chosen = set(canary.tolist())
        return answers, [challenger.version if n in chosen else champion.version for n in range(len(frame))]

    def _told(self, row: Row, version: str, answer: Any) -> Row:
        if self.target.task != "multiclass":
            return {"model_version": version, "prediction": float(answer)}
        shares = {name: float(p) for name, p in zip(self.target.columns[1:], answer, strict=True)}
        return {"model_version": version, "prediction": float(np.argmax(answer)), **shares}

    def _shadow(
        self, rows: list[Row], frame: pd.DataFrame, versions: list[str], challenger: Served | None
    ) -> list[dict[str, Any]]:
        """Entries of the challenger's answers to rows it did not serve; its failure is nobody's but its own."""
        if challenger is None or not self.options.shadow:
            return []
        silent = [n for n, version in enumerate(versions) if version != challenger.version]
        try:
            answers = self.serves.answers(challenger, frame.iloc[silent])
        except ContinualError:
            self.meters.shadow_failures.inc()
            return []
        known = datetime.now(UTC).isoformat()
        entries = []
        for n, answer in zip(silent, answers, strict=True):
            said = self._told(rows[n], challenger.version, answer)
            row = {"record_key": rows[n]["record_key"], "event_time": rows[n]["event_time"], "known_at": known, **said}
            entries.append({"stream": "scores", "row": row})
        return entries

    def feedback(self, labels: list[Any]) -> int:
        """Keep labels; returns how many.

        Raises
        ------
        BatchError: one of them is none. SpoolFull: nothing was kept.
        """
        rows = checked_labels(labels, datetime.now(UTC))
        self.spool.append([{"stream": "labels", "row": row} for row in rows])
        self.meters.labels.inc(len(rows))
        return len(rows)

    def state(self) -> Mapping[str, Any]:
        """What is served, for those who verify a promotion and those on call."""
        champion, challenger = self.serves.champion, self.serves.challenger
        return {
            "application": self.app,
            "version": champion.version if champion else None,
            "schema": champion.schema if champion else None,
            "inputs": list(champion.inputs) if champion else [],
            "challenger": challenger.version if challenger else None,
            "canary": self.options.canary if challenger else 0.0,
            "problem": self.serves.problem,
            "spool_bytes": self.spool.size,
        }


def share_of(key: str) -> float:
    """A number in [0, 1) that stays with the key: it is always answered by the same version."""
    return int.from_bytes(blake2b(key.encode(), digest_size=7, person=b"canary").digest(), "big") / float(1 << 56)
