"""The page as an ASGI application: a token opens it, every form is checked, nothing of a row is taken for HTML."""

from __future__ import annotations

import hmac
import os
import secrets
from collections.abc import Mapping, Sequence
from importlib.resources import files
from threading import Lock
from typing import Annotated, Any
from urllib.parse import urlsplit

import jinja2
from fastapi import BackgroundTasks, Cookie, FastAPI, Form, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.exceptions import HTTPException
from starlette.middleware.trustedhost import TrustedHostMiddleware

from continual.desk.seat import Room, Sight
from continual.errors import ContinualError
from continual.flows import label_intake
from continual.labelers.label_studio import LabelStudio

COOKIE = "continual_desk"
LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
#: Half a day: longer than a shift, shorter than a forgotten browser.
STAYS = 12 * 3600
_PAGE = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(
    files("continual.desk").joinpath("page.html").read_text(encoding="utf-8")
)
Token = Annotated[str, Cookie(alias=COOKIE)]
Text = Annotated[str, Form()]


def make_desk(rooms: Mapping[str, Room], hosts: Sequence[str] = ()) -> FastAPI:
    """rooms: application -> its room. hosts: names under which the page is reached besides the loopback's.

    Everything below /<application>/; Label Studio's webhook at /hooks/label-studio/<application>.
    """
    app = FastAPI(title="Labelling", docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=[*LOOPBACK, *hosts])
    app.state.rooms, app.state.lock = dict(rooms), Lock()
    app.middleware("http")(_guard)
    app.get("/")(_index)
    app.get("/{name}/")(_page)
    app.post("/{name}/enter")(_enter)
    app.post("/{name}/leave")(_leave)
    app.post("/{name}/answer")(_answer)
    app.post("/{name}/back")(_back)
    app.post("/hooks/label-studio/{name}", status_code=202)(_hook)
    return app


async def _guard(request: Request, call_next: Any) -> Response:
    """A form must come from a page of ours; pages go into no cache and no frame."""
    origin = request.headers.get("origin")
    if request.method == "POST" and origin and urlsplit(origin).netloc != request.headers.get("host"):
        return Response("the form must come from this page\n", status_code=403, media_type="text/plain")
    request.state.nonce = nonce = secrets.token_urlsafe(16)
    answer: Response = await call_next(request)
    policy = f"default-src 'none'; style-src 'nonce-{nonce}'; script-src 'nonce-{nonce}'; form-action 'self'"
    answer.headers["Content-Security-Policy"] = f"{policy}; base-uri 'none'; frame-ancestors 'none'"
    answer.headers["X-Content-Type-Options"] = "nosniff"
    answer.headers["Referrer-Policy"] = "same-origin"
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _index(request: Request) -> Response:
    """With one application there is nothing to choose."""
    names = list(request.app.state.rooms)
    if len(names) == 1:
        return RedirectResponse(f"/{names[0]}/", status_code=303)
    return Response("".join(f"/{name}/\n" for name in names), media_type="text/plain")


def _page(request: Request, name: str, token: Token = "") -> Response:  # an empty token is nobody  # nosec B107
    room = _room(request, name)
    who = room.annotators.who(token) if token else None
    return _show(request, name, who, room.next(who) if who else None)


def _enter(request: Request, name: str, token: Text) -> Response:
    room = _room(request, name)
    if room.annotators.who(token.strip()) is None:
        return _show(request, name, None, None, error="Nobody has this token.", status=403)
    answer = RedirectResponse(f"/{name}/", status_code=303)
    secure = request.url.scheme == "https"
    answer.set_cookie(
        COOKIE, token.strip(), max_age=STAYS, path=f"/{name}/", secure=secure, httponly=True, samesite="strict"
    )
    return answer


def _leave(request: Request, name: str) -> Response:
    _room(request, name)
    answer = RedirectResponse(f"/{name}/", status_code=303)
    answer.delete_cookie(COOKIE, path=f"/{name}/")
    return answer


def _answer(request: Request, name: str, key: Text, label: Text = "", token: Token = "") -> Response:  # nosec B107
    room, who = _inside(request, name, token)
    try:
        room.answer(who, key, label)
    except ValueError as error:
        return _show(request, name, who, room.next(who), error=f"Not taken: {error}", status=422)
    return RedirectResponse(f"/{name}/", status_code=303)


def _back(request: Request, name: str, token: Token = "") -> Response:  # an empty token is nobody  # nosec B107
    room, who = _inside(request, name, token)
    last = room.last(who)
    if last is None:
        return RedirectResponse(f"/{name}/", status_code=303)
    return _show(request, name, who, last, again=True)


def _hook(request: Request, name: str, later: BackgroundTasks) -> dict[str, str]:
    """Label Studio says that something changed and waits a second for the answer; what changed is fetched after it,
    since what a stranger sends is not believed."""
    room = _room(request, name)
    labeler = room.workspace.policy.labeler
    secret = os.environ.get(labeler.secret_env) if isinstance(labeler, LabelStudio) else None
    said = request.headers.get("authorization", "")
    if not secret or not hmac.compare_digest(said.encode(), f"Bearer {secret}".encode()):
        raise HTTPException(403, "not the secret of this webhook")
    later.add_task(_fetch, room, request.app.state.lock)
    return {"status": "will be fetched"}


def _fetch(room: Room, lock: Lock) -> None:
    with lock:
        label_intake.fetch(room.workspace, room.now())
        label_intake.write_labels(room.workspace)


def _room(request: Request, name: str) -> Room:
    found: Room | None = request.app.state.rooms.get(name)
    if found is None:
        raise HTTPException(404, "no such application here")
    return found


def _inside(request: Request, name: str, token: str) -> tuple[Room, str]:
    room = _room(request, name)
    who = room.annotators.who(token) if token else None
    if who is None:
        raise HTTPException(401, "come in with a token first")
    return room, who


def _show(
    request: Request,
    name: str,
    who: str | None,
    sight: Sight | None,
    *,
    error: str = "",
    again: bool = False,
    status: int = 200,
) -> Response:
    page = _PAGE.render(app=name, who=who, sight=sight, error=error, again=again, nonce=request.state.nonce)
    return HTMLResponse(page, status_code=status)


def serve(rooms: Mapping[str, Room], host: str, port: int, hosts: Sequence[str] = ()) -> None:
    """Answer until interrupted.

    Raises
    ------
    ContinualError: the address is taken or not of this machine.
    """
    import socket

    import uvicorn

    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError as error:
        raise ContinualError(
            "The address must be free and of this machine.",
            f"{host}:{port}: {error.strerror or error}.",
            "name another with --port or --host.",
        ) from error
    config = uvicorn.Config(make_desk(rooms, [host, *hosts]), log_level="warning", access_log=False)
    uvicorn.Server(config).run([listening])
