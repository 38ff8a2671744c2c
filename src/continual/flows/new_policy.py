"""The policy file of a new application: valid, short, every line explained, numbers taken from the user's own rows."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from continual.core.duration import spell
from continual.core.window import floor_day
from continual.flows.table import Columns, instants

if TYPE_CHECKING:
    import pyarrow as pa

#: A primary metric may lose so much in a slice, as a share of what a constant answer would do.
_MARGIN = 0.05
#: Columns with at most this many values make slices.
_SLICED = 30
_DAY = timedelta(days=1)
#: A table whose newest row is older has no scheduled runs: its days are played with --as-of.
_FRESH = timedelta(days=7)


@dataclass(frozen=True)
class Facts:
    """What the rows say. scale: error of the best constant answer (regression: MAE of the median; classes: the share
    of the most frequent one). sliced: columns with few values."""

    start: datetime
    end: datetime
    rows: int
    scale: float
    sliced: tuple[str, ...]

    @property
    def span(self) -> timedelta:
        return self.end - self.start


def facts_of(table: pa.Table, columns: Columns) -> Facts:
    import pyarrow.compute as pc

    times = instants(table, columns.time).dropna()
    truth = table.column(columns.label).to_pandas().dropna()
    if columns.task == "regression":
        scale = float((truth.astype(float) - truth.astype(float).median()).abs().mean())
    else:
        scale = float(truth.value_counts(normalize=True).max())
    few = [n for n in columns.categorical if pc.count_distinct(table.column(n)).as_py() <= _SLICED]
    start = floor_day(times.min().to_pydatetime())
    return Facts(start, floor_day(times.max().to_pydatetime()) + _DAY, len(times), scale, tuple(few))


TEXT = """\
# What is decided by itself about this model, and how. Edit it: a bad edit is refused with line and remedy, and the
# last good policy stays in force. `continual check` says the same at the prompt.
application: APP
description: DESCRIPTION
owner: OWNER  # who is called
schedule: "@daily"              # how often new batches are taken in
active: {ACTIVE}  # without `end`: on schedule from now on

source:                         # one Parquet or CSV file a UTC day; relative to the deployment's home
  kind: folder                  # a database, object storage, your own code: docs/how-to/connect-data.md
  predictions: landing/APP/predictions
  labels: landing/APP/labels

features:                       # what the model is given, as logged when it answered
  numeric: NUMERIC
  categorical: CATEGORICAL

LABEL

expectations:                   # Great Expectations before the log; `continual expectations suggest` writes more
  predictions:
    - expect_table_row_count_to_be_between: {min_value: 1}

window:
  length: LENGTH  # a candidate learns from so many days
  evaluation: JUDGED  # and is judged on the days after them, just before now
  min_rows: MIN_ROWS  # fewer: no retrain, with the reason

sampler: {kind: uniform}        # which labelled rows a retrain reads: all of them, unless a budget is set
labeler: {kind: stream}         # labels come by themselves; `page` asks people: docs/how-to/label.md

trainers:                       # scikit-learn pipelines; without `steps`: histogram gradient boosting
  - name: boosting
  # - {name: few, steps: [{use: continual.models.pipeline.EncodeCategories}, {use: continual.models.blend.BLEND}]}
  #                               # competes with it; better where labels are few: docs/how-to/choose-labels.md

SLICES

METRICS

gate: {kind: graded}            # better overall, no slice harmed
monitor: {kind: e_detector}     # after a promotion: paired with the previous version, rolls back by itself

