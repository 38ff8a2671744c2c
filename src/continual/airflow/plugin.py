"""What Airflow has to know: the product's pages and links, and two repairs of its embedded database."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.plugins_manager import AirflowPlugin

from continual.airflow.links import ModelVersionLink, SlicesLink, VerdictLink
from continual.airflow.sqlite import repair
from continual.ui.addresses import APPLICATIONS, PREFIX, SLICES_TAB, VERDICT_TAB

if TYPE_CHECKING:
    from fastapi import FastAPI


class LazyPages:
    """An ASGI application that is built at its first request: every component of Airflow imports its plugins, only the
    API server serves them."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await _built()(scope, receive, send)


@cache
def _built() -> FastAPI:
    from continual.airflow.pages import build

    return build()


def _view(name: str, route: str, destination: str, path: str) -> dict[str, str]:
    return {"name": name, "url_route": route, "destination": destination, "href": f"{_root()}{PREFIX}{path}"}


def _root() -> str:
    """Path Airflow is served under, without a slash at its end."""
    from urllib.parse import urlsplit

    from airflow.configuration import conf

    return urlsplit(conf.get("api", "base_url", fallback="") or "").path.rstrip("/")


class ContinualPlugin(AirflowPlugin):  # type: ignore[misc]
    """Registered by entry point, and by plugins/ for deployments that copy files."""

    name = "continual"
    operator_extra_links: ClassVar = [ModelVersionLink(), VerdictLink(), SlicesLink()]
    fastapi_apps: ClassVar = [{"app": LazyPages(), "url_prefix": PREFIX, "name": "continual"}]
    external_views: ClassVar = [
        _view("Applications", APPLICATIONS, "nav", "/"),
        _view("Slices", SLICES_TAB, "dag", "/tab/slices?dag_id={DAG_ID}"),
        _view("Verdict", VERDICT_TAB, "dag_run", "/tab/run?dag_id={DAG_ID}&run_id={RUN_ID}"),
    ]

    @classmethod
    def on_load(cls, *_: Any, **__: Any) -> None:
        repair()
