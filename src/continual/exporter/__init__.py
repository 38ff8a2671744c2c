"""The newest numbers of the evaluation store, for Prometheus."""

from continual.exporter.server import make_app, serve, server

__all__ = ["make_app", "serve", "server"]
