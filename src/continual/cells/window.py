"""A window is a sum of cells: the blocks of its days side by side, slices chosen by what the whole window holds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
import numpy.typing as npt

from continual.cells.bins import ScoreBins
from continual.cells.block import Block, Part, positions, union
from continual.core.cells import Cells
from continual.core.slice_values import OTHER
from continual.core.slices import SliceSpec
from continual.core.verdict import OVERALL
from continual.errors import StoreError

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Choice:
    """Which slices a window shows. names: S; kept: (S,) row of the union of the blocks for each, -1 = what is left of
    `overall` after other slices: `listed` has their positions."""

    names: tuple[str, ...]
    kept: Ints
    listed: dict[int, Ints]


def stack(blocks: Sequence[Block], specs: Sequence[SliceSpec]) -> Cells:
    """Cells (D, S, ...) of one model version or pair over the days of `blocks`, in the order of the days.

    Of each grouping the `top` slices of the window with at least `min_rows` rows are listed; the rest, nulls and
    values too rare for cells of their own are in `other`, as in core.slices.resolve.

    Raises
    ------
    StoreError: no block, a day twice, or blocks of another layout.
    """
    blocks = sorted(blocks, key=lambda block: block.day)
    _check(blocks, specs)
    parts = reduce(union, (block.parts for block in blocks))
    known = {id(own): positions(own, parts) for own in {id(block.parts): block.parts for block in blocks}.values()}
    at = [known[id(block.parts)] for block in blocks]
    size = 1 + sum(len(part.names) for part in parts)
    total = _total([block.n for block in blocks], at, size)
    choice = choose(parts, specs, total)
    sources = _sources(at, size, choice)

    def window(arrays: list[Any]) -> Any:
        return _window(arrays, sources, choice, total)

    counts = None if blocks[0].counted is None else _counts(blocks, sources, choice, total)
    bins = None if blocks[0].bins is None else ScoreBins(**{**blocks[0].bins, "thresholds": _thresholds(blocks[0])})
    return Cells(
        slices=choice.names,
        day=np.array([block.day for block in blocks], dtype=np.int64),
        n=window([block.n for block in blocks]),
        n_labelled=window([block.n_labelled for block in blocks]),
        counts=counts,
        center=bins.center if bins else None,
        edge=bins.edge if bins else None,
        sums={name: window([block.sums[name] for block in blocks]) for name in blocks[0].sums},
        products={pair: window([block.products[pair] for block in blocks]) for pair in blocks[0].products},
    )


def _thresholds(block: Block) -> tuple[float, ...]:
    return tuple((block.bins or {}).get("thresholds", ()))


def _check(blocks: Sequence[Block], specs: Sequence[SliceSpec]) -> None:
    labels = tuple(spec.label for spec in specs)
    wrong = [block.day for block in blocks if tuple(part.label for part in block.parts) != labels]
    same = {(tuple(b.sums), tuple(b.products), repr(b.bins), b.counted is None) for b in blocks}
    if not blocks or wrong or len(same) > 1 or len({block.day for block in blocks}) != len(blocks):
        raise StoreError(
            "A window needs one block of one layout for each day.",
            f"{len(blocks)} blocks, {len(wrong)} of other slices, {len(same)} contents.",
            "build the cells of the window with the policy in force.",
        )


def choose(parts: Sequence[Part], specs: Sequence[SliceSpec], n: Ints) -> Choice:
    """n: (S,) rows of the window by slice of the union."""
    names, kept, listed, start = [OVERALL], [0], {}, 1
    for part, spec in zip(parts, specs, strict=True):
        best = list(_listed(part, spec, n[start : start + len(part.names)]))
        names.extend(part.names[i] for i in best)
        kept.extend(start + i for i in best)
        if spec.where is None:
            listed[len(names)] = np.arange(len(names) - len(best), len(names))
            names.append(f"{' x '.join(spec.cross) if spec.cross else spec.by}={OTHER}")
            kept.append(-1)
        start += len(part.names)
    return Choice(tuple(names), np.array(kept, dtype=np.int64), listed)


def _listed(part: Part, spec: SliceSpec, n: Ints) -> Iterator[int]:
    """Positions of the slices that are shown, in the order of the part; predicates and bins always are."""
    everything = range(len(part.names))
    if spec.where is not None or spec.bins is not None:
        yield from everything
        return
    enough = [i for i in everything if n[i] >= max(1, spec.min_rows)]
    yield from sorted(sorted(enough, key=lambda i: (-n[i], part.names[i]))[: spec.top])


def _sources(at: Sequence[Ints], size: int, choice: Choice) -> list[tuple[Ints, Ints]]:
    """For each day the rows of the window it fills, and its own rows that fill them."""
    out, found = [], {}
    for where in at:
        key = id(where)
        if key not in found:
            own = np.full(size + 1, -1, dtype=np.int64)
            own[where] = np.arange(len(where))
            source = np.where(choice.kept < 0, -1, own[choice.kept])
            filled = np.flatnonzero(source >= 0)
            found[key] = (filled, source[filled])
        out.append(found[key])
    return out


def _total(arrays: Sequence[Any], at: Sequence[Ints], size: int) -> Ints:
    out = np.zeros(size, dtype=np.int64)
    if all(where is at[0] for where in at):
        out[at[0]] = np.sum(arrays, axis=0)
        return out
    for array, where in zip(arrays, at, strict=True):
        out[where] += array
    return out


def _window(arrays: Sequence[Any], sources: Sequence[tuple[Ints, Ints]], choice: Choice, total: Ints) -> Any:
    """(D, S, ...) the slices of `choice`; total: (union,) rows, which says where nothing is left over."""
    kind = np.result_type(*{array.dtype for array in arrays})
    out = np.zeros((len(arrays), len(choice.kept), *arrays[0].shape[1:]), dtype=kind)
    if all(source is sources[0] for source in sources):
        filled, source = sources[0]
        out[:, filled] = np.stack(arrays)[:, source]
        return _with_others(out, choice, total)
    for row, array, (filled, source) in zip(out, arrays, sources, strict=True):
        row[filled] = array[source]
    return _with_others(out, choice, total)


def _counts(blocks: Sequence[Block], sources: Sequence[tuple[Ints, Ints]], choice: Choice, total: Ints) -> Any:
    """`_window` of the counts, which stay in small types."""
    every = [block.counted for block in blocks if block.counted is not None]
    kind = np.result_type(*{array.dtype for one in every for array in (one.overall, one.slices)})
    out = np.zeros((len(every), len(choice.kept), *every[0].overall.shape), dtype=kind)
    for row, one, (filled, source) in zip(out, every, sources, strict=True):
        row[0] = one.overall
        if filled[-1] == source[-1] == len(filled) - 1:  # a copy without an index is faster
            row[1 : len(filled)] = one.slices[: len(filled) - 1]
        else:
            row[filled[1:]] = one.slices[source[1:] - 1]
    return _with_others(out, choice, total)


def _with_others(out: Any, choice: Choice, total: Ints) -> Any:
    for other, listed in choice.listed.items():
        if total[0] > total[choice.kept[listed]].sum():
            wide = np.int64 if out.dtype.kind == "u" else out.dtype
            left = out[:, 0].astype(wide) - out[:, listed].sum(axis=1, dtype=wide)
            out[:, other] = left  # never more than `overall`, so it fits
    return out