# trigger: {kind: cost}         # the default: retrain when staleness has cost as much as a retrain.
#                               # Or {kind: schedule, every_days: 28}, performance, drift, label_volume ...
promotion: {mode: auto}         # auto | approve (a person answers in Airflow) | suggest
"""


def policy_text(application: str, owner: str, columns: Columns, facts: Facts, origin: str, now: datetime) -> str:
    """The YAML; every text of the user's is quoted as JSON where YAML needs it."""
    length, judged = _windows(facts)
    days = max(1, facts.span // _DAY)
    parts = {
        "DESCRIPTION": _q(f"{columns.label}, from {origin}"),
        "OWNER": _q(owner),
        "ACTIVE": _active(facts, now),
        "NUMERIC": _list(columns.numeric),
        "CATEGORICAL": _list(columns.categorical),
        "LABEL": "\n".join(_label(columns)),
        "LENGTH": spell(length),
        "JUDGED": spell(judged),
        "MIN_ROWS": str(max(50, min(1000, facts.rows * (length // _DAY) // days // 4))),
        "SLICES": "\n".join(_slices(facts)),
        "METRICS": "\n".join(_metrics(columns, facts, owner)),
        "BLEND": "BlendRegressor" if columns.task == "regression" else "BlendClassifier",
        "APP": application,
    }
    pattern = "|".join(rf"\b{name}\b" for name in parts)
    return re.sub(pattern, lambda found: parts[found[0]], TEXT)


def _active(facts: Facts, now: datetime) -> str:
    """A table that ended long ago is history: an ingest scheduled today would take all of it in as known today."""
    start = f"start: {facts.start:%Y-%m-%d}T00:00:00Z"
    if facts.end > now - _FRESH:
        return start
    return f"{start}, end: {facts.end:%Y-%m-%d}T00:00:00Z"


def _q(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _list(names: tuple[str, ...]) -> str:
    plain = [n if n.isidentifier() and n.lower() not in ("y", "n", "yes", "no", "on", "off", "true", "false", "null")
             else _q(n) for n in names]  # fmt: skip
    return f"[{', '.join(plain)}]"


def _windows(facts: Facts) -> tuple[timedelta, timedelta]:
    """Three months and four weeks where there is so much history, else parts of what there is."""
    days = facts.span // _DAY
    if days >= 120:
        return timedelta(days=91), timedelta(days=28)
    judged = max(1, days // 4)
    return timedelta(days=max(1, days - judged)), timedelta(days=judged)


def _label(columns: Columns) -> list[str]:
    told = f"# 1 means {columns.positive}" if columns.task == "binary" else ""
    lines = ["label:", f"  name: {_q(columns.label)}  {told}".rstrip(), f"  task: {columns.task}"]
    if columns.classes:
        lines.append(f"  classes: [{', '.join(_q(c) for c in columns.classes)}]")
    return [
        *lines,
        f"  lag: {spell(columns.lag)}                       # by then nearly every label that will come has come",
    ]


def _slices(facts: Facts) -> list[str]:
    head = "# judged one by one: a candidate that harms one of them is not promoted"
    if not facts.sliced:
        return [f"slices: []                      {head}", "# - {name: night, where: hour < 6, tier: critical}"]
    listed = [f"  - {{by: {_list((n,))[1:-1]}, tier: standard}}" for n in facts.sliced]
    return [f"slices:                         {head}", *listed, "  # - {name: night, where: hour < 6, tier: critical}"]


def _metrics(columns: Columns, facts: Facts, owner: str) -> list[str]:
    lines: dict[str, list[tuple[str, dict[str, Any], str]]] = {
        "regression": [
            ("mae", {"priority": "primary", "margin": _round(_MARGIN * facts.scale), "floor": _round(facts.scale)},
             "floor: what always answering the median would err"),
            ("rmse", {"priority": "guardrail", "margin": _round(2 * _MARGIN * facts.scale)}, "may not get worse"),
            ("bias", {"priority": "report", "margin": _round(_MARGIN * facts.scale)}, "is shown"),
        ],
        "binary": [
            ("roc_auc", {"priority": "primary", "margin": 0.02, "floor": 0.55}, "floor: no model below this serves"),
            ("brier", {"priority": "guardrail", "margin": 0.01}, "may not get worse"),
            ("log_loss", {"priority": "report", "margin": 0.02}, "is shown"),
        ],
        "multiclass": [
            ("accuracy", {"priority": "primary", "margin": 0.02, "floor": _round(facts.scale)},
             "floor: what always answering the most frequent class would reach"),
            ("log_loss", {"priority": "guardrail", "margin": 0.05}, "may not get worse"),
        ],
    }  # fmt: skip
    out = [
        "metrics:                        # one is primary; margin: the largest loss tolerated, overall and per slice"
    ]
    for kind, fields, why in lines[columns.task]:
        inner = ", ".join(f"{k}: {v}" for k, v in fields.items())
        out.append(f"  - {{kind: {kind}, owner: {_q(owner)}, {inner}}}  # {why}")
    return out


def _round(value: float) -> float:
    return float(f"{value:.3g}")
