"""A small lender: 200 applications a day, three columns, a model of seconds. Many applications of it run side by side.

`income` always tells who repays; `bureau` tells nothing before day 10, most from then on and the opposite from day 26:
a model retrained after a turn is better by far, so that a verdict never hangs on luck.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd

from continual.core.window import Window

START = datetime(2024, 1, 1, tzinfo=UTC)
ROWS = 200
TURNS = (10, 26)

#: MODE: promotion mode. active.end: nothing is scheduled today. zoo: after the second turn a version that knows nothing
#: of `bureau` beats the champion, and most tests are about what is trained.
POLICY = """\
application: APP
description: Who repays a small loan.
owner: credit-risk
active: {start: 2024-01-01T00:00:00Z, end: 2024-06-01T00:00:00Z}
source:
  kind: folder
  predictions: landing/APP/predictions
  labels: landing/APP/labels
features:
  numeric: [income, bureau]
  categorical: [sector]
tags: [region]
label: {name: repaid, lag: 1d}
expectations:
  predictions:
    - expect_table_row_count_to_be_between: {min_value: 10}
    - expect_column_values_to_be_between: {column: income, min_value: -10, max_value: 10}
window: {kind: sliding, length: 8d, evaluation: 4d, min_rows: 500, max_hole: 2d}
sampler: {kind: uniform}
labeler: {kind: stream}
trainers:
  - name: boosting
    steps:
      - use: continual.models.pipeline.EncodeCategories
      - use: sklearn.ensemble.HistGradientBoostingClassifier
        params: {max_iter: 30, max_leaf_nodes: 8}
slices:
  - {name: startups, where: sector = 'startup', tier: critical}
  - {by: region}
metrics:
  - {kind: roc_auc, owner: credit-risk, priority: primary, margin: 0.03, floor: 0.6}
  - {kind: brier, owner: customer-care, priority: guardrail, margin: 0.02}
gate: {kind: graded}
monitor: {kind: e_detector}
trigger: {kind: schedule, every_days: 60}
promotion: {mode: MODE, cooldown: 3d}
zoo: {versions: 0}
scoring: {source: to-score/APP, target: scored/APP}
"""


def policy(app: str, mode: str = "auto") -> str:
    return POLICY.replace("APP", app).replace("MODE", mode)


def day(number: float) -> datetime:
    return START + timedelta(days=number)


def days(first: float, last: float) -> Window:
    return Window(day(first), day(last))


def applications(number: int) -> pd.DataFrame:
    """One day of applications with the truth in `value`, known 12 hours later. Same day, same rows."""
    rng = np.random.default_rng(number)
    frame = pd.DataFrame(
        {
            "record_key": [f"{number:03d}-{i:04d}" for i in range(ROWS)],
            "event_time": [day(number) + timedelta(minutes=7 * i) for i in range(ROWS)],
            "income": rng.normal(size=ROWS),
            "bureau": rng.normal(size=ROWS),
            "sector": rng.choice(["farm", "shop", "startup"], ROWS, p=[0.4, 0.35, 0.25]),
            "region": rng.choice(["east", "north", "west"], ROWS),
        }
    )
    weight = 0.0 if number < TURNS[0] else 3.0 if number < TURNS[1] else -3.0
    logit = 1.2 * frame["income"] + weight * frame["bureau"]
    frame["value"] = (rng.random(ROWS) < 1 / (1 + np.exp(-logit))).astype(float)
    frame["known_at"] = frame["event_time"] + timedelta(hours=12)
    return frame


#: Rows without labels -> probabilities and the version that gave them.
Serve = Callable[[pd.DataFrame], tuple[np.ndarray, str]]


def predictions(number: int, serve: Serve | None) -> pd.DataFrame:
    """What the serving system logs that day; nothing serves yet: no version and no prediction."""
    frame = applications(number).drop(columns=["value", "known_at"])
    probability, version = serve(frame) if serve else (np.full(ROWS, np.nan), None)
    return frame.assign(model_version=version, prediction=probability)


def labels(number: int) -> pd.DataFrame:
    """Truth that became known during the UTC day `number`: of yesterday's later and today's earlier applications."""
    both = pd.concat([applications(n) for n in (number - 1, number) if n >= 0], ignore_index=True)
    known = (both["known_at"] >= day(number)) & (both["known_at"] < day(number + 1))
    return both.loc[known, ["record_key", "value", "known_at"]].reset_index(drop=True).assign(source="payments")


def deliver(home: Path, app: str, stream: str, number: int, rows: pd.DataFrame) -> Path:
    """Write a day's file beside and rename it, as whoever delivers is told to."""
    path = home / "landing" / app / stream / f"{day(number):%Y-%m-%d}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".tmp")
    rows.to_parquet(part, index=False)
    part.replace(path)
    return path
