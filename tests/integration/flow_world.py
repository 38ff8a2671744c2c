"""One deployment of `loans` with a real MLflow server, SQLite, Iceberg and Great Expectations.

Stages of its history are built once and put back before every test.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from flow_loans import APP, POLICY, Change, applications, day, days, labels
from flow_server import Server, copy_database, free_port

from continual.core.window import Window
from continual.errors import ContinualError
from continual.flows import curate, evaluate, ingest, judge, monitor, promote, roll_back, settle, train, trigger, verify
from continual.flows.log_rows import log_table
from continual.flows.serving_check import load_version
from continual.flows.workspace import Outcome, Workspace
from continual.models.artifact import load_model, score
from continual.models.registry import Registry
from continual.settings import Settings


@dataclass
class World:
    """One deployment. run: who acts."""

    settings: Settings

    @property
    def home(self) -> Path:
        return self.settings.home

    @property
    def config(self) -> Path:
        return self.settings.configs / f"{APP}.yaml"

    def ws(self, run: str = "test", policy: str | None = None) -> Workspace:
        return Workspace.open(APP, policy, run, self.settings)

    def edit(self, old: str, new: str) -> None:
        text = self.config.read_text()
        assert text.count(old) == 1
        self.config.write_text(text.replace(old, new))

    # --- the outside world ---

    def deliver(
        self, number: int, stream: str = "predictions", rows: pd.DataFrame | None = None, name: str = ""
    ) -> Path:
        """A day's file of a stream; rows: instead of the usual ones; name: what follows the day in the file's name."""
        usual = self.served if stream == "predictions" else labels
        made = usual(number) if rows is None else rows
        path = self.home / "landing" / stream / f"{day(number):%Y-%m-%d}{name}.parquet"
        made.to_parquet(path, index=False)
        return path

    def served(self, number: int, change: Change | None = None) -> pd.DataFrame:
        """What the serving system logs that day: the present champion's answers, null without one."""
        frame = applications(number, change).drop(columns=["value", "known_at"])
        champion = self.champion()
        if champion is None:
            return frame.assign(model_version=None, prediction=np.nan)
        ws = self.ws()
        probability = score(load_version(ws, champion), frame, ws.policy.features.all)
        return frame.assign(model_version=champion, prediction=probability)

    def log(self, first: int, last: int, change: Change | None = None) -> None:
        """Days [first, last) straight into the log: what ingest would make of them, without its checks."""
        import pyarrow as pa

        ws, numbers = self.ws(), range(first, last)
        rows = [log_table(ws.policy, "predictions", self.served(n, change), f"p{n}", day(n + 1)) for n in numbers]
        truth = [log_table(ws.policy, "labels", labels(n, change), f"l{n}", day(n + 2)) for n in numbers]
        ws.log.append_predictions(pa.concat_tables(rows), f"p{first}-{last}")
        ws.log.append_labels(pa.concat_tables(truth), f"l{first}-{last}")

    # --- the flows, as the DAGs call them ---

    def ingest(self, first: float, last: float) -> Outcome:
        """validate, append, publish of one run."""
        window = days(first, last)
        validated = ingest.validate(self.ws(), window, window.end)
        ingest.append(self.ws(), validated.data["accepted"], window.end)
        return ingest.publish(self.ws(), validated.data["refused"], {})

    def candidate(self, as_of: datetime) -> evaluate.Trained:
        made = curate.curate(self.ws(), as_of, "test").data
        found = train.train(self.ws(), made["dataset"], made["trainers"][0]).data
        return evaluate.Trained(found["version"], found["trainer"], found["validation"])

    def judged(self, as_of: datetime) -> dict[str, Any]:
        """curate, train, evaluate, judge; data of the verdict."""
        evaluated = evaluate.evaluate(self.ws(), [self.candidate(as_of)], as_of)
        return judge.judge(self.ws(), evaluated.data["evaluation"]).data

    def retrain(self, as_of: datetime) -> Outcome:
        outcome = promote.promote(self.ws(), self.judged(as_of)["verdict"])
        verify.verify(self.ws(), as_of)
        return outcome

    def watch(self, as_of: datetime) -> dict[str, Any]:
        settle.measure(self.ws(), Window(as_of - timedelta(days=1), as_of), as_of)
        found = monitor.watch(self.ws(), as_of)
        decided = trigger.decide(self.ws(), as_of, bool(found.data.get("alarm")))
        return {**found.data, "reason": found.reason, "retrain": decided.data["retrain"]}

    def roll_back(self, champion: str, as_of: datetime, to: str | None = None) -> Outcome:
        request = roll_back.RollbackRequest(champion, "asked by a test", to)
        return roll_back.roll_back(self.ws(), request, as_of)

    # --- what there is, read afresh ---

    @property
    def registry(self) -> Registry:
        return Registry(self.settings.tracking_uri, APP)

    def champion(self) -> str | None:
        return self.registry.champion()

    def history(self) -> list[tuple[str, str]]:
        return [(reign.kind, reign.version) for reign in self.ws().champions.read()]

    def check(self, champion: str) -> None:
        """One champion, the same by alias, ledger, history and table of versions; the ledger is whole."""
        ws = self.ws()
        current = ws.champions.current()
        assert current is not None
        moves = [e for kind in ("champion", "adopted") for e in ws.ledger.entries(kind=kind)]
        last = max(moves, key=lambda e: e.seq)
        assert last.evidence.get("target", last.evidence.get("to")) == champion
        assert (self.champion(), current.version, current.decision_key) == (champion, champion, last.key)
        assert [v.version for v in ws.versions.versions(state="champion")] == [champion]
        assert len(moves) == len(ws.champions.read())
        ws.ledger.verify()

    def dump(self) -> dict[str, Any]:
        """Everything that is stored, without audit stamps: two equal dumps = nothing changed."""
        client = self.registry.client
        with sqlite3.connect(self.home / "store" / "continual.db") as connection:
            names = [n for (n,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            tables = {n: pd.read_sql_query(f"SELECT * FROM {n}", connection) for n in names if n != "lock"}
        out: dict[str, Any] = {
            name: sorted(map(str, table.drop(columns="recorded_at", errors="ignore").values.tolist()))
            for name, table in tables.items()
        }
        log, everything, ever = self.ws().log, days(-40, 400), day(400)
        out["predictions"] = log.read_predictions(everything, ever).astype(str).values.tolist()
        out["labels"] = log.read_labels(None, ever).astype(str).values.tolist()
        out["quarantine"] = log.read_quarantine().astype(str).values.tolist()
        out["aliases"] = self.registry.aliases()
        versions = client.search_model_versions(f"name = '{APP}'")
        out["registered"] = sorted((str(v.version), v.run_id, sorted(v.tags.items()), v.description) for v in versions)
        experiment = client.get_experiment_by_name(APP)
        runs = client.search_runs([experiment.experiment_id]) if experiment else []
        out["runs"] = sorted((r.info.run_id, r.info.status, sorted(r.data.metrics.items())) for r in runs)
        return out

    def logged(self) -> tuple[int, int]:
        """Rows of predictions and of label rows in the log, repeated ones counted."""
        catalog = self.ws().log._catalog
        tables = [catalog.load_table((APP, name)) for name in ("predictions", "labels")]
        counts = [table.scan(selected_fields=("record_key",)).to_arrow().num_rows for table in tables]
        return counts[0], counts[1]

    def let_leases_run_out(self) -> None:
        """As if the lease's seconds had passed."""
        with sqlite3.connect(self.home / "store" / "continual.db") as connection:
            connection.execute("UPDATE lock SET expires_at = '2020-01-01 00:00:00.000000'")

    def without_mlflow(self) -> World:
        """The same deployment while nothing listens where MLflow should be."""
        return World(replace(self.settings, tracking_uri=f"http://127.0.0.1:{free_port()}"))

    def artifact(self, version: str) -> Path:
        """Folder of a version's artifacts on the server's disk."""
        source = self.registry.version(version).source
        found = list((self.home.parent / "mlflow" / "artifacts").glob(f"*/models/{source.removeprefix('models:/')}"))
        assert len(found) == 1
        return found[0] / "artifacts"


class Stages:
    """History up to a point, kept aside and put back at the same paths (Iceberg's metadata hold absolute ones)."""

    def __init__(self, root: Path, server: Server) -> None:
        self.root, self.server = root, server
        home = root / "home"
        settings = Settings.from_environment({"CONTINUAL_HOME": str(home), "CONTINUAL_CONFIGS": str(home / "configs")})
        self.world = World(replace(settings, tracking_uri=server.uri))
        self._build: dict[str, Callable[[], None]] = {
            "empty": self._empty,
            "logged": self._logged,
            "champion": self._champion,
            "judged": self._judged,
            "promoted": self._promoted,
        }

    def add(self, name: str, build: Callable[[], None]) -> None:
        """A stage of a test file's own; `build` leaves the world as it should be kept."""
        known = self._build.get(name, build)
        assert known.__module__ == build.__module__, f"stage {name!r} of {known.__module__}: take another name"
        self._build[name] = build

    def __call__(self, name: str) -> World:
        """The world as it was at the end of stage `name`; what a test did since is gone."""
        if not (self.root / name).exists():
            self._build[name]()
            self._keep(name)
        self._put_back(name)
        load_model.cache_clear()
        return self.world

    def _empty(self) -> None:
        shutil.rmtree(self.world.home, ignore_errors=True)
        for folder in ("landing/predictions", "landing/labels", "configs"):
            (self.world.home / folder).mkdir(parents=True)
        self.world.config.write_text(POLICY)

    def _logged(self) -> None:
        """Ten days, no model."""
        self("empty").log(0, 10)

    def _champion(self) -> None:
        """Version 1 serves from day 10 to 24, knows nothing of `bureau`."""
        self("logged").retrain(day(10))
        self.world.log(10, 24)

    def _judged(self) -> None:
        """Day 24: version 2 has the verdict 'promote'."""
        verdict = self("champion").judged(day(24))
        (self.world.home / "verdict").write_text(verdict["verdict"])

    def _promoted(self) -> None:
        """Day 24: version 2 is champion, version 1 previous."""
        world = self("judged")
        promote.promote(world.ws(), verdict_of(world))

    def _keep(self, name: str) -> None:
        shutil.copytree(self.world.home, self.root / name / "home")
        copy_database(self.server.folder / "mlflow.db", self.root / name / "mlflow.db")
        artifacts = self.server.folder / "artifacts"
        artifacts.mkdir(exist_ok=True)
        shutil.copytree(artifacts, self.root / name / "artifacts")

    def _put_back(self, name: str) -> None:
        for here, kept in ((self.world.home, "home"), (self.server.folder / "artifacts", "artifacts")):
            shutil.rmtree(here, ignore_errors=True)
            shutil.copytree(self.root / name / kept, here)
        copy_database(self.root / name / "mlflow.db", self.server.folder / "mlflow.db")


def verdict_of(world: World) -> str:
    return (world.home / "verdict").read_text()


def refused(call: Callable[[], Any], error: type[ContinualError], match: str) -> ContinualError:
    """`call` raises `error` with all three sentences."""
    with pytest.raises(error, match=match) as caught:
        call()
    assert caught.value.must and caught.value.got and caught.value.remedy
    return caught.value
