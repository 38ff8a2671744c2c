"""Labels that nobody waits for: their record key has no prediction, long after they came."""

from __future__ import annotations

import json
from datetime import datetime

from continual.core.duration import spell
from continual.core.window import utc
from continual.flows.quarantine import set_aside
from continual.flows.workspace import Workspace

REASON = "no prediction has this record key"


def set_aside_strays(ws: Workspace, as_of: datetime) -> str:
    """Open a quarantine item for labels that still have no prediction `label.never_after` after they came.

    A label may come before its prediction, so they stay in the log and count as soon as the prediction is there; the
    item is for people, who correct the keys and replay it, or discard it. Safe to repeat.
    """
    as_of, after = utc(as_of), ws.policy.label.given_up_after
    found = set(ws.log.unknown_keys(as_of, after)["record_key"])
    new = found - _known_strays(ws)
    if not new:
        return f"{len(found)} labels without a prediction, all set aside before" if found else "every label has its row"
    labels = ws.log.read_labels(None, as_of)
    labels = labels[labels["record_key"].isin(new)]
    why = f"{REASON}, {spell(after)} after the label came"
    for batch, rows in labels.groupby("batch_id"):
        delivered = rows[["record_key", "value", "source", "known_at"]].sort_values("record_key")
        set_aside(ws, str(batch), "labels", delivered, dict.fromkeys(range(len(rows)), why), as_of)
    return f"{len(new)} labels without a prediction set aside"


def _known_strays(ws: Workspace) -> set[str]:
    rows = ws.log.read_quarantine()
    rows = rows[(rows["stream"] == "labels") & rows["reasons"].fillna("").str.startswith(REASON)]
    return {str(json.loads(text).get("record_key")) for text in rows["row_json"]}
