"""Cells of one day from its rows: one scan, whatever the number of slices, models and metrics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from continual.cells import kernel
from continual.cells.block import Block, Part
from continual.cells.coding import Codes, Coding
from continual.cells.columns import Columns
from continual.cells.grouping import grouping
from continual.cells.plan import Plan, pair_name, pairs_of
from continual.cells.tables import Chunk, Tables
from continual.errors import BatchError
from continual.metrics.base import Rows, Task

if TYPE_CHECKING:
    import pyarrow as pa

Floats = npt.NDArray[np.float64]
Cells = npt.NDArray[Any]
#: Rows at a time: the columns of a chunk and what is computed from them stay in a level-2 cache.
CHUNK = 1 << 15


@dataclass(frozen=True)
class Day:
    """The rows of a day. versions: model version -> the columns of `table` with its answers (one; K for multiclass).

    label: column, null = not known (yet). weight: column of importance weights > 0, None = all 1.
    """

    day: int
    table: pa.Table
    versions: Mapping[str, Sequence[str]]
    label: str = "label"
    weight: str | None = None


def build_day(
    day: Day, plan: Plan, pairs: Sequence[tuple[str, str]] | None = None, count_rows: bool = True
) -> dict[str, Block]:
    """The block of each version and, as `a~b`, of each pair (a's terms minus b's); pairs: None = all.

    A row without a label counts in n only; one without a valid score of a version (null, not finite, for
    probabilities outside [0, 1]) in that version's n_unscored. count_rows = False: n and n_unscored stay 0, for labels
    that came late: the block of their rows is added to their day (`Block.plus`).

    Raises
    ------
    SliceError: a slice column is missing or of the wrong kind. BatchError: a label outside the classes, a weight
    that is not positive.
    """
    blocks = _Builder(day, plan, pairs_of(list(day.versions)) if pairs is None else pairs).build()
    return blocks if count_rows else {name: without_rows(block) for name, block in blocks.items()}


def without_rows(block: Block) -> Block:
    """The block with what its labels add only."""
    return replace(block, n=np.zeros_like(block.n), n_unscored=np.zeros_like(block.n))


class _Builder:
    def __init__(self, day: Day, plan: Plan, pairs: Sequence[tuple[str, str]]) -> None:
        self.day, self.plan = day, plan
        columns = Columns(day.table)
        self.groupings = [grouping(spec, columns) for spec in plan.specs]
        self.parts = tuple(Part(g.label, g.names, g.cut) for g in self.groupings)
        self.coding = Coding(self.groupings)
        self.pairs = {pair_name(*pair): pair for pair in pairs}
        weighted, counted = day.weight is not None, plan.shape is not None
        self.tables = {v: Tables(plan, self.coding, weighted, counted) for v in day.versions}
        self.tables |= {name: Tables(plan, self.coding, weighted, False) for name in self.pairs}
        self.n = np.zeros(self.coding.size + 1, dtype=np.int64)

    def build(self) -> dict[str, Block]:
        rows = self.day.table.num_rows
        for start in range(0, rows, CHUNK):
            self._chunk(start, min(CHUNK, rows - start))
        return {name: table.block(self.day.day, self.parts, self.n[:-1]) for name, table in self.tables.items()}

    def _chunk(self, start: int, size: int) -> None:
        piece = self.day.table.slice(start, size)
        label = floats(piece, [self.day.label])[0]
        weight = floats(piece, [self.day.weight])[0] if self.day.weight else None
        needs = dict(zip(self.plan.needs, floats(piece, self.plan.needs), strict=True))
        codes, joint = self.coding.codes(start, size), self.coding.joint_codes(start, size)
        tally = np.zeros_like(self.n)
        kernel.count_rows(codes, tally)
        self.n += tally
        labelled = ~np.isnan(label)
        _check(label[labelled], self.plan, weight)
        rows = _Part(self.plan, self.day.day, codes, joint, tally, label, weight, needs, labelled)
        scored = {name: rows.scored(piece, names) for name, names in self.day.versions.items()}
        for name, version in scored.items():
            rows.add(self.tables[name], version.valid, version.terms, version)
        for name, (a, b) in self.pairs.items():
            rows.add_pair(self.tables[name], scored[a], scored[b])


@dataclass(frozen=True)
class _Scored:
    """valid: (m,) rows with a label and a score, None = all; score and terms of those rows."""

    valid: npt.NDArray[np.bool_] | None
    unscored: npt.NDArray[np.bool_] | None
    score: Floats
    terms: Floats


@dataclass(frozen=True)
class _Part:
    """One chunk of the day's rows: what its versions share."""

    plan: Plan
    day: int
    codes: Codes
    joint: Codes
    tally: npt.NDArray[np.int64]
    label: Floats
    weight: Floats | None
    needs: Mapping[str, Floats]
    labelled: npt.NDArray[np.bool_]

    def scored(self, piece: pa.Table, names: Sequence[str]) -> _Scored:
        score = floats(piece, names)
        fine = _fine(score, self.plan.task)
        every = bool(fine.all())
        valid = None if every and self.labelled.all() else fine & self.labelled
        kept = _kept(score, valid)
        return _Scored(valid, None if every else ~fine, kept, self._terms(kept, valid))

    def _terms(self, score: Floats, valid: npt.NDArray[np.bool_] | None) -> Floats:
        wanted = self.plan.carried.terms
        m = score.shape[1]
        out = np.empty((len(wanted), m))
        if not (m and wanted):
            return out
        weight = np.ones(m) if self.weight is None else _kept(self.weight, valid)
        columns = {name: _kept(column, valid) for name, column in self.needs.items()}
        rows = Rows(_kept(self.label, valid), weight, np.full(m, self.day), m, columns)
        answer = np.ascontiguousarray(score.T) if self.plan.task is Task.MULTICLASS else score[0]
        missing = set(wanted)
        for metric in self.plan.metrics:
            carried = metric.carried()
            if carried is None or missing.isdisjoint(carried.terms):
                continue
            for name, value in metric.terms(rows, answer).items():
                if name in missing:
                    out[wanted.index(name)] = value
                    missing.discard(name)
        if missing:
            raise LookupError(f"no metric computed the terms {sorted(missing)} it carries")
        return out

    def add(self, table: Tables, valid: npt.NDArray[np.bool_] | None, terms: Floats, version: _Scored | None) -> None:
        """version: None for a pair, whose scores are not counted."""
        codes, joint = self.codes, self.joint
        if valid is None:
            table.labelled += self.tally
        else:
            at = np.flatnonzero(valid)
            codes, joint = np.take(codes, at, axis=1), np.take(joint, at, axis=1)
            kernel.count_rows(codes, table.labelled)
        if version is not None and version.unscored is not None:
            kernel.count_rows(np.take(self.codes, np.flatnonzero(version.unscored), axis=1), table.unscored)
        cell = self._cell(version) if version is not None and table.counted else None
        weight = None if self.weight is None else _kept(self.weight, valid)
        table.add(Chunk(codes, joint, terms, cell, weight))

    def add_pair(self, table: Tables, a: _Scored, b: _Scored) -> None:
        if a.valid is None and b.valid is None:
            self.add(table, None, a.terms - b.terms, None)
            return
        one, two = (v.valid if v.valid is not None else np.ones(len(self.label), dtype=bool) for v in (a, b))
        both = one & two
        self.add(table, both, a.terms[:, both[one]] - b.terms[:, both[two]], None)

    def _cell(self, version: _Scored) -> Cells:
        levels, bins = self.plan.shape or (0, 0)
        label = _kept(self.label, version.valid)
        out: Cells = np.empty(len(label), dtype=np.uint16 if levels * bins < 2**16 else np.uint32)
        if self.plan.task is Task.BINARY:
            found = self.plan.bins
            kernel.bin_scores(
                np.ascontiguousarray(version.score[0]), label, found.table, found.below, found.extra, bins, out
            )
        else:
            out[:] = label * bins + version.score.argmax(axis=0)
        return out


