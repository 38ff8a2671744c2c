"""What Airflow's DAG processor does every few seconds, in a process of its own: light, never all or nothing.

How long it takes is in docs/results/load.md.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from continual.policy.last_good import PolicyShelf

pytestmark = pytest.mark.integration

HEAVY = (
    "pandas",
    "sklearn",
    "scipy",
    "mlflow",
    "great_expectations",
    "pyiceberg",
    "pyarrow",
    "modAL",
    "skops",
    "statsmodels",
)
PARSE = """
import json, runpy, sys
import airflow.sdk
from airflow.sdk import DAG, Asset, AssetAlias, BaseOperator, CronDataIntervalTimetable, Param, TriggerRule
import airflow.sdk.exceptions

namespace = runpy.run_path("dags/applications.py")
heavy = [name for name in json.loads(sys.argv[1]) if name in sys.modules]
dags = {value.dag_id: sorted(value.task_ids) for value in namespace.values() if isinstance(value, DAG)}
try:
    problem = None
    runpy.run_path("dags/config_errors.py")
except Exception as error:
    problem = [type(error).__name__, str(error)]
print("RESULT" + json.dumps({"heavy": heavy, "dags": dags, "problem": problem}))
"""


@pytest.fixture
def place(tmp_path, flights_text):
    """Folders of a deployment, and a function that writes a policy under another name."""
    configs = tmp_path / "configs"
    configs.mkdir()

    def write(application, *changes):
        text = flights_text.replace("application: flights", f"application: {application}")
        for before, after in changes:
            assert before in text
            text = text.replace(before, after)
        (configs / f"{application}.yaml").write_text(text, encoding="utf-8")

    return tmp_path, write


def _parse(folder, repository):
    environment = {
        **{k: v for k, v in os.environ.items() if not k.startswith(("AIRFLOW", "CONTINUAL", "COV"))},
        "AIRFLOW_HOME": str(folder / "airflow"),
        "CONTINUAL_HOME": str(folder / "home"),
        "CONTINUAL_CONFIGS": str(folder / "configs"),
        "OMP_NUM_THREADS": "1",
    }
    done = subprocess.run(
        [sys.executable, "-c", PARSE, json.dumps(HEAVY)],
        cwd=repository, env=environment, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    [line] = [line for line in done.stdout.splitlines() if line.startswith("RESULT")]
    return json.loads(line.removeprefix("RESULT"))


def test_fifty_applications_parse_and_import_nothing_heavy(place, repository):
    folder, write = place
    for number in range(50):
        write(f"app_{number}")
    found = _parse(folder, repository)
    assert len(found["dags"]) == 350
    assert found["problem"] is None
    assert found["heavy"] == []
    assert not (folder / "home").exists()  # parsing writes nothing


def test_s50_an_invalid_policy_leaves_the_other_applications_their_dags(place, repository):
    folder, write = place
    write("sound", ("seed: 0", "seed: 0\nscoring: {source: to-score, target: scored, schedule: '@hourly'}"))
    write("broken", ("every_days: 28", "every_dayz: 28"))
    found = _parse(folder, repository)
    assert sorted(found["dags"]) == [
        f"sound.{dag}" for dag in ("data", "ingest", "monitor", "replay", "retrain", "rollback", "score", "store")
    ]
    kind, text = found["problem"]
    assert kind == "PolicyError"
    line = (folder / "configs" / "broken.yaml").read_text().split("every_dayz")[0].count("\n") + 1
    assert f"broken.yaml, line {line}, field trigger.triggers.0.every_dayz" in text
    assert "did you mean 'every_days'?" in text
    assert "correct broken.yaml (it has no DAGs until it is valid)" in text
    assert "sound" not in text


def test_s50_a_policy_with_the_other_ending_is_named_instead_of_silently_ignored(place, repository):
    folder, write = place
    write("sound")
    (folder / "configs" / "sound.yaml").rename(folder / "configs" / "sound.yml")
    write("other")
    found = _parse(folder, repository)
    assert sorted({dag.split(".")[0] for dag in found["dags"]}) == ["other"]
    kind, text = found["problem"]
    assert kind == "PolicyError"
    assert "sound.yml: policy files end in .yaml" in text
    assert "rename sound.yml" in text


def test_s50_with_a_last_good_policy_the_dags_of_an_invalid_one_stay(place, repository):
    folder, write = place
    write("sound")
    write("edited", ("mode: auto", "mode: approve"))
    PolicyShelf(folder / "home", folder / "configs").snapshot("edited")
    write("edited", ("kind: roc_auc", "kind: roc_acu"))
    found = _parse(folder, repository)
    assert len(found["dags"]) == 14
    assert "approve" in found["dags"]["edited.retrain"]  # what stays in force is the policy before the edit
    assert "approve" not in found["dags"]["sound.retrain"]
    kind, text = found["problem"]
    assert kind == "PolicyError"
    assert "did you mean 'roc_auc'?" in text
    assert "correct edited.yaml (its last good policy stays in force)" in text


def test_s50_s61_no_content_of_a_policy_file_stops_the_others(place, repository):
    folder, write = place
    write("sound")
    broken = {
        "empty": b"",
        "list": b"- a list",
        "not_utf8": b"\xff\xfe",
        "cut_off": b"application: [",
        "deep": b"a: " + b"[" * 100_000,
        "hostile": b"a: !!python/object/apply:os.system [id]",
    }
    for name, content in broken.items():
        (folder / "configs" / f"{name}.yaml").write_bytes(content)
    found = _parse(folder, repository)
    assert len(found["dags"]) == 7
    assert found["problem"][0] == "PolicyError"
    assert all(f"correct {name}.yaml (it has no DAGs until it is valid)" in found["problem"][1] for name in broken)


def test_no_policies_no_dags_no_error(place, repository):
    folder, _ = place
    found = _parse(folder, repository)
    assert (found["dags"], found["problem"]) == ({}, None)


def test_an_application_whose_labels_people_give_asks_and_waits_for_them(place, repository):
    folder, write = place
    write(
        "asked", ("kind: stream                  # planes land by themselves", "kind: page\nlabelling:\n  budget: 500")
    )
    found = _parse(folder, repository)
    assert found["problem"] is None and found["heavy"] == []
    assert found["dags"]["asked.label"] == ["ask", "collect", "offer", "wait"]
    assert {"ask", "offer", "wait", "collect", "curate"} < set(found["dags"]["asked.retrain"])
