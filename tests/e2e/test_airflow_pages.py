"""What a person finds in the Airflow UI before anything ran, read through the API the UI reads."""

from __future__ import annotations

from typing import Any

import pytest
from deployment import NAMES, Deployment

pytestmark = pytest.mark.e2e
FORMS = {"ingest": [], "monitor": [], "retrain": ["as_of", "reason"], "rollback": ["leave", "to", "reason", "as_of"]}
FORMS["score"] = ["as_of"]
FORMS["store"] = ["window", "as_of"]
FORMS["data"] = ["action", "reason", "window", "where", "slice", "files", "stream", "withdrawal"]
FORMS["replay"] = ["policies", "start", "end", "every", "jobs"]
EDGES = {
    "ingest": {("validate", "append"), ("validate", "publish"), ("append", "publish")},
    "monitor": {("measure", "watch"), ("watch", "decide")},
    "retrain": {
        ("curate", "train"),
        ("zoo", "curate"),
        ("zoo", "evaluate"),
        ("curate", "evaluate"),
        ("train", "evaluate"),
        ("evaluate", "judge"),
        ("judge", "promote"),
        ("promote", "verify"),
    },
    "rollback": {("roll_back", "verify")},
    "score": set(),
    "data": set(),
    "store": {
        ("survey", "build"),
        ("survey", "resettle"),
        ("survey", "tidy"),
        ("build", "resettle"),
        ("resettle", "tidy"),
    },
    "replay": set(),
}
ASKED = {("judge", "approve"), ("approve", "promote")}


def _details(deployment: Deployment, dag_id: str) -> dict[str, Any]:
    found: dict[str, Any] = deployment.airflow.http.get(f"/dags/{dag_id}/details")
    return found


@pytest.mark.parametrize("name", NAMES)
def test_a_dag_says_what_it_does_whose_it_is_and_where_it_belongs(deployment: Deployment, name: str) -> None:
    dag = _details(deployment, f"steady.{name}")
    assert {tag["name"] for tag in dag["tags"]} == {"continual", "steady"}
    assert dag["owners"] == ["credit-risk"]
    assert dag["description"] in dag["doc_md"]
    assert "Who repays a small loan." in dag["doc_md"]
    assert (dag["catchup"], dag["is_paused"]) == (False, False)


@pytest.mark.parametrize("name", NAMES)
def test_every_field_of_a_form_has_a_title_and_a_description(deployment: Deployment, name: str) -> None:
    params = _details(deployment, f"steady.{name}")["params"]
    assert list(params) == FORMS[name]
    assert all(field["schema"]["title"] and field["description"] for field in params.values())


@pytest.mark.parametrize("name", NAMES)
def test_the_graph_has_the_edges_of_the_data(deployment: Deployment, name: str) -> None:
    assert _edges(deployment, f"steady.{name}") == EDGES[name]


def test_mode_approve_puts_a_person_between_verdict_and_promotion(deployment: Deployment) -> None:
    assert _edges(deployment, "approved.retrain") == EDGES["retrain"] | ASKED


def _edges(deployment: Deployment, dag_id: str) -> set[tuple[str, str]]:
    tasks = deployment.airflow.http.get(f"/dags/{dag_id}/tasks")["tasks"]
    return {(task["task_id"], after) for task in tasks for after in task["downstream_task_ids"]}


def test_nothing_is_scheduled_after_the_end_of_the_policy(deployment: Deployment) -> None:
    for app in deployment.apps:
        assert _details(deployment, f"{app}.ingest")["next_dagrun_run_after"] is None
    assert not [run for run in deployment.airflow.runs() if run.run_type == "scheduled"]


def test_no_file_fails_to_import(deployment: Deployment) -> None:
    assert deployment.airflow.import_errors() == {}
