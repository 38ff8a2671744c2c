"""docker/alerts.yaml as Prometheus reads it: every rule fires when it should, and not before."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

pytestmark = pytest.mark.production
RULES = Path(__file__).parents[2] / "docker" / "alerts.yaml"
CASES = Path(__file__).with_name("alerts.test.yaml")
ALERTS = [rule["alert"] for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]


def _promtool(prometheus: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [str(prometheus / "promtool"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def _tried(prometheus: Path, rules: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    cases = folder / "cases.yaml"
    cases.write_text(CASES.read_text().replace("RULES", str(rules)))
    return _promtool(prometheus, "test", "rules", cases)


def test_prometheus_reads_the_rules(prometheus: Path) -> None:
    found = _promtool(prometheus, "check", "rules", RULES)
    assert found.returncode == 0, found.stdout + found.stderr
    assert f"{len(ALERTS)} rules found" in found.stdout


def test_every_rule_fires_when_it_should_and_not_before(prometheus: Path, tmp_path: Path) -> None:
    found = _tried(prometheus, RULES, tmp_path)
    assert found.returncode == 0, found.stdout + found.stderr
    tried = [case for test in yaml.safe_load(CASES.read_text())["tests"] for case in test["alert_rule_test"]]
    for alert in ALERTS:
        expected = {bool(case["exp_alerts"]) for case in tried if case["alertname"] == alert}
        assert expected == {True, False}, alert


@pytest.mark.parametrize("broken", ["never", "always", "at once"])
@pytest.mark.parametrize("alert", ALERTS)
def test_a_rule_that_is_wrong_is_noticed(prometheus: Path, tmp_path: Path, alert: str, broken: str) -> None:
    read = yaml.safe_load(RULES.read_text())
    (rule,) = [rule for group in read["groups"] for rule in group["rules"] if rule["alert"] == alert]
    if broken == "at once" and "for" not in rule:
        broken = "always"
    _break(rule, broken)
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(read))
    found = _tried(prometheus, tmp_path / "rules.yaml", tmp_path)
    assert found.returncode == 1, found.stdout
    assert f"alertname: {alert}" in found.stdout + found.stderr


def _break(rule: dict[str, Any], how: str) -> None:
    if how == "at once":
        del rule["for"]
    else:
        rule["expr"] = "vector(1) > 2" if how == "never" else "vector(1)"
