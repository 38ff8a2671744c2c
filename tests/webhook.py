"""A webhook that keeps what it gets: where Apprise's `json://` messages go in tests."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any


class Webhook(HTTPServer):
    """Listens on the loopback from its making to `stop`. status: what it answers; got: what it took."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.got: list[dict[str, Any]] = []
        self.status = 200
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        """As Apprise names it."""
        return f"json://127.0.0.1:{self.server_port}/"

    @property
    def subjects(self) -> list[str]:
        return [message["title"] for message in self.got]

    def stop(self) -> None:
        self.shutdown()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        webhook: Any = self.server
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if webhook.status == 200:
            webhook.got.append(body)
        self.send_response(webhook.status)
        self.end_headers()

    def log_message(self, *_: Any) -> None: ...
