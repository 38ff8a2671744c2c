"""Ask people for labels: a draw over recent rows with the chance of every row on record, as far as the budget goes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from continual.core.labelling import State, Use
from continual.core.window import Window, floor_day, utc
from continual.errors import Skipped
from continual.flows.label_budget import ASKED, account_of, price_of
from continual.flows.label_draw import Drawn, draw
from continual.flows.logged import labelled_rows
from continual.flows.pool import slice_members
from continual.flows.weights import requests_of
from continual.flows.workspace import Outcome, Workspace
from continual.policy.windows import retrain_windows

if TYPE_CHECKING:
    import pandas as pd

    from continual.core.label_budget import Account
    from continual.stores.entry import Entry
    from continual.stores.requests import LabelRequest


@dataclass(frozen=True)
class Order:
    """What is asked for. labels: how many rows, None = what the budget leaves. slice: where, None = where the pending
    verdict lacks labels. cause: why, for the ledger."""

    labels: int | None = None
    slice: str | None = None
    cause: str = "asked for by hand"


@dataclass(frozen=True)
class Need:
    """Where labels decide something. verdict: ledger key of the verdict that needs them, None = a person said so."""

    slices: Mapping[str, int]
    verdict: str | None = None


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
    need = need_of(ws, as_of, order)
    found, rows = account_of(ws, as_of), 0
    rows = found.affordable(ws.policy.labelling.answers_a_row, urgent=bool(need.slices))
    rows = rows if order.labels is None else min(rows, order.labels)
    if rows < 1:
        raise _no_budget(ws, found)
    window = ask_window(ws, as_of)
    pool = _pool(ws, window, as_of)
    drawn = draw(ws, pool, rows, need.slices, window, as_of)
    requests = _requests(ws, pool, drawn, window, as_of, urgent=bool(need.slices))
    requests_of(ws).ask(requests)
    record = _record(ws, pool, drawn, requests, order, need, found, window)
    return ws.ledger.append(ASKED, key, as_of, _sentence(ws, record), record, ws.loaded.hash, ws.run)


def need_of(ws: Workspace, as_of: datetime, order: Order) -> Need:
    """The slice of the order, else those of the newest verdict if it said that it needs labels.

    Raises
    ------
    Skipped: the policy has no such slice.
    """
    if order.slice is not None:
        return Need({order.slice: order.labels or 0})
    newest = ws.ledger.entries(kind="verdict", newest_first=True)
    last = next((entry for entry in newest if utc(entry.as_of) <= utc(as_of)), None)
    if last is None or last.evidence["verdict"]["answer"] != "need_labels":
        return Need({})
    verdict = last.evidence["verdict"]
    needs = {name: n for name, n in verdict["labels_needed"].items() if name in verdict["blocking"]}
    return Need(needs or verdict["labels_needed"], last.key)


def ask_window(ws: Workspace, as_of: datetime) -> Window:
    """Whole days before `as_of`: rows that will judge and later train; before the first champion those that train
    now, too."""
    policy, end = ws.policy, floor_day(as_of)
    length = policy.labelling.window or policy.window.evaluation
    start = end - length
    if policy.labelling.window is None and ws.champions.current() is None:
        start = retrain_windows(policy, as_of).training.start
    return Window(max(start, floor_day(policy.active.start)), end)


def _pool(ws: Workspace, window: Window, as_of: datetime) -> pd.DataFrame:
    """Rows whose label did not come by itself, in order of record key; `asked`: an earlier draw chose it, `pending`:
    and its label came or is still to come.

    Rows that an earlier draw chose stay in: they could have been chosen by this one, too, and the chance of a row is
    made of all draws whether it was chosen early or late.

    Raises
    ------
    Skipped: none is left to ask about.
    """
    frame = labelled_rows(ws, window, as_of)
    before = requests_of(ws).read()
    chosen = before[~before["state"].isin([State.UNCHOSEN])]
    gone = chosen[chosen["state"].isin([State.OPEN, State.DISPUTED, State.ANSWERED, State.CANCELLED])]
    frame = frame.assign(
        asked=frame["record_key"].isin(set(chosen["key"])), pending=frame["record_key"].isin(set(gone["key"]))
    )
    pool = frame[frame["label"].isna() | frame["asked"]].sort_values("record_key", ignore_index=True)
    if not (~pool["pending"]).any():
        raise Skipped(
            "There must be rows without a label to ask about.",
            f"none of {len(frame):,} in {window}.",
            "ingest newer predictions, or widen labelling.window.",
        )
    return pool


def _requests(
    ws: Workspace, pool: pd.DataFrame, drawn: Drawn, window: Window, as_of: datetime, urgent: bool
) -> list[LabelRequest]:
    """One for every row of the draw. Rows are asked about in random order, so that those answered by any time are a
    random part of those chosen; those that a verdict waits for come before others."""
    from continual.stores.requests import LabelRequest

    policy, champion = ws.policy.labelling, ws.registry.champion()
    pending, keys = pool["pending"].to_numpy(dtype=bool), pool["record_key"].tolist()
    states = np.where(~drawn.chosen, State.UNCHOSEN, np.where(pending, State.REPEATED, State.OPEN))
    return [
        LabelRequest(
            key=str(keys[i]),
            probability=float(drawn.probability[i]),
            sampler=ws.policy.sampler.kind,
            asked_at=as_of,
            window=window,
            components={name: float(pi[i]) for name, pi in drawn.components.items() if pi[i] > 0},
            model_version=champion,
            state=str(states[i]),
            use=Use.TRAINING if drawn.training[i] else Use.EVALUATION,
            needed=policy.annotators + int(drawn.doubled[i]),
            priority=float(urgent) + float(drawn.order[i]),
            deadline=as_of + policy.deadline,
        )
        for i in range(len(keys))
    ]


def _record(
    ws: Workspace,
    pool: pd.DataFrame,
    drawn: Drawn,
    requests: list[LabelRequest],
    order: Order,
    need: Need,
    account: Account,
    window: Window,
) -> dict[str, Any]:
    new = np.array([request.state == State.OPEN for request in requests])
    price, unit = price_of(ws)
    answers = sum(request.needed for request in requests if request.state == State.OPEN)
    members = slice_members(ws, pool)
    parts = {name: float(pi[~pool["pending"].to_numpy(dtype=bool)].sum()) for name, pi in drawn.components.items()}
    return {
        "order": asdict(order),
        "need": {"slices": dict(need.slices), "verdict": need.verdict},
        "account": account.as_dict(),
        "window": window.as_dict(),
        "pool": len(pool),
        "chosen": int(drawn.chosen.sum()),
        "new": int(new.sum()),
        "answers": answers,
        "training": int((new & drawn.training).sum()),
        "doubled": int((new & drawn.doubled).sum()),
        "price": price,
        "unit": unit,
        "cost": answers * price,
        "bought": {name: int((inside & new).sum()) for name, inside in members.items() if (inside & new).any()},
        "expected": parts,
        "sampler": ws.policy.sampler.model_dump(mode="json"),
        "seed": drawn.seed,
    }


def _sentence(ws: Workspace, record: Mapping[str, Any]) -> str:
    account, need = record["account"], record["need"]
    left = account["budget"] + account["carried"] - account["spent"] - record["cost"]
    where = ", ".join(f"{record['bought'].get(name, 0):,} in {name}" for name in need["slices"])
    why = f"; for {need['verdict']}" if need["verdict"] else f"; {record['order']['cause']}"
    return (
        f"{record['new']:,} of {record['pool']:,} rows of {Window.from_dict(record['window'])} to be labelled"
        f"{f' ({where})' if where else ''}, {record['answers']:,} answers for {record['cost']:,.6g} {record['unit']}, "
        f"{left:,.6g} of {account['budget']:,.6g} left until the period ends{why}"
    )


def _no_budget(ws: Workspace, found: Account) -> Skipped:
    kept = f", {found.reserve:.0%} of it kept for verdicts that need labels" if found.reserve else ""
    return Skipped(
        "There must be budget for at least one label.",
        f"{found.left:,.6g} of {found.budget:,.6g} left in the period from {found.start[:10]}{kept}.",
        "wait for the next period or raise labelling.budget.",
    )
