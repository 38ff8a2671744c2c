"""Run as a program: people with and without permissions ask Airflow's real authentication for Data Docs.

Prints what each visit was answered as JSON. AIRFLOW_HOME and CONTINUAL_HOME are the caller's.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager
from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser


class Picky(SimpleAuthManager):  # type: ignore[misc]
    """A viewer named `clerk` sees DAGs, not what their tasks hand to each other; `visitor` no DAG of loans."""

    def is_authorized_dag(self, *, access_entity: Any = None, details: Any = None, user: Any, **kwargs: Any) -> bool:
        if user.username == "clerk" and access_entity == DagAccessEntity.XCOM:
            return False
        if user.username == "visitor" and details and details.id == "loans.ingest":
            return False
        allowed = super().is_authorized_dag(access_entity=access_entity, details=details, user=user, **kwargs)
        return bool(allowed)


def main(batch: str) -> None:
    from airflow.api_fastapi.app import init_auth_manager
    from airflow.utils.db import initdb
    from fastapi import FastAPI
    from starlette.testclient import TestClient

    from continual.airflow.plugin import ContinualPlugin

    initdb()
    outer = FastAPI()
    manager = init_auth_manager(outer)
    for mounted in ContinualPlugin.fastapi_apps:
        outer.mount(mounted["url_prefix"], mounted["app"])
    client = TestClient(outer)
    people: dict[str, str | None] = {"nobody": None, "forger": "x.y.z"}
    for name in ("ann", "clerk", "visitor"):
        people[name] = manager.generate_jwt(SimpleAuthManagerUser(username=name, role="viewer"))
    paths = ["loans.ingest/", f"loans.ingest/{batch}", "rent.ingest/", f"rent.ingest/{batch}"]
    paths += [f"loans.retrain/{batch}", "loans.ingest/..%2F..%2Fsecret", f"..%2Floans.ingest/{batch}"]
    paths += [f"loans.ingest/{batch}.html", "loans.ingest/?as_of=2020-01-01"]
    found: dict[str, Any] = {}
    for name, token in people.items():
        head = {"Authorization": f"Bearer {token}"} if token else {}
        for path in paths:
            answer = client.get(f"/continual-docs/{path}", headers=head)
            found[f"{name} {path}"] = [answer.status_code, dict(answer.headers), answer.text]
    print("RESULT" + json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1])
