"""`continual check` against the installed Great Expectations, scikit-learn and skops."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from continual.cli.main import app
from continual.policy.last_good import PolicyShelf

pytestmark = pytest.mark.integration


@pytest.fixture
def configs(tmp_path: Path, flights_text: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("CONTINUAL_HOME", "CONTINUAL_CONFIGS"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "flights.yaml").write_text(flights_text)
    return tmp_path / "configs"


def check(configs: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["check", "--home", str(configs.parent), *arguments])


def edit(configs: Path, old: str, new: str) -> int:
    """Replace once; returns the line where `new` begins."""
    path = configs / "flights.yaml"
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))
    return text[: text.index(old)].count("\n") + 1


def problems(configs: Path) -> list[Any]:
    answer = check(configs, "--json")
    (one,) = json.loads(answer.stdout)["applications"]
    assert answer.exit_code == (1 if one["problems"] else 0)
    return list(one["problems"])


def test_the_policy_that_ships_is_good(configs: Path) -> None:
    answer = check(configs, "flights")
    assert answer.exit_code == 0
    assert answer.stdout.startswith("flights: ok; the file is in force, policy ")


BOOSTING = (
    "sklearn.ensemble.HistGradientBoostingClassifier\n"
    "        params: {max_iter: 100, max_leaf_nodes: 31, learning_rate: 0.08}"
)


@pytest.mark.parametrize(
    ("old", "new", "field", "got", "do"),
    [
        ("_to_be_in_set: {column: origin", "_to_be_in_sett: {column: origin", "expectations.predictions.2",
         "expect_column_values_to_be_in_sett", "did you mean expect_column_values_to_be_in_set?"),
        ("{column: carrier}", "{colum: carrier}", "expectations.predictions.1", "colum", "gallery"),
        ("value_set: [0, 1]}", "valu_set: [0, 1]}", "expectations.labels.0", "valu_set", "gallery"),
        ("HistGradientBoostingClassifier", "HistGradientBosting", "trainers.0.steps.1", "HistGradientBosting",
         "check the spelling"),
        ("max_iter: 100", "max_itr: 100", "trainers.0.steps.1", "max_itr", "correct trainers.steps.params"),
        (BOOSTING, "sklearn.linear_model.LinearRegression", "trainers.0.steps.1", "no predict_proba", "classifier"),
        ("continual.models.pipeline.EncodeCategories", "sklearn.svm.SVC", "trainers.0.steps.0", "no transform",
         "last step"),
    ],
)  # fmt: skip
def test_what_only_a_run_would_find_is_named_with_its_line(
    configs: Path, old: str, new: str, field: str, got: str, do: str
) -> None:
    line = edit(configs, old, new)
    (found,) = problems(configs)
    at = line - 1 if "params" in do else line  # a step is named where it begins
    assert found["got"].startswith(f"{configs / 'flights.yaml'}, line {at}, field {field}: ")
    assert got in found["got"] and do in found["do"]


def test_every_problem_is_named_not_only_the_first(configs: Path) -> None:
    edit(configs, "{column: carrier}", "{colum: carrier}")
    edit(configs, "expect_table_row_count_to_be_between", "expect_table_rows_to_be_between")
    edit(configs, "max_iter: 100", "max_itr: 100")
    assert len(problems(configs)) == 3


def test_a_type_nobody_trusted_is_found_before_a_model_is_trained(
    configs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "house_code.py").write_text(
        "from sklearn.ensemble import HistGradientBoostingClassifier\n"
        "class Secret: pass\n"
        "class Wrapped(HistGradientBoostingClassifier):\n"
        "    def __init__(self):\n        super().__init__()\n        self.secret = Secret()\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    edit(configs, BOOSTING, "house_code.Wrapped")
    (found,) = problems(configs)
    assert "house_code.Secret" in found["got"] and "trusted" in found["do"]
    edit(configs, "  - name: boosting", "  - name: boosting\n    trusted: [house_code.Secret]")
    assert problems(configs) == []


def test_s50_an_invalid_field_is_named_with_the_policy_that_stays_in_force(configs: Path) -> None:
    kept = PolicyShelf(configs.parent, configs).snapshot("flights").loaded.hash
    line = edit(configs, "kind: e_detector", "kind: e_detectr")
    edit(configs, "floor: 0.60", "flor: 0.60")
    answer = check(configs)
    assert answer.exit_code == 1
    assert f"flights.yaml, line {line}, field monitor.kind" in answer.stdout
    assert "did you mean 'e_detector'?" in answer.stdout and "did you mean 'floor'?" in answer.stdout
    assert f"flights: 1 to correct; the last good policy is in force, policy {kept}" in answer.stdout


def test_a_broken_file_does_not_hide_the_others(configs: Path) -> None:
    (configs / "bikes.yaml").write_text("application: bikes\n")
    (configs / "boats.yml").write_text("application: boats\n")
    answer = check(configs)
    assert answer.exit_code == 1
    assert "bikes: 1 to correct; nothing is in force: it has no DAGs" in answer.stdout
    assert "flights: ok" in answer.stdout
    assert "boats.yml is not read: rename it to boats.yaml" in answer.stdout
    assert check(configs, "flights").exit_code == 0
