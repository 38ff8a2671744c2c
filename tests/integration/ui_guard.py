"""Asks the pages inside Airflow's real API application, as several users; prints the answers as JSON.

Run in a process of its own, with the environment of a deployment whose Airflow database is migrated.
"""

from __future__ import annotations

import json
import sys
from typing import Any

#: May not read one DAG of `loans`; may not read what tasks hand to each other.
STRANGER, CLERK = "stranger", "clerk"
HIDDEN = "loans.rollback"


def main() -> None:
    from airflow.api_fastapi.app import create_app, get_auth_manager
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
    from starlette.testclient import TestClient

    from continual.airflow.pages import build

    web = TestClient(create_app(apps="core"), base_url="http://127.0.0.1:8080", follow_redirects=False)
    _parsed("loans.ingest", "loans.monitor", "loans.retrain", HIDDEN, "other.dag")
    users: dict[str, dict[str, str]] = {"nobody": {}, "forger": {"Authorization": "Bearer x.y.z"}}
    for name in ("viewer", STRANGER, CLERK):
        token = get_auth_manager().generate_jwt(SimpleAuthManagerUser(username=name, role="viewer"))
        users[name] = {"Authorization": f"Bearer {token}"}
    out: dict[str, dict[str, list[Any]]] = {}
    for name, headers in users.items():
        out[name] = {path: _ask(web, path, headers) for path in sys.argv[1:]}
    out["browser"] = {path: _ask(web, path, {"Accept": "text/html"}) for path in sys.argv[1:]}
    print("\nROUTES " + json.dumps([route.path_regex.pattern for route in build().routes]))
    print("ANSWERS " + json.dumps(out))


def _ask(web: Any, path: str, headers: dict[str, str]) -> list[Any]:
    answer = web.get(path, headers=headers)
    return [answer.status_code, answer.headers.get("location", ""), "loans" in answer.text]


def _parsed(*dag_ids: str) -> None:
    """What the DAG processor would have written."""
    from airflow.models.dag import DagModel
    from airflow.models.dagbundle import DagBundleModel
    from airflow.utils.session import create_session

    with create_session() as session:
        session.merge(DagBundleModel(name="tests"))
        session.flush()
        for dag_id in dag_ids:
            session.merge(DagModel(dag_id=dag_id, bundle_name="tests", fileloc="tests.py"))


def manager() -> type:
    """Airflow's simple auth manager, with two users who may not read everything."""
    from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
    from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager

    class Selective(SimpleAuthManager):  # type: ignore[misc]
        def is_authorized_dag(self, *, method: Any, user: Any, access_entity: Any = None, details: Any = None) -> bool:
            if user.username == STRANGER and details is not None and details.id == HIDDEN:
                return False
            if user.username == CLERK and access_entity is DagAccessEntity.XCOM:
                return False
            return bool(
                super().is_authorized_dag(method=method, user=user, access_entity=access_entity, details=details)
            )

    return Selective


if __name__ == "__main__":
    main()
else:
    SelectiveAuthManager = manager()