def floats(piece: pa.Table, names: Sequence[str]) -> Floats:
    """(len(names), n) float64, null = NaN; one column without nulls is not copied."""
    each: list[Floats] = [piece.column(name).to_numpy().astype(np.float64, copy=False) for name in names]
    if len(each) == 1:
        return each[0].reshape(1, -1)
    return np.stack(each) if each else np.zeros((0, piece.num_rows))


def _kept(values: Floats, valid: npt.NDArray[np.bool_] | None) -> Floats:
    return values if valid is None else np.asarray(values[..., valid])


def _fine(score: Floats, task: Task) -> npt.NDArray[np.bool_]:
    fine = np.isfinite(score) if task is Task.REGRESSION else np.logical_and(score >= 0, score <= 1)
    return np.asarray(fine.all(axis=0))


def _check(label: Floats, plan: Plan, weight: Floats | None) -> None:
    if weight is not None and not (weight > 0).all():
        raise BatchError("Weights must be positive.", "a weight that is not.", "correct the weight column.")
    classes = {Task.BINARY: 2, Task.MULTICLASS: plan.classes}.get(plan.task)
    if classes is None or not len(label):
        return
    if label.min() < 0 or label.max() >= classes or (label != np.floor(label)).any():
        wrong = label[(label < 0) | (label >= classes) | (label != np.floor(label))][0]
        raise BatchError(
            f"A {plan.task.value} label must be a whole number from 0 to {classes - 1}.",
            f"{wrong:g}.",
            "correct the label, or add the class to the policy.",
        )
