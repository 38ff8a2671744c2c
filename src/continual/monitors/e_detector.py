"""The default monitor: paired losses against the previous champion, evidence that may be read every day."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from pydantic import Field

from continual.core.alarm import MonitorReading, PairedStream, SliceReading
from continual.core.stats.eprocess import LAMBDAS, likeliest_start, log_factor, shiryaev_roberts
from continual.core.verdict import OVERALL, Tier
from continual.errors import ContinualError
from continual.monitors._effects import Said, effects
from continual.monitors.base import Monitor

Floats = npt.NDArray[np.float64]

#: Evidence is shown up to here; beyond, only its order would matter.
_LOG_MAX = 690.0


class _State(NamedTuple):
    """Log evidence on day `last` (an index, -1 without days), and of an alarm the likeliest first day `first`."""

    log_evidence: float
    alarmed: bool
    first: int
    last: int


class _Day(NamedTuple):
    """A day with rows: ISO date, each row's weighted loss, its weight, and what is known of the day."""

    name: str
    bet: Floats
    weight: Floats
    said: Said


class EDetector(Monitor):
    """Shiryaev-Roberts e-detector on paired losses, overall and per slice.

    The previous champion keeps scoring in shadow; a slice alarms when the evidence that the champion loses more than
    the previous version reaches `horizon_days / alpha_k` and the mean loss since the likeliest start is not `trivial`.
    A fault on day 60 is found as fast as one on day 0. The chance of any false alarm within the horizon is at most
    `alpha`, shared out: `overall_share` to overall, the rest over the slices, of which critical slices get
    `critical_share` as a group.

    Pairing cancels seasons and shocks in the mean; that rows of one day move together, and for how many days, is paid
    for by `day_correlation`, until the stream and the days before the deployment show their own; and one wild day
    cannot alarm alone because of `min_days`. A slice's evidence is the mean of two: of its losses, and of its losses
    less what the day did to all other rows (`core.stats.shared`). `trivial`, `day_correlation` = 0 and `min_days` = 1
    give the plain detector, for rows known to be independent. Where labels were chosen, rows bet their weighted loss,
    whose mean has the sign of the mean over all rows, and slices are not read beside the others. There is no harder
    look just after a promotion: a share of the budget kept for it saved no day in simulation. Feed matured rows only: a
    label delay that depends on the outcome makes any stream alarm.
    Source: Shin, Ramdas & Rinaldo 2023, "E-detectors".
    """

    kind: Literal["e_detector"] = Field(
        "e_detector", description="Sequential paired test against the previous champion."
    )
    alpha: float = Field(
        0.05, gt=0, lt=1, description="Chance of any false alarm within the horizon, all slices together."
    )
    horizon_days: int = Field(365, ge=1, description="Daily looks over which `alpha` is spent.")
    overall_share: float = Field(
        0.5, gt=0, lt=1, description="Share of `alpha` for overall; the rest goes to the slices."
    )
    critical_share: float = Field(
        0.5,
        gt=0,
        lt=1,
        description="Share of the slices' part for critical slices as a group, when there are others too.",
    )
    trivial: float = Field(
        0.0025,
        ge=0,
        le=0.1,
        description="Mean excess loss per row, as measured since the likeliest start: no rollback for less.",
    )
    day_correlation: float = Field(
        0.003,
        ge=0,
        lt=1,
        description="Correlation of rows within a day assumed until the stream shows its own; 0 = none.",
    )
    lasting_shocks: bool = Field(
        True,
        description="Learn how long the shocks of days last, and pay for it; read slices beside the other rows of the "
        "day. false: earlier alarms on all rows, and false ones in most years where shocks last for days.",
    )
    min_days: int = Field(
        3, ge=1, description="No single day gives more than this fraction (1/min_days, in logs) of the evidence needed."
    )
    min_labels: int = Field(30, ge=1, description="Paired labelled rows before which a slice cannot alarm.")

    def read(self, streams: Sequence[PairedStream]) -> MonitorReading:
        """Raises ContinualError for a malformed stream (order, lengths, duplicates, losses outside [-1, 1])."""
        _check(streams)
        thresholds = self.thresholds(streams)
        days = self._days(streams)
        readings = [self._read_one(s, own, thresholds[s.slice]) for s, own in zip(streams, days, strict=True)]
        readings.sort(key=lambda r: (not r.alarmed, r.threshold / max(r.evidence, 1e-300)))
        alarms = tuple(reading.slice for reading in readings if reading.alarmed)
        return MonitorReading(alarms, tuple(readings), _reason(readings))

    def thresholds(self, streams: Sequence[PairedStream]) -> dict[str, float]:
        """Slice -> evidence at which it alarms, `horizon_days / alpha_k`; the alpha_k sum to at most `alpha`."""
        slices = [s for s in streams if s.slice != OVERALL]
        critical = [s.slice for s in slices if s.tier == Tier.CRITICAL]
        others = [s.slice for s in slices if s.tier != Tier.CRITICAL]
        first = (self.critical_share if others else 1.0) if critical else 0.0
        budget = self.alpha * (1 - self.overall_share)
        shares = {OVERALL: self.alpha * self.overall_share if slices else self.alpha}
        shares |= {name: budget * first / len(critical) for name in critical}
        shares |= {name: budget * (1 - first) / len(others) for name in others}
        return {name: self.horizon_days / share for name, share in shares.items()}

    def _days(self, streams: Sequence[PairedStream]) -> list[list[_Day]]:
        """A day without rows is no look: whether the caller lists empty days must not change the evidence."""
        weights = [stream.weight or tuple(np.ones(len(rows)) for rows in stream.excess) for stream in streams]
        bets = [
            [rows * w for rows, w in zip(s.excess, own, strict=True)] for s, own in zip(streams, weights, strict=True)
        ]
        found = effects(streams, bets, self.day_correlation, lasting=self.lasting_shocks)
        out = []
        for stream, bet, weight, own in zip(streams, bets, weights, found, strict=True):
            listed = [day for day in zip(stream.days, bet, weight, strict=True) if len(day[1])]
            out.append([_Day(*day, effect) for day, effect in zip(listed, own, strict=True)])
        return out

    def _read_one(self, stream: PairedStream, days: list[_Day], threshold: float) -> SliceReading:
        state = self._first_crossing(days, math.log(threshold))
        seen = days[state.first : state.last + 1]
        return SliceReading(
            slice=stream.slice,
            evidence=math.exp(min(state.log_evidence, _LOG_MAX)),
            threshold=threshold,
            alarmed_on=days[state.last].name if state.alarmed else None,
            n=sum(len(day.weight) for day in seen),
            mean_excess=_mean(seen) if seen else None,
            since=days[state.first].name if state.alarmed else None,
        )

    def _first_crossing(self, days: list[_Day], log_threshold: float) -> _State:
        path, seen = self._path(days, log_threshold), 0
        for index, day in enumerate(days):
            seen += len(day.weight)
            if seen >= self.min_labels and path[index] >= log_threshold:
                # since when it loses more than is trivial, which is a clearer question than since when it loses
                first = likeliest_start([log_factor(day.bet, self.trivial) for day in days[: index + 1]])
                if _mean(days[first : index + 1]) >= self.trivial:
                    return _State(path[index], True, first, index)
        return _State(path[-1] if path else -math.inf, False, 0, len(days) - 1)

    def _path(self, days: list[_Day], log_threshold: float) -> list[float]:
        """Log evidence after each day: of the losses, or the mean of two where the other rows of the day say more."""
        cap = log_threshold / self.min_days if self.min_days > 1 else math.inf  # 1: rows are said to be independent
        path = shiryaev_roberts([np.minimum(log_factor(day.bet) / day.said.effect, cap) for day in days])
        if any(day.said.beside is None for day in days):
            return path
        beside = shiryaev_roberts([np.minimum(_beside_factor(day), cap) for day in days])
        return [float(np.logaddexp(*both)) - math.log(2) for both in zip(path, beside, strict=True)]


