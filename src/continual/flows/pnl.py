"""Profit and loss of retrains: what was forecast, what it took, and, once labels have matured, what came of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from continual.core.estimate import Comparison
from continual.core.forecast import LONGEST, Forecast
from continual.core.prices import Prices
from continual.core.trigger_evidence import PastRetrain
from continual.core.window import Window, floor_day, utc
from continual.errors import ContinualError
from continual.flows.comparison import compare_overall
from continual.flows.trigger_evidence import DAY, past_retrains, point_of
from continual.flows.workspace import Outcome, Workspace
from continual.policy.windows import matured_until

if TYPE_CHECKING:
    import pandas as pd

    from continual.stores.champions import Reign
    from continual.stores.entry import Entry

SCORED = "retrain_scored"
#: Days over which a retrain that nobody forecast (by hand) is scored.
BY_HAND = 28.0


@dataclass(frozen=True)
class _Retrain:
    """One judged retrain. reign: None when its candidate was not promoted; until: instant its champion went."""

    entry: Entry
    past: PastRetrain
    forecast: Forecast | None
    reign: Reign | None
    until: datetime | None

    @property
    def window(self) -> Window | None:
        """From promotion to the forecast's horizon, or to the next champion; whole days."""
        if self.reign is None or self.reign.previous is None:
            return None
        days = min(self.forecast.horizon if self.forecast else BY_HAND, LONGEST)
        end = floor_day(self.reign.as_of + timedelta(days=round(days)))
        end = end if self.until is None else min(end, floor_day(self.until))
        return Window(self.reign.as_of, end) if end > self.reign.as_of else None


def settle(ws: Workspace, as_of: datetime) -> Outcome:
    """Bring the table up to date; a retrain whose window has matured is scored once, and recorded in the ledger."""
    as_of = utc(as_of)
    done = {e.evidence["retrain"] for e in ws.ledger.entries(kind=SCORED)}
    said = [_settle(ws, item, as_of) for item in _retrains(ws, as_of) if item.entry.key not in done]
    return Outcome("; ".join(text for text in said if text), {})


def results(ws: Workspace) -> pd.DataFrame:
    """The table `retrain_result`, oldest first."""
    return ws.retrains.results()


def _retrains(ws: Workspace, as_of: datetime) -> Iterable[_Retrain]:
    reigns = [r for r in ws.champions.read() if r.as_of <= as_of]
    entries = {e.as_of.isoformat(): e for e in ws.ledger.entries(kind="retrain")}
    decided = {e.as_of: e for e in ws.ledger.entries(kind="trigger") if e.evidence["retrain"]}
    for past in past_retrains(ws, as_of):
        entry = entries[past.as_of]
        at = next((i for i, r in enumerate(reigns) if r.as_of == entry.as_of and r.kind != "rollback"), None)
        after = reigns[at + 1] if at is not None and at + 1 < len(reigns) else None
        told = decided[entry.as_of].evidence.get("forecast") if entry.as_of in decided else None
        yield _Retrain(
            entry=entry,
            past=past,
            forecast=_forecast(told),
            reign=reigns[at] if at is not None else None,
            until=after.as_of if after else None,
        )


def _forecast(value: dict[str, Any] | None) -> Forecast | None:
    return None if value is None else Forecast(**{k: v for k, v in value.items() if k != "net"})


def _settle(ws: Workspace, item: _Retrain, as_of: datetime) -> str:
    prices, window = ws.policy.prices, item.window
    outcome = "rejected" if item.reign is None else "first" if item.reign.previous is None else "promoted"
    final = outcome != "promoted" or window is None or window.end <= matured_until(ws.policy, as_of)
    row = _row(item, prices, outcome, as_of)
    if outcome == "promoted" and final and window is not None and item.reign is not None:
        try:
            found = compare_overall(ws, item.reign.version, str(item.reign.previous), window, as_of)
        except ContinualError as error:
            found = Comparison.undefined(0, str(error))
        row |= _gained(ws, found, window, prices)
    row["reason"] = _sentence(row, prices, final)
    ws.retrains.put_result(row)
    if not final:
        return ""
    record = {"retrain": item.entry.key, **row}
    ws.ledger.append(SCORED, f"{SCORED}:{item.entry.key}", as_of, row["reason"], record, ws.loaded.hash, ws.run)
    return f"retrain of {item.entry.as_of:%Y-%m-%d} settled: {row['reason']}"


def _row(item: _Retrain, prices: Prices, outcome: str, as_of: datetime) -> dict[str, Any]:
    told, past = item.forecast, item.past
    cpu = past.cpu_seconds or 0.0
    return {
        "retrain_key": item.entry.key,
        "as_of": item.entry.as_of,
        "unit": prices.unit,
        "outcome": outcome,
        "version": item.reign.version if item.reign else None,
        "forecast": told.gain if told else None,
        "forecast_low": told.low if told else None,
        "forecast_high": told.high if told else None,
        "forecast_cost": told.cost if told else None,
        "horizon": told.horizon if told else None,
        "cpu_seconds": past.cpu_seconds,
        "labels": past.labels,
        "cost": prices.retrain + cpu * prices.cpu_second + past.labels * prices.label,
        "window_end": item.window.end if item.window else None,
        "gain": 0.0 if outcome == "rejected" else None,
        "gain_low": 0.0 if outcome == "rejected" else None,
        "gain_high": 0.0 if outcome == "rejected" else None,
        "n": 0,
        "scored_as_of": as_of,
        "reason": "",
    }


def _gained(ws: Workspace, found: Comparison, window: Window, prices: Prices) -> dict[str, Any]:
    """Worth over the whole window of the measured difference per day."""
    if found.gain is None or found.low is None or found.high is None:
        return {"n": found.n}
    rows = ws.log.read_predictions(window, matured_until(ws.policy, window.end) + 365 * DAY, ["record_key"])
    volume, size = len(rows) / window.days, point_of(ws)
    scale = [prices.worth(x / size, volume) * window.days for x in (found.gain, found.low, found.high)]
    return {"gain": scale[0], "gain_low": scale[1], "gain_high": scale[2], "n": found.n}


def _sentence(row: dict[str, Any], prices: Prices, final: bool) -> str:
    cost = f"it cost {prices.money(row['cost'])}"
    if row["outcome"] == "rejected":
        return f"nothing was promoted; {cost}"
    if row["outcome"] == "first":
        return f"the first champion, nothing to compare with; {cost}"
    if not final:
        return (
            f"version {row['version']} serves; its gain is known once labels up to {row['window_end']:%Y-%m-%d} mature"
        )
    if row["gain"] is None:
        return f"version {row['version']}: its gain could not be measured; {cost}"
    told = "" if row["forecast"] is None else f", forecast {row['forecast']:.3g}"
    got = f"{prices.money(row['gain'])} [{row['gain_low']:.3g}, {row['gain_high']:.3g}]"
    return f"version {row['version']} gained {got}{told}; {cost}: net {row['gain'] - row['cost']:+.3g}"
