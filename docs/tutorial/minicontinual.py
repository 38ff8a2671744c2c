"""minicontinual: the whole control loop in one file, to be read. It plays a year of bicycle rentals in seconds.

    python docs/tutorial/minicontinual.py

What stands here in a few lines is a folder in the product, because there labels are noisy and chosen, workers die,
people edit policies, and a year has ten million rows. The ideas are the same; the names, too.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats
from sklearn.ensemble import HistGradientBoostingRegressor

DAY = pd.Timedelta(days=1)
FEATURES = ["hour", "dow", "month", "tmin", "tmax", "rain"]
SLICES = {
    "overall": lambda r: np.ones(len(r), bool),
    "workday": lambda r: (r["daytype"] == "workday").to_numpy(),
    "weekend": lambda r: (r["daytype"] != "workday").to_numpy(),
    "rain": lambda r: (r["rain"] > 0).to_numpy(),
}


@dataclass(frozen=True)
class Policy:
    """What people decide; everything below only carries it out. Days, and errors in bicycles an hour."""

    learn: int = 63  # days a candidate learns from
    judge: int = 28  # days after them that judge it
    every: int = 28  # days between retrains
    floor: float = 160.0  # no model that errs more ever serves: a constant would
    alpha: float = 0.05  # chance of a false veto of a retrain, and of a false alarm of a deployment


# --- State: a log with two clocks, and a ledger ---


@dataclass
class Log:
    """Rows as they happened, and labels as they became known. Every read says what was known when."""

    rows: pd.DataFrame

    def labelled(self, start: pd.Timestamp, end: pd.Timestamp, as_of: pd.Timestamp) -> pd.DataFrame:
        """Event time in [start, end), label known by `as_of`: a re-run sees what the first run saw."""
        r = self.rows
        return r[(r["ts"] >= start) & (r["ts"] < end) & (r["label_ts"] <= as_of)]


@dataclass
class Ledger:
    """Append-only; every entry carries the hash of the one before, so that nothing is changed unseen."""

    entries: list[dict] = field(default_factory=list)

    def append(self, kind: str, as_of: pd.Timestamp, reason: str, **evidence: object) -> None:
        before = self.entries[-1]["hash"] if self.entries else "0" * 64
        entry = {"kind": kind, "as_of": str(as_of.date()), "reason": reason, "evidence": evidence, "before": before}
        self.entries.append({**entry, "hash": _hash(entry)})

    def verify(self) -> bool:
        before = "0" * 64
        for entry in self.entries:
            content = {k: v for k, v in entry.items() if k != "hash"}
            if entry["before"] != before or entry["hash"] != _hash(content):
                return False
            before = entry["hash"]
        return True


def _hash(content: dict) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()


# --- Models: a fitted pipeline and the feature code that belongs to it ---


@dataclass
class Model:
    """name: its version. prepare: its own feature code; a fault in it is part of the model wherever it answers."""

    name: str
    fitted: HistGradientBoostingRegressor
    prepare: callable

    def predict(self, rows: pd.DataFrame) -> np.ndarray:
        return np.clip(self.fitted.predict(self.prepare(rows)[FEATURES]), 0, None)


def train(name: str, rows: pd.DataFrame, prepare: callable) -> Model:
    """Fitted on clean features: the fault that is hard to see is one between training and serving."""
    return Model(name, HistGradientBoostingRegressor(random_state=0).fit(rows[FEATURES], rows["count"]), prepare)


# --- Gate: may the candidate replace the champion? ---


@dataclass(frozen=True)
class Verdict:
    """answer: promote or reject. gains: slice -> (gain, low, high), positive = the candidate errs less."""

    answer: str
    reason: str
    gains: dict


def judge(policy: Policy, candidate: Model, champion: Model | None, rows: pd.DataFrame) -> Verdict:
    """Identical rows that neither model learnt from, each scored by the model's own feature code."""
    y = rows["count"].to_numpy()
    ours = np.abs(candidate.predict(rows) - y)
    if ours.mean() > policy.floor:
        return Verdict("reject", f"errs {ours.mean():.0f} an hour, more than the floor {policy.floor:.0f}", {})
    if champion is None:
        return Verdict("promote", f"first champion: errs {ours.mean():.0f} an hour, within the floor", {})
    saved = np.abs(champion.predict(rows) - y) - ours
    found = {name: paired(saved[where(rows)], rows["ts"][where(rows)].dt.date) for name, where in SLICES.items()}
    gains = {name: (gain, low, high) for name, (gain, low, high, _) in found.items()}
    harmed = holm({name: p for name, (*_, p) in found.items()}, policy.alpha)
    if harmed:
        worst = min(harmed, key=lambda name: gains[name][0])
        return Verdict("reject", f"{worst} would err {-gains[worst][0]:.0f} more an hour", gains)
    gain, low, _ = gains["overall"]
    if low <= 0:
        return Verdict("reject", f"no gain that is more than chance ({gain:+.1f}); the champion stays", gains)
    return Verdict("promote", f"errs {gain:.0f} less an hour (95%: at least {low:.0f}), no slice is harmed", gains)


def paired(saved: np.ndarray, day: pd.Series) -> tuple[float, float, float, float]:
    """Mean with its 95% interval and p-value of harm, clustered by day: the hours of a day move together."""
    table = pd.DataFrame({"saved": saved, "day": np.asarray(day)}).groupby("day")["saved"].agg(["sum", "size"])
    n, mean = len(table), saved.mean()
    residual = table["sum"] - mean * table["size"]
    se = np.sqrt(n / (n - 1) * (residual**2).sum()) / table["size"].sum()
    reach = stats.t.ppf(0.975, n - 1) * se
    return mean, mean - reach, mean + reach, float(stats.t.cdf(mean / se, n - 1))


