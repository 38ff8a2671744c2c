"""The default detector: a column's distribution inside a slice jumped, beyond what its own past days do."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from pydantic import Field

from continual.core.diagnosis import DataFault
from continual.core.stats.jump import Jump, jump, quantile_needed, reference
from continual.core.stats.jump_counts import OUTSIDE, kinds
from continual.core.verdict import OVERALL
from continual.detectors.base import Beside, ColumnDays, DayTables, Detector, FaultReading

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

#: Newest days that are pooled: breaks are seen in one, small slices need several.
WINDOWS = (1, 3, 7)
#: 'Two of five and the latest': a jump too small to act on alone.
RECENT, AGAIN = 5, 2
#: Correlation of two days' sizes: both are measured against one expectation, which is itself uncertain.
SHARED = 0.2
#: A jump is larger by this than the widest swing of any reference day: what is wild by nature is no fault.
WIDER = 1.5
#: Less than this share of the largest effect of the same column on the same days is that one's echo.
ECHO = 0.5
#: A storm is outside the range too; another unit puts this share of the rows there.
MOST_OUTSIDE = 0.25


class _Look(NamedTuple):
    """One column on one day. size: (S, C) largest jump relative to what is needed at once. weak: jumps of the day
    alone that count towards AGAIN. effect, noise: (S, C) of the window with the largest size; width: its days. alone:
    (S, C) effect of the day by itself."""

    size: Floats
    weak: Bools
    effect: Floats
    noise: Floats
    width: npt.NDArray[np.int64]
    alone: Floats


class JumpDetector(Detector):
    """Shares of rows (below each quantile, of a category, missing, of the day's most frequent value) against the last
    clean days, per slice and column, before any label.

    A fault is an effect of at least `min_effect` (share of the slice's rows) beyond a noise floor that the reference
    days themselves set, so that a weekly season, a slow drift or a storm do not alarm. A slice is measured against
    the other rows of the same days. It acts at once on a break, or on a smaller jump seen on two of five days, the
    latest among them. `alpha` bounds false alarms a year over all slices, columns and shares together. Days of a fault
    are no reference; what lasts longer than `remember_days` is the new normal. Method: core/stats/jump.py.
    """

    kind: Literal["jump"] = Field("jump", description="Distribution jump per slice and column, before labels.")
    alpha: float = Field(
        0.05, gt=0, lt=1, description="Chance of any false alarm in a year of daily looks, all slices and columns."
    )
    reference_days: int = Field(28, ge=7, le=365, description="Clean days that say what is normal.")
    remember_days: int = Field(14, ge=7, le=90, description="What lasts longer than this is the new normal.")
    min_effect: float = Field(
        0.1, ge=0.01, le=1, description="Smallest change of a share of a slice's rows that is called a fault."
    )
    min_rows: int = Field(20, ge=1, description="Fewer rows of a slice in the pooled days are not looked at.")
    leave_out: tuple[str, ...] = Field((), description="Columns that may jump by nature, such as precipitation.")
    horizon_days: int = Field(365, ge=1, description="Daily looks over which `alpha` is spent.")

    @property
    def history_days(self) -> int:
        return self.reference_days + self.remember_days

    def read(self, tables: DayTables, beside: Beside | None = None) -> FaultReading:
        """Walks over the last `remember_days`; a day found faulty is no reference for later ones."""
        first = min(self.reference_days, max(len(tables.days) - self.remember_days, self.reference_days // 2))
        other, columns = beside or Beside(), self._looked_at(tables)
        looks = self.size(tables).looks + other.looks
        if len(tables.days) <= first or not looks:
            need = f"{first + 1} complete days of rows are needed, there are {len(tables.days)}"
            return FaultReading((), f"inputs not looked at: {need}")
        faults = [*other.faults]
        faults += [f for column in columns for f in _localised(self._column(tables, column, first, looks))]
        faults.sort(key=lambda f: (not f.active, -f.ratio))
        reason = _reason(faults, len(columns) + other.columns, tables)
        return FaultReading(tuple(faults), reason, tables.days[first:], looks)

    def size(self, tables: DayTables) -> Beside:
        columns = self._looked_at(tables)
        return Beside(sum(c.counts.shape[1] * c.counts.shape[2] for c in columns), len(columns))

    def _looked_at(self, tables: DayTables) -> list[ColumnDays]:
        """Columns that are not left out and hold a row."""
        return [c for c in tables.columns if c.column not in self.leave_out and c.counts.any()]

    def levels(self, looks: int) -> tuple[float, float]:
        """Chance of exceeding, per share and day: at once, and of a jump that must come again. Two normal values with
        correlation r exceed z together about as often as one exceeds z sqrt(2 / (1 + r)) (Savage 1962)."""
        share = self.alpha / 2 / (self.horizon_days * looks)
        pairs = RECENT - 1
        return share / len(WINDOWS), float((share / pairs) ** ((1 + SHARED) / 2))

    def _column(self, tables: DayTables, column: ColumnDays, first: int, looks: int) -> list[DataFault]:
        """State of one column's walk: which days were weak, which are faulty, per slice."""
        days, slices, parts = column.counts.shape
        weak, faulty = np.zeros((days, slices, parts), bool), np.zeros((days, slices), bool)
        alone = np.zeros((days, slices, parts))
        best: dict[int, tuple[float, DataFault]] = {}
        for day in range(first, days):
            look = self.look(column, tables.weekday, day, ~faulty, looks)
            weak[day], alone[day] = look.weak, look.alone
            again = look.weak & (weak[max(day - RECENT + 1, 0) : day + 1].sum(axis=0) >= AGAIN)
            hit = (look.size >= 1) | again
            for number in np.flatnonzero(hit.any(axis=1)):
                part = int(np.argmax(np.where(hit[number], look.size[number], -1)))
                self._mark(faulty, weak, alone, look, day, int(number), part)
                value = float(look.size[number, part])
                if int(number) not in best or value > best[int(number)][0]:
                    best[int(number)] = value, _fault(tables, column, look, int(number), part)
        return [_dated(tables, column, fault, faulty[:, number], number) for number, (_, fault) in best.items()]

    @staticmethod
    def _mark(faulty: Bools, weak: Bools, alone: Floats, look: _Look, day: int, number: int, part: int) -> None:
        """The day, and the days before it that the finding rests on."""
        faulty[day, number] = True
        for before in range(max(day - RECENT + 1, 0), day):
            faulty[before, number] |= weak[before, number, part]
        if look.size[number, part] >= 1:
            for before in range(max(day - int(look.width[number, part]) + 1, 0), day):
                faulty[before, number] |= bool(_alike(alone[before, number, part], look.effect[number, part]))

    def look(self, column: ColumnDays, weekday: npt.NDArray[np.int64], day: int, clean: Bools, looks: int) -> _Look:
        """Day number `day` of (D, ..., S, C) counts; clean: (D, ..., S) days that may be reference."""
        longest = WINDOWS[-1]
        end = day - longest + 1 if day - longest + 1 >= self.reference_days // 2 else day
        start = max(end - self.reference_days, 0)
        weights = np.broadcast_to(clean[start:end, ..., None], column.counts[start:end].shape).astype(float)
        past = reference(
            column.counts[start:end],
            column.totals[start:end],
            weekday[start:end],
            weights,
            kinds(column.parts),
            day - end + 1,
        )
        at_once, weak_level = self.levels(looks)
        outside = np.array([part == OUTSIDE for part in column.parts])
        today = jump(column.counts[day : day + 1], column.totals[day : day + 1], weekday[day : day + 1], past)
        found = _larger(None, self._relative(today, at_once, outside), today, 1)
        for width in WINDOWS[1:]:
            if day - width + 1 >= end:
                new = slice(day - width + 1, day + 1)
                seen = jump(column.counts[new], column.totals[new], weekday[new], past)
                size = self._relative(seen, at_once, outside)
                size = np.where(_alike(today.effect, seen.effect), size, 0.0)  # and the latest: what ended is over
                found = _larger(found, size, seen, width)
        return _Look(found[0], self._relative(today, weak_level, outside) >= 1, *found[1:], today.effect)

    def _relative(self, seen: Jump, level: float, outside: Bools) -> Floats:
        """Size over what is needed; 0 where the effect is too small to matter or rests on too few rows."""
        own = np.where(outside, max(MOST_OUTSIDE, self.min_effect), self.min_effect)
        least = np.maximum(own, WIDER * seen.widest)
        matters = (np.abs(seen.effect) >= least) & (seen.rows >= self.min_rows)
        out = np.zeros(seen.size.shape)
        if matters.any():
            out[matters] = seen.size[matters] / quantile_needed(level, seen.df[matters])
        return out


def _alike(alone: Floats, pooled: Floats) -> Bools:
    """Whether a day by itself shows at least half of the pooled effect."""
    return np.asarray(alone * np.sign(pooled) >= np.abs(pooled) / 2)


_Found = tuple[Floats, Floats, Floats, npt.NDArray[np.int64]]


def _larger(found: _Found | None, size: Floats, seen: Jump, width: int) -> _Found:
    floor = np.divide(np.abs(seen.effect), size, out=np.zeros_like(size), where=size > 0)
    new: _Found = (size, seen.effect, floor, np.full(size.shape, width))
    if found is None:
        return new
    better = size > found[0]
    return tuple(np.where(better, b, a) for a, b in zip(found, new, strict=True))  # type: ignore[return-value]


def _fault(tables: DayTables, column: ColumnDays, look: _Look, number: int, part: int) -> DataFault:
    return DataFault(
        slice=tables.slices[number],
        predicate=tables.predicates[number],
        column=column.column,
        role=column.role,
        part=column.parts[part],
        effect=float(look.effect[number, part]),
        floor=float(look.noise[number, part]),
        days=(),
        rows=0,
        active=False,
    )


def _localised(faults: list[DataFault]) -> list[DataFault]:
    """Of one column, without the echoes: a slice that broke moves all rows a little, and other slices' contrasts."""
    return [f for f in faults if not any(_echo(f, other) for other in faults)]


def _echo(fault: DataFault, source: DataFault) -> bool:
    """All rows: what the slice's rows alone explain. A slice: a much smaller jump on the same days."""
    if not set(source.days) & set(fault.days) or source is fault:
        return False
    if fault.slice == OVERALL:
        explained = abs(source.effect) * source.rows / max(fault.rows, 1)
        return abs(fault.effect) < explained / ECHO
    return abs(fault.effect) < ECHO * abs(source.effect)


def _dated(tables: DayTables, column: ColumnDays, fault: DataFault, faulty: Bools, number: int) -> DataFault:
    from dataclasses import replace

    days = tuple(tables.days[i] for i in np.flatnonzero(faulty))
    rows = int(column.totals[faulty, number].max(axis=-1).sum())
    return replace(fault, days=days, rows=rows, active=bool(faulty[-1]))


def _reason(faults: list[DataFault], columns: int, tables: DayTables) -> str:
    if not faults:
        return f"inputs quiet: {columns} columns in {len(tables.slices)} slices until {tables.days[-1]}"
    more = f"; and {len(faults) - 3} more" if len(faults) > 3 else ""
    return "; ".join(fault.sentence for fault in faults[:3]) + more
