"""Every known way to fail has a test that carries its number, or a reason why it cannot happen."""

from __future__ import annotations

import importlib.util
from pathlib import Path

ROOT = Path(__file__).parents[2]
_SPEC = importlib.util.spec_from_file_location("scenarios", ROOT / "docs" / "scenarios.py")
assert _SPEC is not None and _SPEC.loader is not None
scenarios = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(scenarios)


def test_every_scenario_has_a_test_or_a_reason():
    page = scenarios.PAGE.read_text(encoding="utf-8")
    assert scenarios.problems(page, scenarios.scenario_tests()) == []


def test_a_test_that_went_and_an_empty_row_are_named():
    page = "| 1 | a | `test_s01_gone` |\n| 2 | b |  |\n"
    found = scenarios.problems(page, {})
    assert found[0] == "there is no test test_s01_gone"
    assert found[1:-1] == [f"scenario {number} is not on the page" for number in range(3, 63)]
    assert found[-1] == "scenario 2 has neither test nor reason"


def test_the_page_is_filled_from_the_tests_and_reasons_stay():
    page = "| 1 | a |  |\n| 2 | b | By construction: never. |\n"
    new = scenarios.filled(page, {1: [f"test_s01_{n}" for n in "abcd"], 2: ["test_s02_x"]})
    assert new == (
        "| 1 | a | `test_s01_a`, `test_s01_b`, `test_s01_c` and more |\n"
        "| 2 | b | By construction: never. Tests: `test_s02_x` |\n"
    )
