"""Ask people for labels: a draw over recent rows with the chance of every row on record, as far as the budget goes."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from continual.core.labelling import State, Use
from continual.core.window import Window, utc
from continual.errors import Skipped
from continual.flows.label_budget import ASKED, check_asks
from continual.flows.label_draw import Drawn, draw
from continual.flows.label_order import Order, plan, sentence
from continual.flows.logged import labelled_rows
from continual.flows.pool import slice_columns, slice_members
from continual.flows.weights import requests_of
from continual.flows.workspace import Outcome, Workspace

if TYPE_CHECKING:
    import pandas as pd

    from continual.core.label_budget import Account
    from continual.stores.entry import Entry
    from continual.stores.requests import DrawnRows


def ask(ws: Workspace, as_of: datetime, order: Order | None = None) -> Outcome:
    """Put rows into the label queue; data says how many, at what cost, and `asked`, the ledger key. The same instant
    again is the first answer.

    Raises
    ------
    Skipped: labels come by themselves, the budget of the period is used up, or there is no row without a label.
    """
    as_of, order = utc(as_of), order or Order()
    key = f"{ASKED}:{as_of.isoformat()}"
    entry = ws.ledger.get(key)
    if entry is None:
        entry = _buy(ws, as_of, order, key)
    seen = entry.evidence
    data = {"asked": key, "asked_at": entry.as_of.isoformat(), "new": seen["new"], "cost": seen["cost"]}
    return Outcome(entry.reason, {**data, "slices": seen["bought"]})


def _buy(ws: Workspace, as_of: datetime, order: Order, key: str) -> Entry:
    from continual.stores.requests import Draw

    check_asks(ws)
    first = ws.champions.current() is None
    found = plan(ws.policy, order, as_of, ws.ledger.entries(kind=ASKED), ws.ledger.entries(kind="verdict"), first)
    if found.rows < 1:
        raise _no_budget(found.account)
    pool = _pool(ws, found.window, as_of)
    drawn = draw(ws, pool, found.rows, found.need.slices, found.window, as_of)
    deadline = as_of + ws.policy.labelling.deadline
    about = Draw(found.window, as_of, ws.policy.sampler.kind, ws.registry.champion(), deadline)
    requests_of(ws).add(about, _drawn_rows(ws, pool, drawn, urgent=bool(found.need.slices)))
    record = {"order": asdict(order), **found.as_dict(), **_bought(ws, pool, drawn, found.price)}
    return ws.ledger.append(ASKED, key, as_of, sentence(record), record, ws.loaded.hash, ws.run)


def _pool(ws: Workspace, window: Window, as_of: datetime) -> pd.DataFrame:
    """Rows whose label did not come by itself, in order of time, with what slices read of them; `asked`: an earlier
    draw chose it, `pending`: and its label came or is still to come.

    Rows that an earlier draw chose stay in: they could have been chosen by this one, too, and the chance of a row is
    made of all draws whether it was chosen early or late.

    Raises
    ------
    Skipped: none is left to ask about.
    """
    columns = dict.fromkeys(["record_key", "event_time", *slice_columns(ws.policy)])
    frame = labelled_rows(ws, window, as_of, list(columns))
    chosen = requests_of(ws).chosen()
    gone = chosen[chosen["state"].isin([State.OPEN, State.DISPUTED, State.ANSWERED, State.CANCELLED])]
    frame = frame.assign(
        asked=frame["record_key"].isin(set(chosen["key"])), pending=frame["record_key"].isin(set(gone["key"]))
    )
    pool = frame[frame["label"].isna() | frame["asked"]].reset_index(drop=True)
    if not (~pool["pending"]).any():
        raise Skipped(
            "There must be rows without a label to ask about.",
            f"none of {len(frame):,} in {window}.",
            "ingest newer predictions, or widen labelling.window.",
        )
    return pool


def _drawn_rows(ws: Workspace, pool: pd.DataFrame, drawn: Drawn, urgent: bool) -> DrawnRows:
    """Every row of the draw. Rows are asked about in random order, so that those answered by any time are a random
    part of those chosen; those that a verdict waits for come before others."""
    from continual.stores.requests import DrawnRows

    policy, pending = ws.policy.labelling, pool["pending"].to_numpy(dtype=bool)
    states = np.where(~drawn.chosen, State.UNCHOSEN, np.where(pending, State.REPEATED, State.OPEN))
    return DrawnRows(
        keys=pool["record_key"].tolist(),
        probability=drawn.probability,
        state=[str(state) for state in states.tolist()],
        components=drawn.components,
        use=np.where(drawn.training, Use.TRAINING.value, Use.EVALUATION.value).tolist(),
        needed=(policy.annotators + drawn.doubled.astype(int)).tolist(),
        priority=(float(urgent) + drawn.order).tolist(),
    )


def _bought(ws: Workspace, pool: pd.DataFrame, drawn: Drawn, price: float) -> dict[str, Any]:
    """What the draw came to."""
    free = ~pool["pending"].to_numpy(dtype=bool)
    new = drawn.chosen & free
    answers = int((ws.policy.labelling.annotators + drawn.doubled.astype(int))[new].sum())
    members = slice_members(ws, pool)
    parts = {name: float(pi[free].sum()) for name, pi in drawn.components.items()}
    return {
        "pool": len(pool),
        "chosen": int(drawn.chosen.sum()),
        "new": int(new.sum()),
        "answers": answers,
        "training": int((new & drawn.training).sum()),
        "doubled": int((new & drawn.doubled).sum()),
        "cost": answers * price,
        "bought": {name: int((inside & new).sum()) for name, inside in members.items() if (inside & new).any()},
        "expected": parts,
        "sampler": ws.policy.sampler.model_dump(mode="json"),
        "seed": drawn.seed,
    }


def _no_budget(found: Account) -> Skipped:
    kept = f", {found.reserve:.0%} of it kept for verdicts that need labels" if found.reserve else ""
    return Skipped(
        "There must be budget for at least one label.",
        f"{found.left:,.6g} of {found.budget:,.6g} left in the period from {found.start[:10]}{kept}.",
        "wait for the next period or raise labelling.budget.",
    )
