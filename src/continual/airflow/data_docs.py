"""Data Docs in Airflow's API server, behind its login: the pages of an application for whoever may see its ingest DAG.

Imported by the API server only, at the first request: see plugin.Lazy.
"""

from __future__ import annotations

import html
from urllib.parse import quote

from airflow.api_fastapi.auth.managers.models.resource_details import AccessView, DagAccessEntity
from airflow.api_fastapi.core_api.security import requires_access_dag, requires_access_view
from fastapi import Depends, FastAPI, HTTPException
from fastapi.responses import HTMLResponse

from continual.airflow.pages import refused
from continual.errors import StoreError
from continual.flows.data_docs import DataDocs, Doc
from continual.settings import Settings

#: Pages show delivered values: should one be taken for markup after all, it runs nothing and reaches nothing.
GUARD = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'self'",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "private, no-store",
}
STYLE = (
    "body{font:15px system-ui,sans-serif;margin:2em auto;max-width:70em;color:#222}table{border-collapse:collapse}"
    "td,th{padding:.35em .8em;text-align:left;vertical-align:top;border-bottom:1px solid #ddd}"
    ".refused{color:#b71c1c}.partly{color:#8a6d00}.passed{color:#1b5e20}"
)


def build() -> FastAPI:
    """`/{dag_id}/` lists the pages of the application of this ingest DAG, `/{dag_id}/{batch}` is one."""
    app = FastAPI(title="continual data docs", docs_url=None, redoc_url=None, openapi_url=None)
    # delivered values are data, as what tasks hand to each other is
    seen = [
        Depends(requires_access_view(AccessView.PLUGINS)),
        Depends(requires_access_dag("GET", DagAccessEntity.XCOM)),
    ]
    app.add_api_route("/{dag_id}/", index, dependencies=seen, response_class=HTMLResponse)
    app.add_api_route("/{dag_id}/{batch}", one, dependencies=seen, response_class=HTMLResponse)
    app.add_exception_handler(HTTPException, refused)
    return app


def index(dag_id: str, as_of: str | None = None) -> HTMLResponse:
    """Every page kept, or those of the run of an instant."""
    found = _docs(dag_id).list(as_of)
    rows = "".join(_row(doc) for doc in found) or "<tr><td colspan=5>No batch with expectations was judged.</td></tr>"
    head = "<tr><th>As of<th>Stream<th>Batch<th>Verdict<th>Reason</tr>"
    title = f"Data Docs: {html.escape(dag_id.rpartition('.')[0])}"
    every = '<p><a href="./">All batches</a></p>' if as_of else ""
    text = (
        f"<!doctype html><title>{title}</title><style>{STYLE}</style><h1>{title}</h1>{every}<table>{head}{rows}</table>"
    )
    return HTMLResponse(text, headers=GUARD)


def one(dag_id: str, batch: str) -> HTMLResponse:
    """The page of a batch as Great Expectations renders it."""
    text = _docs(dag_id).read(batch)
    if text is None:
        raise HTTPException(404, "There is no page of this batch: it was judged without expectations, or is too old.")
    return HTMLResponse(text, headers=GUARD)


def _docs(dag_id: str) -> DataDocs:
    application, _, name = dag_id.rpartition(".")
    try:
        if name == "ingest":
            return DataDocs(Settings.from_environment().home, application)
    except StoreError:
        pass  # no name an application can have
    raise HTTPException(404, "There are Data Docs of ingest DAGs only.")


def _row(doc: Doc) -> str:
    link = f'<a href="{quote(doc.batch, safe="")}">{html.escape(doc.name)}</a>'
    cells = [html.escape(doc.as_of[:16]), html.escape(doc.stream), link]
    cells += [f"<span class={html.escape(doc.verdict)}>{html.escape(doc.verdict)}</span>", html.escape(doc.reason)]
    return "<tr>" + "".join(f"<td>{cell}" for cell in cells) + "</tr>"
