"""From a request to a page: routes, templates, and what is said when something is missing or broken."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache, partial
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import FileResponse, HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined

from continual.errors import ContinualError, NotEnoughData, PolicyError, StoreError
from continual.flows.workspace import Workspace
from continual.plots.style import number
from continual.ui.addresses import PREFIX, Addresses, link
from continual.ui.asked import Asked, NotFound
from continual.ui.heat import heat_map
from continual.ui.history import history, one_day
from continual.ui.ledger import Chains, entry_page, evidence_json, ledger_page
from continual.ui.overview import overview
from continual.ui.rows import rows_behind
from continual.ui.site import Site
from continual.ui.timeline import timeline
from continual.ui.verdict import run_of, run_page, verdict_page

STATIC = Path(__file__).parent / "static"
#: Nothing inline, nothing from elsewhere, shown in Airflow's own frames only.
POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; form-action 'self'; "
    "frame-ancestors 'self'; base-uri 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}
#: Kind of error -> status. Having nothing to show yet is no error.
STATUS: tuple[tuple[type[ContinualError], int], ...] = (
    (NotEnoughData, 200), (NotFound, 404), (StoreError, 503), (PolicyError, 503),
)  # fmt: skip

Visible = Callable[[Request, Iterable[str]], list[str]]
Read = Callable[[Workspace], dict[str, Any]]


@dataclass
class Pages:
    """site: what is shown. visible: which of some applications the user of a request may see."""

    site: Site
    visible: Visible
    chains: Chains = field(default_factory=Chains)

    # --- pages of an application ---

    def slices(self, request: Request, application: str) -> Response:
        return self._show(request, application, "slices", lambda ws: {"map": heat_map(ws, _asked(request))})

    def history(self, request: Request, application: str) -> Response:
        return self._show(request, application, "history", lambda ws: {"history": history(ws, _asked(request))})

    def rows(self, request: Request, application: str) -> Response:
        return self._show(request, application, "rows", lambda ws: {"behind": rows_behind(ws, _asked(request))})

    def verdict(self, request: Request, application: str) -> Response:
        return self._show(request, application, "verdict", lambda ws: {"found": verdict_page(ws, _asked(request))})

    def run(self, request: Request, application: str) -> Response:
        return self._show(request, application, "run", lambda ws: {"run": run_page(ws, _asked(request))})

    def timeline(self, request: Request, application: str) -> Response:
        base = _addresses(request, self.site).app(application)
        return self._show(request, application, "timeline", lambda ws: {"line": timeline(ws, _asked(request), base)})

    def ledger(self, request: Request, application: str) -> Response:
        return self._show(
            request, application, "ledger", lambda ws: {"found": ledger_page(ws, _asked(request), self.chains)}
        )

    def entry(self, request: Request, application: str, seq: int) -> Response:
        return self._show(request, application, "entry", lambda ws: {"found": entry_page(ws, seq)})

    def evidence(self, request: Request, application: str, seq: int) -> Response:
        try:
            text = evidence_json(self.site.open(application), seq)
        except ContinualError as error:
            return self.refuse(request, application, error)
        name = f'attachment; filename="{application}-{seq}.json"'
        return Response(text, media_type="application/json", headers={**HEADERS, "Content-Disposition": name})

    # --- pages of the deployment ---

    def home(self, request: Request) -> Response:
        names = self.visible(request, self.site.applications())
        return _render(request, self.site, "applications", None, {"found": overview(self.site, names)})

    def foreign(self, request: Request, dag_id: str) -> Response:
        """A tab of a DAG that is none of ours."""
        return _render(request, self.site, "foreign", None, {"dag_id": dag_id})

    # --- how ---

    def _show(self, request: Request, application: str, name: str, read: Read) -> Response:
        try:
            ws = self.site.open(application)
            return _render(request, self.site, name, application, {**read(ws), "policy": ws.policy})
        except ContinualError as error:
            return self.refuse(request, application, error)

    def refuse(self, request: Request, application: str | None, error: ContinualError) -> Response:
        """A sentence instead of a page."""
        status = next((code for kind, code in STATUS if isinstance(error, kind)), 400)
        return _render(request, self.site, "sentence", application, {"error": error}, status)


def router(pages: Pages) -> APIRouter:
    """The routes of everything but the static files; whoever mounts them guards them."""
    out = APIRouter()
    add = partial(out.add_api_route, methods=["GET"], include_in_schema=False)
    add("/", pages.home)
    for name in ("slices", "verdict", "run", "timeline", "ledger"):
        add(f"/apps/{{application}}/{name}", getattr(pages, name))
    add("/apps/{application}/slices/history", pages.history)
    add("/apps/{application}/ledger/{seq}", pages.entry)
    add("/apps/{application}/ledger/{seq}/evidence.json", pages.evidence)
    return out


def rows_router(pages: Pages) -> APIRouter:
    """The rows behind a number: whoever mounts this may ask for more than for the others."""
    out = APIRouter()
    out.add_api_route("/apps/{application}/slices/rows", pages.rows, methods=["GET"], include_in_schema=False)
    return out


def static_file(name: str) -> Response:
    """A style sheet, script or icon; there are no others."""
    if name not in ("pages.css", "pages.js", "icon.svg", "icon-dark.svg"):
        return Response(status_code=404)
    return FileResponse(STATIC / name, headers={**HEADERS, "Cache-Control": "max-age=300"})


def _asked(request: Request) -> Asked:
    return Asked(dict(request.query_params))


def _addresses(request: Request, site: Site) -> Addresses:
    root = str(request.scope.get("root_path", ""))
    return Addresses(root.removesuffix(PREFIX), os.environ.get("CONTINUAL_MLFLOW_URL") or site.settings.tracking_uri)


def _render(
    request: Request, site: Site, name: str, application: str | None, values: dict[str, Any], status: int = 200
) -> Response:
    to = _addresses(request, site)
    base = to.app(application) if application else to.home.rstrip("/")
    query = defaultdict(str, request.query_params)
    text = _environment().get_template(f"{name}.html").render(
        page=name, application=application, to=to, base=base, query=query, **values
    )  # fmt: skip
    return HTMLResponse(text, status, HEADERS)


@cache
def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("continual", "ui/templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals.update(link=link, run_of=run_of, one_day=one_day)
    made.filters.update(
        number=number, instant=lambda t: f"{t:%Y-%m-%d %H:%M}Z", typed=_typed, signed=_signed, percent=_percent
    )
    return made


def _typed(instant: datetime) -> str:
    """As people type it: midnight is a date."""
    text = instant.isoformat().replace("+00:00", "Z")
    return text.removesuffix("T00:00:00Z")


def _signed(value: float | None) -> str:
    return "undefined" if value is None else f"{value:+.4f}"


def _percent(value: float | None, digits: int = 0) -> str:
    return "-" if value is None else f"{value:.{digits}%}"
