"""The product's pages inside Airflow's API server, behind Airflow's own authentication and permissions.

Imported by the API server only, at the first request: see plugin.Lazy.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import AccessView, DagAccessEntity, DagDetails
from airflow.api_fastapi.core_api.security import GetUserDep, requires_access_view
from airflow.models.dag import DagModel
from airflow.utils.session import create_session
from fastapi import Depends, FastAPI, HTTPException, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse

from continual.settings import Settings
from continual.ui.pages import Pages, router, rows_router, static_file
from continual.ui.site import Site

FORBIDDEN = "Forbidden"


def build() -> FastAPI:
    """The application: who is not logged in is sent to the login, who may not see an application gets 403."""
    pages = Pages(Site(Settings.from_environment()), visible)
    app = FastAPI(title="continual", docs_url=None, redoc_url=None, openapi_url=None)
    signed_in = [Depends(requires_access_view(AccessView.PLUGINS)), Depends(_remember)]
    app.include_router(router(pages), dependencies=[*signed_in, Depends(_may_see)])
    # logged rows are data, as what tasks hand to each other is
    app.include_router(rows_router(pages), dependencies=[*signed_in, Depends(_may_see_data)])
    for path, show in (("/tab/slices", pages.slices), ("/tab/run", pages.run)):
        app.add_api_route(path, _tab(pages, show), dependencies=signed_in, include_in_schema=False)
    app.add_api_route("/static/{name}", static_file, include_in_schema=False)
    app.add_exception_handler(HTTPException, refused)
    return app


def _tab(pages: Pages, show: Callable[[Request, str], Response]) -> Callable[[Request, str], Response]:
    """What the tabs of a DAG and of a run open: they know a DAG, not an application."""

    def open_tab(request: Request, dag_id: str) -> Response:
        application = dag_id.rpartition(".")[0]
        if application not in pages.site.applications():
            return pages.foreign(request, dag_id)
        if not visible(request, [application]):
            raise HTTPException(403, FORBIDDEN)
        return show(request, application)

    return open_tab


def _remember(request: Request, user: GetUserDep) -> None:
    request.state.continual_user = user


def _may_see(request: Request) -> None:
    application = request.path_params.get("application")
    if application is not None and not visible(request, [application]):
        raise HTTPException(403, FORBIDDEN)


def _may_see_data(request: Request) -> None:
    if not visible(request, [request.path_params["application"]], DagAccessEntity.XCOM):
        raise HTTPException(403, FORBIDDEN)


def visible(request: Request, applications: Iterable[str], entity: DagAccessEntity | None = None) -> list[str]:
    """Those of the applications of which the user may read every DAG; one without a DAG is nobody's.

    entity: part of the DAGs that must be readable besides.
    """
    user = request.state.continual_user
    return [name for name in applications if _reads_all(user, _dags(name), entity)]


def _dags(application: str) -> set[str]:
    """Ids of an application's DAGs, those that are stale included: they may be back."""
    prefix = f"{application}."
    with create_session() as session:
        found = session.query(DagModel.dag_id).filter(DagModel.dag_id.startswith(prefix, autoescape=True)).all()
    return {dag_id for (dag_id,) in found if "." not in dag_id[len(prefix) :]}


def _reads_all(user: Any, dags: set[str], entity: DagAccessEntity | None) -> bool:
    manager, by_team = get_auth_manager(), defaultdict(set)
    for dag_id in dags:
        by_team[DagModel.get_team_name(dag_id)].add(dag_id)
    for team, ids in by_team.items():
        if manager.filter_authorized_dag_ids(dag_ids=ids, user=user, method="GET", team_name=team) != ids:
            return False
        details = [DagDetails(id=dag_id, team_name=team) for dag_id in ids if entity is not None]
        if not all(
            manager.is_authorized_dag(method="GET", access_entity=entity, details=d, user=user) for d in details
        ):
            return False
    return bool(dags)


async def refused(request: Request, error: Exception) -> Response:
    """A person without a login is sent there and comes back; a program is told the status."""
    if not isinstance(error, HTTPException):
        raise error
    if error.status_code == 401 and "text/html" in request.headers.get("accept", ""):
        return RedirectResponse(get_auth_manager().get_url_login(next_url=str(request.url)), 303)
    return JSONResponse({"detail": error.detail}, error.status_code)
