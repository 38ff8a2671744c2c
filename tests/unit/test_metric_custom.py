"""A metric of one's own by import path: `kind: package.module:Class` in the policy."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import jsonschema
import numpy as np
import pyarrow as pa
import pytest
import yaml

from continual.cells.build import Day, build_day
from continual.cells.plan import Plan
from continual.cells.window import stack
from continual.errors import PolicyError, UnknownKind
from continual.metrics.base import METRICS, Rows
from continual.policy.load import parse_policy
from continual.policy.schema import policy_schema

OWN = '''
from typing import Literal

from continual.core.estimate import Comparison, Estimate
from continual.metrics.base import Metric


class Share(Metric):
    """Share of positives."""

    kind: str
    times: float = 1.0

    def estimate(self, rows, score):
        return Estimate(self.times * 0.5, 0.0, 1.0, rows.n, len(rows), "toy")

    def compare(self, rows, candidate, champion):
        return Comparison.undefined(len(rows), "toy")


class Fixed(Share):
    kind: Literal["fixed"] = "fixed"


class Half(Metric):
    """Half done."""

    kind: str

    def estimate(self, rows, score):
        return Estimate.undefined(rows.n, len(rows), "toy")


class Other:
    pass
'''


@pytest.fixture
def package(tmp_path, monkeypatch):
    (tmp_path / "acme_metrics").mkdir()
    (tmp_path / "acme_metrics" / "__init__.py").write_text("")
    (tmp_path / "acme_metrics" / "own.py").write_text(OWN)
    (tmp_path / "acme_metrics" / "broken.py").write_text("raise RuntimeError('no licence')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    for name in [n for n in sys.modules if n.startswith("acme_metrics")]:
        del sys.modules[name]


def _policy(text, kind, **fields):
    data = yaml.safe_load(text)
    data["metrics"].append({"kind": kind, "owner": "me", **fields})
    return yaml.safe_dump(data, sort_keys=False)


@pytest.mark.usefixtures("package")
def test_a_policy_names_a_metric_by_its_import_path(flights_text):
    kind = "acme_metrics.own:Share"
    text = _policy(flights_text, kind, times=1.5)
    metric = parse_policy(text, "flights.yaml").policy.metrics[-1]
    assert (metric.kind, metric.name, metric.times) == (kind, kind, 1.5)
    assert type(metric) is METRICS.get(kind)
    assert type(METRICS.build(metric.model_dump(mode="json"))) is type(metric)
    assert kind not in METRICS.kinds


@pytest.mark.usefixtures("package")
@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("acme_metrics.gone:Share", "No module named 'acme_metrics.gone'"),
        ("acme_metrics.own:Gone", "no attribute 'Gone'"),
        ("acme_metrics.own:Other", "is no metric"),
        ("acme_metrics.own:Fixed", "Fixed must declare `kind: str` to be named by its import path"),
        ("acme_metrics.broken:Share", "no licence"),
        ("continual.samplers.uniform:Uniform", "is no metric"),
        ("os:system", "is no metric"),
    ],
)
def test_what_is_no_metric_is_refused_with_the_reason(flights_text, kind, words):
    with pytest.raises(UnknownKind, match=words) as caught:
        METRICS.get(kind)
    assert "correct the path" in caught.value.remedy
    with pytest.raises(PolicyError, match=words):
        parse_policy(_policy(flights_text, kind), "flights.yaml")


@pytest.mark.usefixtures("package")
def test_a_metric_that_is_half_done_is_refused_with_what_it_lacks(flights_text):
    with pytest.raises(PolicyError, match="its class Half lacks compare"):
        parse_policy(_policy(flights_text, "acme_metrics.own:Half"), "flights.yaml")


def test_the_metric_of_the_guide_works_from_rows_and_from_cells(tmp_path, monkeypatch):
    guide = (Path(__file__).parents[2] / "docs" / "how-to" / "metrics.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```py\n(.*?)```", guide, re.S)
    (tmp_path / "acme_guide.py").write_text(code)
    monkeypatch.syspath_prepend(str(tmp_path))
    metric = METRICS.build({"kind": "acme_guide:NearMiss", "owner": "me", "width": 0.2})
    rng = np.random.default_rng(0)
    day, score, label = np.repeat(np.arange(12), 50), rng.random(600), rng.integers(0, 2, 600).astype(float)
    found = metric.estimate(Rows(label, np.ones(600), day, 600), score)
    assert found.value == pytest.approx(np.mean(np.abs(score - 0.5) < 0.2))
    plan = Plan((), (metric,))
    tables = [pa.table({"label": label[day == d], "s": score[day == d]}) for d in range(12)]
    blocks = [build_day(Day(d, table, {"1": ("s",)}), plan)["1"] for d, table in enumerate(tables)]
    (binned,) = metric.from_cells(stack(blocks, ()))
    assert (binned.value, binned.low, binned.high) == pytest.approx((found.value, found.low, found.high))
    sys.modules.pop("acme_guide", None)


@pytest.mark.parametrize("kind", ["acme:", ":Share", "a b:Share", "a..b:Share", "a:b.c", "a;b:C", "../a:B", "a:B\n"])
def test_what_is_no_import_path_is_an_unknown_kind(kind):
    with pytest.raises(UnknownKind, match="kind must name a metric"):
        METRICS.get(kind)


@pytest.mark.usefixtures("package")
def test_editors_accept_an_import_path_and_still_check_the_known_kinds(flights_text):
    checker = jsonschema.Draft202012Validator(json.loads(policy_schema()))

    def valid(kind, **fields):
        data = yaml.safe_load(_policy(flights_text, kind, **fields))
        return checker.is_valid(json.loads(json.dumps(data, default=str)))

    assert valid("acme_metrics.own:Share", times=2)
    assert valid("mae")
    assert not valid("mae", times=2)
    assert not valid("acme_metrics.own")
    assert METRICS.describing is False
