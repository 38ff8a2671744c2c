"""Everything a serving process is made of, from a workspace, and its life."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from continual.errors import PolicyError
from continual.serving.meters import Meters
from continual.serving.serves import Serves
from continual.serving.service import Options, Service
from continual.serving.shipping import Shipper
from continual.serving.spool import Spool

if TYPE_CHECKING:
    from fastapi import FastAPI

    from continual.flows.workspace import Workspace

KEY = "CONTINUAL_SERVING_API_KEY"


@dataclass(frozen=True)
class ServerOptions:
    """inbox: where predictions and labels go (default: `landing` under the home). keys: API keys. ship_seconds: how
    old a spool segment gets before it is shipped. spool_bytes: what may wait for inbox and log. poll_seconds: between
    two looks at the registry."""

    keys: tuple[str, ...]
    inbox: str | None = None
    ship_seconds: float = 60.0
    spool_bytes: int = 1 << 30
    poll_seconds: float = 5.0
    answering: Options = field(default_factory=Options)


class Server:
    """`with Server(ws, options) as server:` answers at `server.app` until the block ends; then the spool is shipped."""

    def __init__(self, ws: Workspace, options: ServerOptions) -> None:
        self.ws, self.options = ws, options
        inbox = options.inbox or str(ws.settings.home / "landing")
        check_source(ws, inbox)
        meters = Meters(ws.app)
        self.spool = Spool(
            ws.settings.home / "spool" / ws.app, options.spool_bytes, segment_seconds=options.ship_seconds
        )
        self.serves = Serves(
            ws, options.poll_seconds, challenge=options.answering.shadow or options.answering.canary > 0
        )
        self.service = Service(ws, self.serves, self.spool, meters, options.answering)
        kinds = dict(self.service.rules.kinds)
        self.shipper = Shipper(ws.app, self.spool, inbox, kinds, ws.log.append_scores)
        self._watch(meters)

    def _watch(self, meters: Meters) -> None:
        shipped = self.shipper.shipped
        meters.watch("spool_bytes", "Bytes that wait in the spool.", lambda: self.spool.size)
        meters.watch("ship_failures", "Attempts to ship that failed.", lambda: shipped.failures)
        for stream in shipped.rows:
            meters.watch(
                f"shipped_{stream}", f"Rows of {stream} that arrived.", partial(shipped.rows.__getitem__, stream)
            )
        meters.watch("degraded", "1 while the registry's version is not the one that answers.", self._degraded)
        meters.watch("version", "Version that answers.", lambda: _number(self.serves.champion))

    def _degraded(self) -> float:
        return float(self.serves.problem is not None)

    @property
    def app(self) -> FastAPI:
        from continual.serving.app import make_app

        return make_app(self.service, self.options.keys)

    def __enter__(self) -> Server:
        self.serves.start()
        self.shipper.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.serves.stop()
        self.shipper.stop()


def _number(served: Any) -> float:
    return float(served.version) if served and served.version.isdigit() else -1.0


def check_source(ws: Workspace, inbox: str) -> None:
    """What is written here must be what the policy's source reads: else answers would never enter the log.

    Raises
    ------
    PolicyError: with the lines the policy should have.
    """
    source = ws.policy.source
    if source.kind != "folder":
        return  # the operator's own way: a database that is fed from the inbox, say
    from fnmatch import fnmatch

    place = f"{inbox.rstrip('/')}/{ws.app}/predictions"
    read = str(getattr(source, "predictions", ""))
    read = read if "://" in read or Path(read).is_absolute() else str(ws.settings.home / read)
    pattern = str(getattr(source, "pattern", ""))
    if read.rstrip("/") != place or not fnmatch("2013-01-01-0f.parquet", pattern.replace("{date}", "2013-01-01")):
        shown = place.removeprefix(f"{ws.settings.home}/")
        raise PolicyError(
            "The policy's source must read what the server writes.",
            f"the server writes {shown}/<day>-<id>.parquet, the policy reads {read}/{pattern}.",
            f"set source: {{kind: folder, predictions: {shown}, labels: {shown.removesuffix('predictions')}labels, "
            'pattern: "{date}-*.parquet"}, or name another --inbox.',
        )


def api_keys(ws: Workspace) -> tuple[tuple[str, ...], str]:
    """Keys, and where they are from: CONTINUAL_SERVING_API_KEY (several: separated by commas), else the home's own."""
    given = os.environ.get(KEY, "")
    if given:
        return tuple(key.strip() for key in given.split(",") if key.strip()), KEY
    from continual.local.home import Home

    return (Home(ws.settings.home).secrets().serving_api_key,), str(ws.settings.home / "secrets.json")
