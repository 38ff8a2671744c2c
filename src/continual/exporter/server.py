"""The endpoint: OpenMetrics or Prometheus text, by what the client accepts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from continual.exporter.collector import LIMIT, StoreCollector
from continual.stores.clock import Clock, wall_clock

if TYPE_CHECKING:
    from wsgiref.simple_server import WSGIServer

App = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
LOOPBACK = "127.0.0.1"


def make_app(database_url: str, applications: Sequence[str] = (), limit: int = LIMIT, clock: Clock = wall_clock) -> App:
    """A WSGI application that answers /metrics. applications: names, none = all that are in the store. limit: pairs of
    slice and metric of one application.

    Raises
    ------
    StoreError: the URL names no supported database. A database that does not answer is said by the answer.
    """
    from prometheus_client import CollectorRegistry, make_wsgi_app

    from continual.stores.database import open_database

    registry = CollectorRegistry()
    registry.register(StoreCollector(open_database(database_url), applications, limit, clock))
    metrics: App = make_wsgi_app(registry)

    def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environ.get("PATH_INFO", "") in ("/metrics", "/metrics/"):
            return metrics(environ, start_response)
        found = environ.get("PATH_INFO") == "/"
        start_response("200 OK" if found else "404 Not Found", [("Content-Type", "text/plain; charset=utf-8")])
        return [b"The metrics are at /metrics.\n"]

    return answer


def server(app: App, port: int, host: str = LOOPBACK) -> WSGIServer:
    """A server bound to host and port (0 = any free one), a thread a request; call `serve_forever`.

    It asks nobody who they are: name another host than the loopback only behind something that does.
    """
    from socketserver import ThreadingMixIn
    from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

    class Threaded(ThreadingMixIn, WSGIServer):
        daemon_threads = True

    class Silent(WSGIRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:
            """A line a scrape is noise."""

    return make_server(host, port, app, Threaded, Silent)


def serve(
    database_url: str, applications: Sequence[str] = (), port: int = 9464, host: str = LOOPBACK, limit: int = LIMIT
) -> None:
    """Answer until interrupted."""
    with server(make_app(database_url, applications, limit), port, host) as running:
        running.serve_forever()
