"""`continual exporter`: the newest numbers for Prometheus."""

from __future__ import annotations

from typing import Annotated

import typer

from continual.cli.deployment import deployment
from continual.cli.options import HOME, ConfigsOption, HomeOption, examples
from continual.cli.output import say


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
    from continual.exporter import serve

    here = deployment(home, configs)
    here.check_exists()
    names = here.applications(apps or [])
    say(f"http://{host}:{port}/metrics serves {', '.join(names)}; Ctrl-C ends it", "green")
    serve(here.settings.database_url, names, port, host)
