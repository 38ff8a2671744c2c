"""Policy files -> DAGs. One invalid file never stops another application: it is reported in a file of its own."""

from __future__ import annotations

from typing import Any

from continual.errors import PolicyError
from continual.policy.last_good import PolicyShelf
from continual.settings import Settings


def register_applications(namespace: dict[str, Any]) -> None:
    """Put the DAGs of every application with a policy in force into a DAG file's namespace; where a task is about to
    run, those of its own application."""
    from airflow.sdk import get_parsing_context

    from continual.airflow.dags import application_dags

    shelf = _shelf()
    wanted = (get_parsing_context().dag_id or "").rpartition(".")[0]
    for application in [wanted] if wanted else shelf.applications():
        try:
            policy = shelf.in_force(application).loaded.policy
        except PolicyError:
            continue  # config_errors.py shows it
        for dag in application_dags(policy):
            namespace[dag.dag_id.replace(".", "_")] = dag


def raise_config_errors() -> None:
    """
    Raises
    ------
    PolicyError: all invalid policy files, with what is in force instead.
    """
    shelf = _shelf()
    problems = [f"{name}: policy files end in .yaml" for name in shelf.strays()]
    remedies = [f"rename {name}" for name in shelf.strays()]
    for application in shelf.applications():
        try:
            problem = shelf.in_force(application).problem
            state = "its last good policy stays in force"
        except PolicyError as error:
            problem, state = str(error), "it has no DAGs until it is valid"
        if problem is not None:
            problems.append(problem)
            remedies.append(f"correct {application}.yaml ({state})")
    if problems:
        raise PolicyError("Every policy file must be valid.", " || ".join(problems), "; ".join(remedies))


def _shelf() -> PolicyShelf:
    settings = Settings.from_environment()
    return PolicyShelf(settings.home, settings.configs)
