"""`continual serve`: the champion behind HTTP."""

from __future__ import annotations

import socket
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated

import typer

from continual.cli.deployment import deployment
from continual.cli.options import HOME, ConfigsOption, HomeOption, OneApp, examples
from continual.cli.output import say
from continual.errors import ContinualError

if TYPE_CHECKING:
    from continual.serving.server import Server

_MB = 1 << 20


def register(app: typer.Typer) -> None:
    app.command(
        epilog=examples(
            "continual serve flights",
            "continual serve flights --port 8090 --canary 0.05",
            'curl -H "X-API-Key: $KEY" -d \'{"rows": [{"record_key": "a", "x": 1}]}\' http://127.0.0.1:8088/predict',
        )
    )(serve)


Port = Annotated[int, typer.Option("--port", min=0, max=65535, help="Port; 0 = any free one.")]
Host = Annotated[str, typer.Option("--host", help="Address to listen on.")]
Canary = Annotated[float, typer.Option("--canary", min=0, max=1, help="Share of keys the challenger answers.")]
Shadow = Annotated[bool, typer.Option("--shadow/--no-shadow", help="The challenger scores all rows for the log.")]
InboxOption = Annotated[
    str | None,
    typer.Option("--inbox", help="Folder or s3:// prefix the policy's source reads.", show_default="HOME/landing"),
]
ShipSeconds = Annotated[float, typer.Option("--ship-seconds", min=0.1, help="Answers reach the inbox this often.")]
SpoolMb = Annotated[int, typer.Option("--spool-mb", min=1, help="Answers that may wait while the inbox is away.")]
PollSeconds = Annotated[float, typer.Option("--poll-seconds", min=0.2, help="The registry is looked at this often.")]


def serve(
    app: OneApp = None,
    port: Port = 8088,
    host: Host = "127.0.0.1",
    canary: Canary = 0.0,
    shadow: Shadow = True,
    inbox: InboxOption = None,
    ship_seconds: ShipSeconds = 60.0,
    spool_mb: SpoolMb = 1024,
    poll_seconds: PollSeconds = 5.0,
    home: HomeOption = HOME,
    configs: ConfigsOption = None,
) -> None:
    """Answer rows with the champion over HTTP until Ctrl-C; follow promotions and rollbacks; log what was answered.

    POST /predict and /feedback, GET /version /healthz /metrics /openapi.json, and the V2 inference protocol. Every
    request needs an API key: CONTINUAL_SERVING_API_KEY, or the generated one in the home's secrets.json. An answer is
    on this machine's disk before it is given; it reaches the policy's source within a minute, whatever is killed.
    """
    from continual.flows.workspace import Workspace
    from continual.serving.server import Server, ServerOptions, api_keys
    from continual.serving.service import Options

    here = deployment(home, configs)
    here.check_exists()
    here.check_mlflow()
    ws = Workspace.open(here.application(app), settings=here.settings, run="serve")
    keys, origin = api_keys(ws)
    options = ServerOptions(keys, inbox, ship_seconds, spool_mb * _MB, poll_seconds, Options(canary, shadow))
    with Server(ws, options) as server:
        _run(server, host, port, origin)


def _run(server: Server, host: str, port: int, origin: str) -> None:
    import uvicorn

    listening = _listen(host, port)
    address, served = listening.getsockname(), server.serves.champion
    runner = uvicorn.Server(uvicorn.Config(server.app, access_log=False, log_level="warning", backlog=2048))
    version = served.version if served else "?"
    say(f"http://{address[0]}:{address[1]} answers with version {version}; key: {origin}; Ctrl-C ends it", "green")
    sys.stdout.flush()
    with suppress(KeyboardInterrupt):  # how it is meant to end
        runner.run(sockets=[listening])
    say("stopped; what was answered is shipped or waits in the spool", stderr=True)


def _listen(host: str, port: int) -> socket.socket:
    """
    Raises
    ------
    ContinualError: the address is taken, or not of this machine.
    """
    try:
        return socket.create_server((host, port), backlog=2048, reuse_port=False)
    except OSError as error:
        raise ContinualError(
            "The address must be free and of this machine.",
            f"{host}:{port}: {error.strerror or error}.",
            "name another with --port (0 = any free one) or --host.",
        ) from error
