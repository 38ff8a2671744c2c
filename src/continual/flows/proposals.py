"""Versions that a rollback may go to, in a small file: Airflow's forms are made when DAG files are parsed, where no
database is asked."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from continual.flows.workspace import Workspace

#: The newest champions are those people mean.
_MOST = 10


def write_proposals(ws: Workspace) -> None:
    """After a move: earlier champions that are not quarantined, newest first."""
    if not ws.registry.shown:
        return
    reigns = ws.champions.read()
    current = reigns[-1].version if reigns else None
    good: dict[str, str] = {}
    for reign in reversed(reigns):
        if reign.version != current and ws.versions.get(reign.version).state != "quarantined":
            good.setdefault(reign.version, f"{reign.version}, champion from {reign.as_of:%Y-%m-%d}")
    path = _path(ws.settings.home, ws.app)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(f".{os.getpid()}.tmp")
    part.write_text(json.dumps(dict(list(good.items())[:_MOST])), encoding="utf-8")
    part.replace(path)


def read_proposals(home: Path, application: str) -> dict[str, str]:
    """version -> what it is; {} before the first move, or when the file cannot be read: a form needs no proposals."""
    with suppress(OSError, ValueError):
        return {str(k): str(v) for k, v in json.loads(_path(home, application).read_text(encoding="utf-8")).items()}
    return {}


def _path(home: Path, application: str) -> Path:
    return home / "cache" / "forms" / f"{application}.json"
