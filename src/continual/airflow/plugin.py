"""What Airflow has to know: the product's pages and links, and two repairs of its embedded database."""

from __future__ import annotations

from functools import cached_property
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.plugins_manager import AirflowPlugin

from continual.airflow.links import DataDocsLink, ModelVersionLink, SlicesLink, VerdictLink
from continual.airflow.sqlite import repair
from continual.ui.addresses import APPLICATIONS, DOCS, PREFIX, SLICES_TAB, VERDICT_TAB

if TYPE_CHECKING:
    from fastapi import FastAPI


class Lazy:
    """An ASGI application that is built at its first request: every component of Airflow imports its plugins, only the
    API server serves them."""

    def __init__(self, module: str) -> None:
        """module: has `build`."""
        self._module = module

    @cached_property
    def _built(self) -> FastAPI:
        found: FastAPI = import_module(self._module).build()
        return found

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self._built(scope, receive, send)


def _view(name: str, route: str, destination: str, path: str) -> dict[str, str]:
    return {"name": name, "url_route": route, "destination": destination, "href": f"{_root()}{PREFIX}{path}"}


def _icons() -> dict[str, str]:
    static = f"{_root()}{PREFIX}/static"
    return {"icon": f"{static}/icon.svg", "icon_dark_mode": f"{static}/icon-dark.svg"}


def _root() -> str:
    """Path Airflow is served under, without a slash at its end."""
    from urllib.parse import urlsplit

    from airflow.configuration import conf

    return urlsplit(conf.get("api", "base_url", fallback="") or "").path.rstrip("/")


class ContinualPlugin(AirflowPlugin):  # type: ignore[misc]
    """Registered by entry point, and by plugins/ for deployments that copy files."""

    name = "continual"
    operator_extra_links: ClassVar = [ModelVersionLink(), VerdictLink(), SlicesLink(), DataDocsLink()]
    fastapi_apps: ClassVar = [
        {"app": Lazy("continual.airflow.pages"), "url_prefix": PREFIX, "name": "continual"},
        {"app": Lazy("continual.airflow.data_docs"), "url_prefix": DOCS, "name": "continual data docs"},
    ]
    external_views: ClassVar = [
        {**_view("Continual", APPLICATIONS, "nav", "/"), **_icons()},  # a longer name would be cut
        _view("Slices", SLICES_TAB, "dag", "/tab/slices?dag_id={DAG_ID}"),
        _view("Verdict", VERDICT_TAB, "dag_run", "/tab/run?dag_id={DAG_ID}&run_id={RUN_ID}"),
    ]

    @classmethod
    def on_load(cls, *_: Any, **__: Any) -> None:
        repair()