def _beside_factor(day: _Day) -> Floats:
    """(14,) of the losses less what the day did to all other rows; scaled, so that no bet can lose more than all."""
    shift = day.said.beside
    if shift is None or not math.isfinite(shift):
        return np.zeros(len(LAMBDAS))
    return log_factor((day.bet - shift) / (1 + abs(shift))) / day.said.beside_effect


def _mean(days: Sequence[_Day]) -> float:
    return float(sum(day.bet.sum() for day in days) / sum(day.weight.sum() for day in days))


def _check(streams: Sequence[PairedStream]) -> None:
    names = [stream.slice for stream in streams]
    if len(set(names)) < len(names):
        raise ContinualError(
            "each slice must have one stream.", f"{sorted(names)}.", "merge the streams of a slice by day."
        )
    for stream in streams:
        if len(stream.days) != len(stream.excess) or list(stream.days) != sorted(set(stream.days)):
            raise ContinualError(
                "a stream must have one array per day, days in order.",
                f"{stream.slice}: {len(stream.days)} days, {len(stream.excess)} arrays.",
                "group matured rows by UTC day and sort.",
            )
        if stream.weight is not None:
            _check_weights(stream)


def _check_weights(stream: PairedStream) -> None:
    weight = stream.weight or ()
    same = [len(w) for w in weight] == [len(rows) for rows in stream.excess]
    if not same or not all(np.all((w > 0) & (w <= 1)) for w in weight):
        raise ContinualError(
            "each row's weight must lie in (0, 1].",
            f"{stream.slice}: {sum(map(len, weight)):,} weights for {stream.n:,} rows, or one outside.",
            "divide the day's least chance of a label by the row's own.",
        )


def _reason(readings: list[SliceReading]) -> str:
    if not readings:
        return "Nothing to compare: no previous champion scores in shadow."
    if not any(reading.n for reading in readings):
        return "Nothing to compare yet: no matured rows with both champions' scores."
    alarms = [_alarm_text(reading) for reading in readings if reading.alarmed]
    more = [f"and {len(alarms) - 3} more slices"] if len(alarms) > 3 else []
    quiet = [_quiet_text(r) for r in readings if not r.alarmed and (r.slice == OVERALL or not alarms)]
    return "; ".join(alarms[:3] + more + quiet[:1])


def _alarm_text(reading: SliceReading) -> str:
    lost = f"{reading.mean_excess or 0.0:.3f}".replace("0.", ".", 1)
    return (
        f"{reading.slice} alarmed on {reading.alarmed_on}: champion loses {lost} more per row than the previous "
        f"version since {reading.since} ({_evidence(reading)}, n={reading.n:,})"
    )


def _quiet_text(reading: SliceReading) -> str:
    return f"{reading.slice} quiet ({_evidence(reading)}, n={reading.n:,})"


def _evidence(reading: SliceReading) -> str:
    sign = ">=" if reading.alarmed else "<"
    return f"evidence {reading.evidence:.2g} {sign} {reading.threshold:.2g}"
