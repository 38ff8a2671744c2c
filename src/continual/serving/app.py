"""The HTTP face: a JSON API of our own, the V2 inference protocol, health and metrics. Every answer is JSON."""

from __future__ import annotations

import hmac
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from time import perf_counter
from typing import Any

from fastapi import Depends, FastAPI, HTTPException, Request, Response
from fastapi.responses import JSONResponse
from pydantic_core import from_json

from continual.errors import BatchError, ContinualError, ModelUnavailable
from continual.serving import protocol_v2
from continual.serving.batcher import Batcher, Overloaded
from continual.serving.openapi import FEEDBACK, predict_body
from continual.serving.rows import Row
from continual.serving.service import Service
from continual.serving.spool import SpoolFull

_STATUS: dict[type[Exception], int] = {BatchError: 422, SpoolFull: 503, ModelUnavailable: 503}
_OPEN = {"/healthz", "/v2/health/live", "/v2/health/ready"}


@dataclass(frozen=True)
class Limits:
    """max_body: bytes of a request. max_rows: rows of a request."""

    max_body: int = 4 << 20
    max_rows: int = 2_000


def make_app(service: Service, keys: Sequence[str], limits: Limits | None = None) -> FastAPI:
    """The application for an ASGI server.

    keys: API keys, one of which every request must carry (`Authorization: Bearer KEY` or `X-API-Key: KEY`), except
    the health checks.

    Raises
    ------
    ValueError: no key.
    """
    if not [key for key in keys if key]:
        raise ValueError("at least one API key is needed")
    limits, batcher = limits or Limits(), Batcher(service.answer)

    @asynccontextmanager
    async def life(_: FastAPI) -> AsyncIterator[None]:
        yield
        batcher.close()

    # no docs_url: its page loads scripts from elsewhere
    app = FastAPI(
        title=f"continual: {service.app}", docs_url=None, redoc_url=None, lifespan=life, openapi_url="/openapi.json"
    )
    app.middleware("http")(_metered(service))
    app.exception_handler(ContinualError)(_refused)
    app.exception_handler(Overloaded)(_overloaded)
    allowed = Depends(_key_check(keys))
    _add_own(app, service, batcher, limits, allowed)
    _add_v2(app, service, batcher, limits, allowed)
    return app


def _add_own(app: FastAPI, service: Service, batcher: Batcher, limits: Limits, allowed: Any) -> None:
    @app.post("/predict", dependencies=[allowed], openapi_extra=predict_body(service.rules))
    async def predict(request: Request) -> JSONResponse:
        """Answer rows with the champion; the answers are kept before they are given."""
        rows = _listed(await _body(request, limits), "rows", limits)
        answers = await batcher.submit(service.rules.checked(rows, datetime.now(UTC)))
        return JSONResponse({"predictions": answers})

    @app.post("/feedback", dependencies=[allowed], openapi_extra=FEEDBACK)
    async def feedback(request: Request) -> JSONResponse:
        """Take labels: what turned out to be true of earlier rows."""
        return JSONResponse({"taken": service.feedback(_listed(await _body(request, limits), "labels", limits))})

    @app.get("/version", dependencies=[allowed])
    async def version() -> JSONResponse:
        """Which version answers, and which columns it reads: asked after a promotion or rollback."""
        return JSONResponse(dict(service.state()))

    @app.post("/reload", dependencies=[allowed])
    def reload() -> JSONResponse:
        """Look at the registry now instead of at the next poll."""
        service.serves.look()
        return JSONResponse(dict(service.state()))

    @app.get("/healthz")
    async def healthz() -> JSONResponse:
        """200 while rows are answered; `problem` says what does not go as it should."""
        state = service.state()
        return JSONResponse({"status": "degraded" if state["problem"] else "ok", "problem": state["problem"]})

    @app.get("/metrics", dependencies=[allowed])
    async def metrics() -> Response:
        """Counters for Prometheus."""
        return Response(service.meters.text(), media_type="text/plain; version=0.0.4; charset=utf-8")


def _add_v2(app: FastAPI, service: Service, batcher: Batcher, limits: Limits, allowed: Any) -> None:
    """The Open Inference Protocol (V2) that MLServer, KServe and Triton speak, tensors of one dimension a column."""
    path = f"/v2/models/{service.app}"

    @app.get("/v2/health/live")
    @app.get("/v2/health/ready")
    async def ready() -> JSONResponse:
        return JSONResponse({"live": True, "ready": True})

    @app.get(path, dependencies=[allowed])
    async def metadata() -> JSONResponse:
        return JSONResponse(protocol_v2.metadata(service))

    @app.post(f"{path}/infer", dependencies=[allowed])
    async def infer(request: Request) -> JSONResponse:
        body = await _body(request, limits)
        rows = protocol_v2.rows_of(body, limits.max_rows)
        answers = await batcher.submit(service.rules.checked(rows, datetime.now(UTC)))
        return JSONResponse(protocol_v2.answer(service, body, answers))


async def _body(request: Request, limits: Limits) -> dict[str, Any]:
    """The JSON object that was sent, read no further than `max_body`."""
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > limits.max_body:
            raise HTTPException(413, f"A request must have at most {limits.max_body:,} bytes. Send fewer rows.")
        parts.append(part)
    try:
        body = from_json(b"".join(parts), allow_inf_nan=False)
    except ValueError as error:
        raise HTTPException(400, f"The body must be JSON. {str(error)[:200]}") from error
    if not isinstance(body, dict):
        raise HTTPException(400, f"The body must be a JSON object. It is {type(body).__name__}.")
    return body


def _listed(body: dict[str, Any], name: str, limits: Limits) -> list[Row]:
    found = body.get(name)
    if not isinstance(found, list) or not found:
        raise HTTPException(422, f"The body must hold a list {name!r} with at least one item.")
    if len(found) > limits.max_rows:
        raise HTTPException(413, f"A request must have at most {limits.max_rows:,} {name}; it has {len(found):,}.")
    return found


def _key_check(keys: Sequence[str]) -> Callable[[Request], None]:
    known = [key.encode() for key in keys if key]

    def check(request: Request) -> None:
        bearer = request.headers.get("authorization", "")
        given = bearer[7:] if bearer.lower().startswith("bearer ") else request.headers.get("x-api-key", "")
        # every key is compared, so that time tells nothing
        if not any([hmac.compare_digest(given.encode(), key) for key in known]):
            remedy = "send Authorization: Bearer KEY"
            raise HTTPException(401, f"A valid API key is needed: {remedy}.", {"WWW-Authenticate": "Bearer"})

    return check


def _metered(service: Service) -> Callable[[Request, Callable[[Request], Awaitable[Response]]], Awaitable[Response]]:
    async def meter(request: Request, call: Callable[[Request], Awaitable[Response]]) -> Response:
        begun = perf_counter()
        response = await call(request)
        route = request.scope.get("route")
        path = route.path if route else "other"  # paths of attackers are no labels
        service.meters.requests.labels(path, response.status_code).inc()
        service.meters.seconds.labels(path).observe(perf_counter() - begun)
        return response

    return meter


async def _refused(_: Request, error: Exception) -> JSONResponse:
    status = next((code for kind, code in _STATUS.items() if isinstance(error, kind)), 500)
    headers = {"Retry-After": "5"} if status == 503 else None
    return JSONResponse({"detail": str(error)}, status, headers)


async def _overloaded(_: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"detail": f"The server is busy: {error}. Try again."}, 429, {"Retry-After": "1"})
