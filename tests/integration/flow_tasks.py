"""Two small applications, labels are classes (`weather`) or numbers (`bikes`), played day by day through the flows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import fsspec
import numpy as np
import pandas as pd

from continual.core.window import Window
from continual.flows import curate, evaluate, ingest, judge, promote, train, verify
from continual.flows.serving_check import answers
from continual.flows.workspace import Workspace
from continual.settings import Settings

START = datetime(2024, 1, 1, tzinfo=UTC)
ROWS, TURN = 240, 10
CLASSES = ["calm", "storm", "very bad"]

POLICY = """\
application: {app}
owner: me
active: {{start: 2024-01-01T00:00:00Z}}
source: {{kind: folder, predictions: "{{landing}}/predictions", labels: "{{landing}}/labels"}}
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
    """landing: folder or URL that batches are delivered to."""

    settings: Settings
    app: str
    landing: str

    def configure(self) -> Deployment:
        text = SEVERAL if self.app == "weather" else NUMBERS
        self.settings.configs.mkdir(exist_ok=True)
        (self.settings.configs / f"{self.app}.yaml").write_text(text.replace("{landing}", self.landing))
        return self

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
            truths = {
                "record_key": frame["record_key"],
                "value": truth,
                "known_at": day(number + 1) - timedelta(hours=1),
            }
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
        with fsspec.open(f"{self.landing}/{stream}/{day(number):%Y-%m-%d}.parquet", "wb", auto_mkdir=True) as file:
            rows.to_parquet(file, index=False)

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