def holm(p: dict[str, float], alpha: float) -> list[str]:
    """Slices harmed, with the chance of any false one bounded by alpha however many are looked at."""
    found = []
    for rank, name in enumerate(sorted(p, key=p.get)):
        if p[name] > alpha / (len(p) - rank):
            break
        found.append(name)
    return found


# --- Monitor: is the live champion worse than the one it replaced? ---


@dataclass
class Monitor:
    """An e-process a slice: a bet against 'the champion is no worse', which grows only if it is. It may be looked at
    every day: by Doob's inequality any of them passes slices/alpha in a whole year with a chance of alpha at most. New
    bets start every day, so that a fault on day 60 is found as fast as one on day 0."""

    alpha: float
    bets: tuple = (0.2, 0.5, 0.9)
    wealth: dict = field(default_factory=dict)

    def look(self, champion: Model, previous: Model, rows: pd.DataFrame) -> str | None:
        """rows: one matured day. The slice that is harmed, or None."""
        y = rows["count"].to_numpy()
        a, b = np.abs(champion.predict(rows) - y), np.abs(previous.predict(rows) - y)
        worse = (a - b) / np.maximum(a + b, 1e-9)  # in [-1, 1]: no wild hour carries the day
        for name, where in SLICES.items():
            if where(rows).any():
                x = worse[where(rows)].mean()
                old = self.wealth.get(name, np.zeros(len(self.bets)))
                self.wealth[name] = (old + 1 / 365) * (1 + np.array(self.bets) * x)
                if self.wealth[name].mean() >= len(SLICES) / self.alpha:
                    return name
        return None


# --- The loop ---


@dataclass
class Loop:
    """champion serves; previous scores the same rows in its shadow, ready to come back."""

    policy: Policy
    log: Log
    ledger: Ledger = field(default_factory=Ledger)
    champion: Model | None = None
    previous: Model | None = None
    monitor: Monitor | None = None
    trained: int = 0

    def day(self, now: pd.Timestamp, prepare: callable) -> None:
        """Watch, then retrain if it is due. Nothing here asks what time it is: `now` comes from the run."""
        self.watch(now)
        start = self.log.rows["ts"].min()
        age = (now - start).days
        if age >= self.policy.learn + self.policy.judge and age % self.policy.every == 0:
            self.retrain(now, prepare)

    def watch(self, now: pd.Timestamp) -> None:
        if self.monitor is None or self.champion is None or self.previous is None:
            return
        rows = self.log.labelled(now - 2 * DAY, now - DAY, now)  # a day whose labels are all in
        harmed = self.monitor.look(self.champion, self.previous, rows) if len(rows) else None
        if harmed:
            reason = f"back from {self.champion.name} to {self.previous.name}: {harmed} errs more than it would have"
            self.ledger.append("rollback", now, reason, slice=harmed)
            self.champion, self.previous, self.monitor = self.previous, None, None

    def retrain(self, now: pd.Timestamp, prepare: callable) -> None:
        cut = now - self.policy.judge * DAY  # judging rows are later than training rows, always
        self.trained += 1
        learnt = self.log.labelled(cut - self.policy.learn * DAY, cut, now)
        candidate = train(str(self.trained), learnt, prepare)
        verdict = judge(self.policy, candidate, self.champion, self.log.labelled(cut, now, now))
        reason = f"{verdict.answer} {candidate.name}: {verdict.reason}"
        self.ledger.append("verdict", now, reason, candidate=candidate.name, gains=verdict.gains)
        if verdict.answer == "promote":
            self.previous, self.champion = self.champion, candidate
            self.monitor = Monitor(self.policy.alpha)


# --- The story: two faults of feature code ---

BLOCKED, BREAKS = pd.Timestamp("2012-06-17"), pd.Timestamp("2012-08-13")


def sound(rows: pd.DataFrame) -> pd.DataFrame:
    return rows


def utc_on_weekends(rows: pd.DataFrame) -> pd.DataFrame:
    """Reads the hour of weekends as UTC: better on average, if the rest is better; not on weekends."""
    return utc(rows, rows["daytype"] != "workday")


def utc(rows: pd.DataFrame, where: pd.Series) -> pd.DataFrame:
    return rows.assign(hour=rows["hour"].where(~where, (rows["hour"] + 5) % 24))


def breaks_in_august(rows: pd.DataFrame) -> pd.DataFrame:
    """Passes every test before it is live; then the feed it reads changes."""
    return utc(rows, (rows["ts"] >= BREAKS) & (rows["daytype"] == "workday"))


def play(table: Path) -> Loop:
    """The year, day by day."""
    rows = pd.read_parquet(table)
    loop = Loop(Policy(), Log(rows))
    for now in pd.date_range(rows["ts"].min().normalize() + DAY, rows["ts"].max().normalize(), freq="D"):
        code = utc_on_weekends if abs((now - BLOCKED).days) < 14 else sound if now < BLOCKED else breaks_in_august
        loop.day(now, code if now < BREAKS else sound)
    return loop


if __name__ == "__main__":
    done = play(Path(__file__).parent / "bikes.parquet")
    for entry in done.ledger.entries:
        print(entry["as_of"], entry["kind"].ljust(9), entry["reason"])
    print(f"{len(done.ledger.entries)} decisions, the chain {'holds' if done.ledger.verify() else 'is broken'}")
