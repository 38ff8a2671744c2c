"""`continual exporter`: the newest numbers for Prometheus."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated

import typer

from continual.cli.deployment import deployment
from continual.cli.options import HOME, ConfigsOption, HomeOption, examples
from continual.cli.output import say
from continual.errors import ContinualError

if TYPE_CHECKING:
    from wsgiref.simple_server import WSGIServer

    from continual.exporter.server import App


def register(app: typer.Typer) -> None:
    app.command(epilog=examples("continual exporter", "continual exporter flights --port 9500"))(exporter)


def exporter(
    apps: Annotated[
        list[str] | None, typer.Argument(metavar="[APP]...", help="Applications; default: all.", show_default=False)
    ] = None,
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="Port; 0 = any free one.")] = 9464,
    host: Annotated[
        str, typer.Option("--host", help="Address to listen on; anybody who reaches it may read.")
    ] = "127.0.0.1",
    home: HomeOption = HOME,
    configs: ConfigsOption = None,
) -> None:
    """Serve the newest evaluations, label coverage, champions and open quarantine as OpenMetrics until Ctrl-C.

    Scrape http://HOST:PORT/metrics. It reads the evaluation store only: it works while Airflow and MLflow are down.
    """
    from continual.exporter import make_app

    here = deployment(home, configs)
    here.check_exists()
    names = here.applications(apps or [])
    with _listening(make_app(here.settings.database_url, names), port, host) as running:
        say(f"http://{host}:{running.server_port}/metrics serves {', '.join(names)}; Ctrl-C ends it", "green")
        sys.stdout.flush()
        with suppress(KeyboardInterrupt):  # how it is meant to end
            running.serve_forever()


def _listening(app: App, port: int, host: str) -> WSGIServer:
    """
    Raises
    ------
    ContinualError: the address is taken, or not of this machine.
    """
    from continual.exporter import server

    try:
        return server(app, port, host)
    except OSError as error:
        raise ContinualError(
            "The address must be free and of this machine.",
            f"{host}:{port}: {error.strerror or error}.",
            "name another with --port (0 = any free one) or --host.",
        ) from error
