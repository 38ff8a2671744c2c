"""The application `loans`: its policy, and what its applicants do. Days instead of months, everything seeded.

`income` always tells who repays; `bureau` tells nothing before day TURN and most afterwards, so that a model
retrained later is better by far.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd

from continual.core.window import Window

APP = "loans"
START = datetime(2024, 1, 1, tzinfo=UTC)
ROWS = 300
TURN = 10  # the day from which `bureau` says something

POLICY = """\
application: loans
owner: credit-risk
active: {start: 2024-01-01T00:00:00Z}
source:
  kind: folder
  predictions: landing/predictions
  labels: landing/labels
  pattern: "{date}*.parquet"
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
trigger: {kind: schedule, every_days: 14}
promotion: {mode: auto, cooldown: 3d}
"""


def day(number: float) -> datetime:
    return START + timedelta(days=number)


def days(first: float, last: float) -> Window:
    return Window(day(first), day(last))


def with_steps(policy: str, *uses: str) -> str:
    """The policy with another trainer, on numbers only; sectors are known to slices, not to the model."""
    steps = "".join(f"      - use: {use}\n" for use in uses)
    head, rest = policy.split("    steps:\n")
    policy = f"{head}    steps:\n{steps}slices:{rest.split('slices:')[1]}"
    return policy.replace("  categorical: [sector]\n", "").replace("tags: [region]", "tags: [region, sector]")


#: Changes what was delivered for a day (features and truth) before it is written down.
Change = Callable[[pd.DataFrame], pd.DataFrame]


def applications(number: int, change: Change | None = None) -> pd.DataFrame:
    """One day of applications with the truth in `value`, known 12 hours later. Same day, same rows."""
    rng = np.random.default_rng(number)
    frame = pd.DataFrame(
        {
            "record_key": [f"{number:03d}-{i:04d}" for i in range(ROWS)],
            "event_time": [day(number) + timedelta(minutes=4 * i) for i in range(ROWS)],
            "income": rng.normal(size=ROWS),
            "bureau": rng.normal(size=ROWS),
            "sector": rng.choice(["farm", "shop", "startup"], ROWS, p=[0.45, 0.35, 0.2]),
            "region": rng.choice(["east", "north", "west"], ROWS),
        }
    )
    logit = 1.2 * frame["income"] + (2.0 * frame["bureau"] if number >= TURN else 0.0)
    frame["value"] = (rng.random(ROWS) < 1 / (1 + np.exp(-logit))).astype(float)
    frame["known_at"] = frame["event_time"] + timedelta(hours=12)
    return change(frame) if change else frame


def startups_inverted(frame: pd.DataFrame) -> pd.DataFrame:
    """The bureau's numbers of startups come with the wrong sign; the truth is what it was."""
    wrong = frame["sector"] == "startup"
    return frame.assign(bureau=frame["bureau"].where(~wrong, -frame["bureau"]))


def startups_inverted_others_dull(frame: pd.DataFrame) -> pd.DataFrame:
    """As `startups_inverted`, and of two in five others the bureau knows nothing: on the whole it hardly helps."""
    others = (frame["sector"] != "startup") & (np.arange(len(frame)) % 5 < 2)
    return startups_inverted(frame).assign(bureau=lambda f: f["bureau"].where(~others, f["bureau"].to_numpy()[::-1]))


def labels(number: int, change: Change | None = None) -> pd.DataFrame:
    """Truth that became known during the UTC day `number`: of yesterday's later and today's earlier applications."""
    both = [applications(n, change) for n in (number - 1, number) if n >= 0]
    frame = pd.concat(both, ignore_index=True)[["record_key", "value", "known_at"]]
    known = (frame["known_at"] >= day(number)) & (frame["known_at"] < day(number + 1))
    return frame[known].reset_index(drop=True).assign(source="payments")
