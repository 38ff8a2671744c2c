"""Drawing rows with their chances, a chunk at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from continual.samplers._columns import Column, column, together
from continual.samplers._designs import keyed_uniform, union
from continual.samplers._systematic import systematic
from continual.samplers.base import Floats, Piece


def everything(parts: Iterable[slice]) -> Iterator[Piece]:
    """Every row, with certainty."""
    for part in parts:
        every = np.ones(part.stop - part.start)
        yield Piece(part, every.astype(bool), every, {"everything": every})


def drawn(
    keys: Any,
    parts: Mapping[str, Column | Floats],
    seed: int,
    fixed: bool,
    strata: Column | npt.NDArray[np.int64] | None,
) -> Iterator[Piece]:
    """keys: (n,) record keys. parts: component -> (n,). fixed: exactly sum(pi) rows, spread over the strata if there
    are any; otherwise rows are drawn independently."""
    known = {name: column(pi) for name, pi in parts.items()}
    probability = together(lambda *pis: union(pis), *known.values())
    uniform = Column(len(probability), lambda part: keyed_uniform(keys[part], seed), probability.size)
    groups = None if strata is None else column(strata)
    chosen = systematic(probability, uniform, groups, seed) if fixed else together(np.less, uniform, probability)
    for part in probability.chunks():
        rows = part[0]
        components = {name: np.asarray(pi.read(rows), dtype=float) for name, pi in known.items()}
        yield Piece(rows, np.asarray(chosen.read(rows)), union(components.values()), components)
