"""What the pages for operators name is there: tests, alarms, error classes, metrics."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

import continual
from continual.core.diagnosis import Actuator
from continual.errors import ContinualError
from continual.exporter.families import families, health
from continual.serving.meters import Meters
from continual.serving.server import Server
from continual.serving.shipping import Shipped

ROOT = Path(__file__).parents[2]
OPERATIONS = ROOT / "docs" / "operations"
ALARMS = (OPERATIONS / "alarms.md").read_text(encoding="utf-8")
RULES = yaml.safe_load((ROOT / "docker" / "alerts.yaml").read_text(encoding="utf-8"))["groups"]
ALERTS = [rule for group in RULES for rule in group["rules"]]


def _anchors(page: str) -> set[str]:
    titles = re.findall(r"^#+ (.+)$", page, re.MULTILINE)
    return {re.sub(r"[^a-z0-9 _-]", "", title.lower()).strip().replace(" ", "-") for title in titles}


def test_every_test_that_the_threat_model_names_exists():
    named = set(re.findall(r"`(test_\w+)`", (OPERATIONS / "threat-model.md").read_text(encoding="utf-8")))
    found = {
        name
        for file in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"def (test_\w+)", file.read_text(encoding="utf-8"))
    }
    assert len(named) > 40
    assert named - found == set()


def _classes(of: type[ContinualError]) -> set[str]:
    return {of.__name__, *(name for child in of.__subclasses__() for name in _classes(child))}


def test_every_class_of_error_has_a_section():
    for module in pkgutil.walk_packages(continual.__path__, "continual."):
        text = (importlib.util.find_spec(module.name) or SimpleNamespace(origin="")).origin or ""
        if text and re.search(r"^class \w+\((\w*Error|Skipped|\w*Unavailable)\)", Path(text).read_text(), re.MULTILINE):
            importlib.import_module(module.name)
    own = {name for name in _classes(ContinualError) if not name.startswith("_")} - {"ContinualError"}
    assert {"SpoolFull", "SourceUnavailable", "AirflowError", "NotEnoughData"} <= own
    assert {name for name in own if name.lower() not in _anchors(ALARMS)} == set()


def _kinds(file: Path) -> set[str]:
    """Kinds that a module appends to the ledger, literally or by a constant."""
    module = "continual." + ".".join(file.relative_to(ROOT / "src" / "continual").with_suffix("").parts)
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        called = ast.unparse(node.func)
        at = 0 if called.endswith("ledger.append") else 1 if called == "_append" else None
        if at is None or len(node.args) <= at:
            continue
        kind = node.args[at]
        if isinstance(kind, ast.Constant) and isinstance(kind.value, str):
            found.add(kind.value)
        elif isinstance(kind, ast.Name) and kind.id.isupper():
            found.add(str(getattr(importlib.import_module(module), kind.id)))
    return found


def test_every_kind_of_ledger_entry_is_explained():
    kinds = {kind for file in (ROOT / "src" / "continual" / "flows").glob("*.py") for kind in _kinds(file)}
    assert {"alarm", "diagnosis", "verdict", "adopted", "quarantined", "labels_asked"} <= kinds
    assert {kind for kind in kinds if f"`{kind}`" not in ALARMS} == set()


@pytest.mark.parametrize("actuator", Actuator)
def test_every_actuator_of_a_diagnosis_is_explained(actuator):
    assert f"`{actuator.value}`" in ALARMS


def _served() -> set[str]:
    """Every name that the exporter and the server answer with."""
    now = datetime(2026, 1, 1, tzinfo=UTC)
    names = {f.name for f in [*families([], now, 10), *health({"a": "b"}, ["c"], 0.1)]}
    meters, server = Meters("a"), SimpleNamespace(shipper=SimpleNamespace(shipped=Shipped()), _degraded=lambda: 0.0)
    server.spool, server.serves = SimpleNamespace(size=0), SimpleNamespace(champion=None)
    Server._watch(server, meters)
    for family in meters.registry.collect():
        names |= {family.name, *(sample.name for sample in family.samples)}
        names |= {f"{family.name}_total"} if family.type == "counter" else set()
        names |= {f"{family.name}_bucket"} if family.type == "histogram" else set()
    return names


@pytest.mark.parametrize("rule", ALERTS, ids=[rule["alert"] for rule in ALERTS])
def test_an_alert_reads_metrics_that_exist_and_leads_to_its_section(rule):
    named = set(re.findall(r"\bcontinual_[a-z0-9_]+", rule["expr"]))
    assert named or rule["expr"].startswith('up{job="continual')  # Prometheus' own
    assert named - _served() == set()
    assert rule["expr"].count("(") == rule["expr"].count(")")
    assert rule["labels"]["severity"] in {"page", "ticket"}
    page, anchor = rule["annotations"]["runbook"].split("#")
    assert page == "docs/operations/alarms.md"
    assert anchor in _anchors(ALARMS)
    assert anchor == rule["alert"].lower()


def test_a_metric_that_is_gone_would_be_noticed():
    assert "continual_alarm_open" in _served()
    assert "continual_serving_spool_bytes" in _served()
    assert "continual_no_such_metric" not in _served()
