"""The whole loop for labels that are classes or numbers: ingest, train, judge, promote, measure, watch, compare."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from flow_server import Server

from continual.api import Application
from continual.core.window import Window
from continual.flows import curate, evaluate, ingest, judge, monitor, promote, settle, train, verify
from continual.flows.serving_check import answers
from continual.flows.workspace import Workspace
from continual.settings import Settings

pytestmark = pytest.mark.integration
START = datetime(2024, 1, 1, tzinfo=UTC)
ROWS, TURN = 240, 10
CLASSES = ["calm", "storm", "very bad"]

POLICY = """\
application: {app}
owner: me
active: {{start: 2024-01-01T00:00:00Z}}
source: {{kind: folder, predictions: landing/predictions, labels: landing/labels}}
features: {{numeric: [a, b], categorical: [zone]}}
label: {label}
projections: {{far: "a * a + b * b >= 2"}}
window: {{kind: sliding, length: 8d, evaluation: 4d, min_rows: 500, max_hole: 2d}}
sampler: {{kind: {sampler}}}
labeler: {{kind: stream}}
trainers:
  - {trainer}
slices:
  - {{by: zone}}
  - {{name: far_out, where: far}}
metrics:
{metrics}
gate: {{kind: graded}}
monitor: {{kind: e_detector}}
trigger: {{kind: schedule, every_days: 14}}
"""
SEVERAL = POLICY.format(
    app="weather",
    label="{name: state, lag: 1d, task: multiclass, classes: [calm, storm, very bad]}",
    sampler="uncertainty",
    trainer="name: boosting",
    metrics="""\
  - {kind: log_loss, owner: me, priority: primary, margin: 0.05, floor: 1.2}
  - {kind: f1, owner: me, average: macro, priority: guardrail, margin: 0.05}
  - {kind: accuracy, owner: me}""",
)
NUMBERS = POLICY.format(
    app="bikes",
    label="{name: count, lag: 1d, task: regression}",
    sampler="uniform",
    trainer="name: boosting",
    metrics="""\
  - {kind: mae, owner: me, priority: primary, margin: 0.1, floor: 5}
  - {kind: r2, owner: me, priority: guardrail, margin: 0.1}
  - {kind: bias, owner: me}""",
)


def day(number: float) -> datetime:
    return START + timedelta(days=number)


@dataclass
class Deployment:
    settings: Settings
    app: str

    def ws(self) -> Workspace:
        return Workspace.open(self.app, settings=self.settings)

    def rows(self, number: int) -> tuple[pd.DataFrame, pd.Series]:
        """A day's inputs and truth: before TURN only `a` tells, afterwards `b` as well."""
        rng = np.random.default_rng(number)
        frame = pd.DataFrame(
            {
                "record_key": [f"{number:03d}-{i:04d}" for i in range(ROWS)],
                "event_time": [day(number) + timedelta(minutes=5 * i) for i in range(ROWS)],
                "a": rng.normal(size=ROWS),
                "b": rng.normal(size=ROWS),
                "zone": rng.choice(["north", "south"], ROWS),
            }
        )
        level = frame["a"] + (2 * frame["b"] if number >= TURN else 0) + rng.normal(0, 0.4, ROWS)
        if self.app == "bikes":
            return frame, 10 * level
        return frame, pd.Series(np.select([level < -0.5, level < 0.8], CLASSES[:2], CLASSES[2]))

    def play(self, first: int, last: int) -> None:
        """Days [first, last): served by the champion, labelled at night, taken in the next morning."""
        for number in range(first, last):
            frame, truth = self.rows(number)
            self._deliver("predictions", number, self._served(frame))
            truths = {"record_key": frame["record_key"], "value": truth, "known_at": day(number + 1) - timedelta(hours=1)}
            self._deliver("labels", number, pd.DataFrame(truths).assign(source="station"))
            window = Window(day(number), day(number + 1))
            validated = ingest.validate(self.ws(), window, window.end)
            assert validated.data["refused"] == []
            ingest.append(self.ws(), validated.data["accepted"], window.end)

    def _served(self, frame: pd.DataFrame) -> pd.DataFrame:
        ws = self.ws()
        champion, target = ws.registry.champion(), ws.policy.label.target
        columns = target.columns[1:] or target.columns
        if champion is None:
            return frame.assign(model_version=None, **dict.fromkeys(columns, np.nan))
        found = answers(ws, champion, frame)
        each = found.T if found.ndim == 2 else [found]
        return frame.assign(model_version=champion, **dict(zip(columns, each, strict=True)))

    def _deliver(self, stream: str, number: int, rows: pd.DataFrame) -> None:
        folder = self.settings.home / "landing" / stream
        folder.mkdir(parents=True, exist_ok=True)
        rows.to_parquet(folder / f"{day(number):%Y-%m-%d}.parquet", index=False)

    def retrain(self, as_of: datetime) -> str:
        ws = self.ws()
        made = curate.curate(ws, as_of, "test").data
        found = train.train(ws, made["dataset"], made["trainers"][0]).data
        candidate = evaluate.Trained(found["version"], found["trainer"], found["validation"])
        evaluated = evaluate.evaluate(ws, [candidate], as_of)
        judged = judge.judge(ws, evaluated.data["evaluation"])
        promote.promote(ws, judged.data["verdict"])
        verify.verify(ws, as_of)
        return judged.reason


