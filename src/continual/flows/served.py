"""Ask the serving process itself which version answers; a moved alias is not yet a changed answer (s37)."""

from __future__ import annotations

import math
import os
import time
from typing import Any

from continual.errors import ModelUnavailable
from continual.flows.workspace import Workspace

_POLL, _TIMEOUT = 1.0, 10.0


def await_served(ws: Workspace, version: str) -> str | None:
    """Wait until the server at `serving.url` answers with `version`; a sentence, or None where there is no server.

    Raises
    ------
    ModelUnavailable: within `serving.wait` it did not, with what it said instead.
    """
    url = ws.policy.serving.url
    if url is None:
        return None
    limit = ws.policy.serving.wait.total_seconds()
    said: dict[str, Any] = {}
    for attempt in range(1 + math.ceil(limit / _POLL)):
        time.sleep(_POLL if attempt else 0)
        said = _ask(url)
        if said.get("version") == version:
            return f"{url} answers with it (schema {said.get('schema')})"
    raise ModelUnavailable(
        f"The server at {url} must answer with version {version} within {limit:g} s.",
        f"{said.get('problem') or 'version ' + str(said.get('version'))}.",
        "look at its log and at /healthz, then clear this task; the alias is set, the old answers go on.",
    )


def _ask(url: str) -> dict[str, Any]:
    """What the server says, or `problem`. It is asked to look at the registry now, not at its next poll."""
    import requests

    key = os.environ.get("CONTINUAL_SERVING_API_KEY", "").partition(",")[0]
    try:
        answer = requests.post(f"{url.rstrip('/')}/reload", headers={"X-API-Key": key}, timeout=_TIMEOUT)
    except requests.RequestException as error:
        return {"problem": f"no answer ({type(error).__name__})"}
    if not answer.ok:
        return {"problem": f"HTTP {answer.status_code}: {answer.text[:200]}"}
    found: dict[str, Any] = answer.json()
    return found
