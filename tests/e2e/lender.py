"""One application of the deployment: history made by the flows themselves, and what there is, read afresh."""

from __future__ import annotations

import csv
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
from loans import applications, day, deliver, labels, policy, predictions

from continual.core.window import Window
from continual.flows import curate, evaluate, judge, promote, train, verify
from continual.flows.log_rows import log_table
from continual.flows.serving_check import load_version
from continual.flows.workspace import Workspace
from continual.models.artifact import score
from continual.models.registry import Registry
from continual.settings import Settings

EVER = Window(day(-40), day(4000))


@dataclass(frozen=True)
class Lender:
    """An application by name, in the deployment of `settings`."""

    name: str
    settings: Settings

    def ws(self) -> Workspace:
        return Workspace.open(self.name, run="e2e", settings=self.settings)

    @property
    def config(self) -> Path:
        return self.settings.configs / f"{self.name}.yaml"

    def edit(self, old: str, new: str) -> None:
        text = self.config.read_text(encoding="utf-8")
        assert text.count(old) == 1
        self.config.write_text(text.replace(old, new), encoding="utf-8")

    # --- the outside world ---

    def deliver(self, first: int, last: int) -> None:
        """Files of the days [first, last) in the landing folders."""
        for number in range(first, last):
            self.deliver_one("predictions", number, predictions(number, self._serve()))
            self.deliver_one("labels", number, labels(number))

    def deliver_one(self, stream: str, number: int, rows: pd.DataFrame) -> Path:
        return deliver(self.settings.home, self.name, stream, number, rows)

    def fill_in(self, when: datetime) -> list[str]:
        """Somebody answers the file of tasks and puts it where answers go; returns the keys."""
        folder = self.settings.home / "labelling" / self.name
        known = pd.concat([applications(n) for n in range(14, 24)]).set_index("record_key")["value"]
        rows = list(csv.DictReader((folder / "tasks.csv").open(encoding="utf-8-sig")))
        with (folder / "answers" / "anna.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["record_key", "label", "annotator", "answered_at"])
            writer.writerows([[r["record_key"], int(known[r["record_key"]]), "anna", when.isoformat()] for r in rows])
        return [r["record_key"] for r in rows]

    def _serve(self) -> Any:
        ws = self.ws()
        version = ws.registry.champion()
        if version is None:
            return None
        model = load_version(ws, version)
        return lambda rows: (score(model, rows, ws.policy.features.all), version)

    # --- a past that need not be played through Airflow ---

    def past(self, *champions: int) -> Lender:
        """Days 0, 1, ... logged straight, with a promotion on each of these days; the log ends with the last.

        Whatever its policy says about promotions now: then it was `auto`.
        """
        configs = self.settings.home / "past"
        configs.mkdir(exist_ok=True)
        (configs / f"{self.name}.yaml").write_text(policy(self.name))
        then = Lender(self.name, replace(self.settings, configs=configs))
        for first, last in pairwise((0, *champions)):
            then.log(first, last)
            then.retrain(day(last))
        assert [reign.version for reign in self.ws().champions.read()] == [str(i + 1) for i in range(len(champions))]
        return self

    def log(self, first: int, last: int) -> None:
        """Days [first, last) straight into the log, served by the present champion."""
        ws, serve, numbers = self.ws(), self._serve(), range(first, last)
        rows = [log_table(ws.policy, "predictions", predictions(n, serve), f"p{n}", day(n + 1)) for n in numbers]
        truth = [log_table(ws.policy, "labels", labels(n), f"l{n}", day(n + 1)) for n in numbers]
        ws.log.append_predictions(pa.concat_tables(rows), f"p{first}-{last}")
        ws.log.append_labels(pa.concat_tables(truth), f"l{first}-{last}")

    def retrain(self, as_of: datetime) -> None:
        """All of the retrain DAG, without Airflow."""
        made = curate.curate(self.ws(), as_of, "its past").data
        found = train.train(self.ws(), made["dataset"], "boosting").data
        trained = [evaluate.Trained(found["version"], "boosting", found["validation"])]
        judged = judge.judge(self.ws(), evaluate.evaluate(self.ws(), trained, as_of).data["evaluation"])
        promote.promote(self.ws(), judged.data["verdict"])
        verify.verify(self.ws(), as_of)

    # --- what there is, asked of fresh readers ---

    @property
    def aliases(self) -> dict[str, str]:
        return Registry(self.settings.tracking_uri, self.name).aliases()

    def champion(self) -> str | None:
        return self.aliases.get("champion")

    def reasons(self, kind: str) -> list[str]:
        return [entry.reason for entry in self.ws().ledger.entries(kind=kind)]

    def facts(self) -> dict[str, Any]:
        """Everything countable that a repeated run must leave as it is."""
        ws = self.ws()
        registry = Registry(self.settings.tracking_uri, self.name)
        found = registry.client.search_model_versions(f"name = '{self.name}'")
        last = ws.ledger.last()
        return {
            "ledger": (ws.ledger.verify(), last.hash if last else None),
            "champions": [(r.kind, r.version) for r in ws.champions.read()],
            "states": sorted((v.version, v.state) for v in ws.versions.versions()),
            "aliases": registry.aliases(),
            "registered": sorted((str(v.version), v.run_id) for v in found),
            "batches": sorted((b.stream, b.name, b.state, b.rows) for b in ws.batches.batches()),
            "quarantine": sorted((i.id, i.state) for i in ws.batches.items()),
            "evaluations": len(ws.evaluations.read(purpose="gate")),
            "rows": self.rows(),
        }

    def rows(self) -> dict[str, int]:
        """Rows as stored, a label or prediction that came twice counted twice."""
        tables = {s: self.ws().log._log(s).load() for s in ("predictions", "labels", "quarantine")}  # type: ignore[arg-type]
        return {name: table.scan().to_arrow().num_rows if table else 0 for name, table in tables.items()}

    def check_one_champion(self) -> str:
        """Alias, ledger, history and the table of versions say the same; the ledger is whole. Returns the version."""
        ws = self.ws()
        current, served = ws.champions.current(), self.champion()
        assert current is not None
        assert [v.version for v in ws.versions.versions(state="champion")] == [served]
        moves = ws.ledger.entries(kind="champion") + ws.ledger.entries(kind="adopted")
        last = max(moves, key=lambda entry: entry.seq)
        assert (current.version, current.decision_key) == (served, last.key)
        assert last.evidence.get("target", last.evidence.get("to")) == served
        assert len(moves) == len(ws.champions.read())
        ws.ledger.verify()
        return str(served)