@pytest.fixture(params=["weather", "bikes"])
def place(request: pytest.FixtureRequest, tmp_path: Path, mlflow_server: Server) -> Iterator[Deployment]:
    environment = {"CONTINUAL_HOME": str(tmp_path), "CONTINUAL_CONFIGS": str(tmp_path / "configs")}
    settings = replace(Settings.from_environment(environment), tracking_uri=mlflow_server.uri)
    settings.configs.mkdir()
    text = SEVERAL if request.param == "weather" else NUMBERS
    (settings.configs / f"{request.param}.yaml").write_text(text)
    made = Deployment(settings, request.param)
    yield made
    made.ws().registry.client.delete_registered_model(request.param)  # the server outlives the test


def test_a_model_of_classes_or_numbers_is_judged_promoted_measured_watched_and_compared(place: Deployment) -> None:
    place.play(0, 10)
    place.retrain(day(10))
    assert place.ws().registry.champion() == "1"
    place.play(10, 24)
    place.retrain(day(24))
    assert place.ws().registry.champion() == "2"  # knows `b`
    place.play(24, 30)
    primary = place.ws().policy.primary.name

    measured = settle.measure(place.ws(), Window(day(29), day(30)), day(30))
    assert f"{primary} " in measured.reason and "100% labelled" in measured.reason
    watched = monitor.watch(place.ws(), day(30))
    assert not watched.data.get("alarm"), watched.reason

    app = Application.of(place.ws())
    live = app.metrics(Window(day(12), day(23)), as_of=day(30)).set_index(["slice", "metric"])
    later = app.metrics(Window(day(24), day(29)), as_of=day(30)).set_index(["slice", "metric"])
    assert later.loc[("overall", primary), "value"] < live.loc[("overall", primary), "value"] / 1.3
    assert live.loc[("far_out", primary), "n"] > 100
    app.score("2", Window(day(12), day(23)))
    found = Application.of(place.ws()).compare("2", "1", Window(day(12), day(23)), as_of=day(30))
    found = found[found["slice"] == "overall"].set_index("metric")
    assert found.loc[primary, "low"] > 0  # version 2 would have been better
    weak = app.discover(Window(day(12), day(23)), as_of=day(30))
    assert isinstance(weak, list)


def test_a_live_model_that_goes_bad_raises_the_alarm(place: Deployment) -> None:
    """The truth turns back to what version 1 knows; version 2 is worse from then on."""
    place.play(0, 10)
    place.retrain(day(10))
    place.play(10, 24)
    place.retrain(day(24))
    assert place.ws().registry.champion() == "2"
    rows = Deployment.rows

    def turned(self: Deployment, number: int) -> tuple[pd.DataFrame, pd.Series]:
        frame, _ = rows(self, number)
        _, truth = rows(self, number - 24)  # days 0..6: only `a` tells
        before, _ = rows(self, number - 24)
        return frame.assign(a=before["a"]), truth

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Deployment, "rows", turned)
        place.play(24, 31)
    watched = monitor.watch(place.ws(), day(31))
    assert watched.data.get("alarm"), watched.reason
