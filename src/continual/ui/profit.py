"""What a retrain would bring now, and what the past ones brought, in words for a card."""

from __future__ import annotations

from typing import TYPE_CHECKING

from continual.core.prices import Prices

if TYPE_CHECKING:
    from continual.flows.workspace import Workspace


def told(ws: Workspace) -> tuple[tuple[str, str], ...]:
    """(name, text) of forecast and profit and loss; only what there is."""
    prices = ws.policy.prices
    found = (("a retrain now", _forecast(ws, prices)), ("retrains so far", _results(ws, prices)))
    return tuple((name, text) for name, text in found if text)


def _forecast(ws: Workspace, prices: Prices) -> str:
    """Of the trigger's last look."""
    last = ws.ledger.last("trigger")
    f = last.evidence.get("forecast") if last else None
    if not f:
        return ""
    behind = f"{f['measured']} matured days measured" if f["measured"] else "by the square-root rule, nothing measured"
    bring = f"would bring {prices.money(f['gain'])} (95% {f['low']:.3g} to {f['high']:.3g})"
    net = f"net {f['gain'] - f['cost']:+.3g}; {behind}"
    return f"{bring} over {f['horizon']:.0f} days and cost {prices.money(f['cost'])}: {net}"


def _results(ws: Workspace, prices: Prices) -> str:
    """Net of those whose gain is known; the newest one's own sentence."""
    table = ws.retrains.results()
    if table.empty:
        return ""
    cost, settled = table["cost"].sum(), table[table["gain"].notna()]
    net = settled["gain"].sum() - cost
    waits = len(table) - len(settled) - int((table["outcome"] == "first").sum())
    later = f", {waits} not settled yet" if waits else ""
    last = table.sort_values("as_of").iloc[-1]
    return f"{len(table)}{later}; net {prices.money(net)}. Last, {last['as_of']:%Y-%m-%d}: {last['reason']}"
