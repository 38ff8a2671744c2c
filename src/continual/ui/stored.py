"""Cells as they are stored, for a page: no day is scanned, none is built."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from continual.core.cells import Cells
from continual.core.window import Window, utc
from continual.flows.cells import plan_of
from continual.flows.day_rows import LIVE
from continual.flows.workspace import Workspace

if TYPE_CHECKING:
    import numpy.typing as npt

EPOCH = date(1970, 1, 1)


def stored(ws: Workspace, version: str, window: Window, as_of: datetime) -> Cells | None:
    """Cells of a version over the days of the window that have some, as known at `as_of`; None: no day has.

    What became known after the last run of the monitor or the store DAG is not in them.
    """
    from continual.cells.block import Block
    from continual.cells.window import stack

    plan = plan_of(ws.policy)
    newest = ws.cells.generations(window, LIVE, plan.layout, utc(as_of))
    found = ws.cells.read(window, [version], plan.layout, utc(as_of))[version]
    # a day that was built again without this version, or without rows, has nothing of it any more
    kept = [one for one in found if one.n_rows and one.as_of >= newest.get(one.day, one.as_of)]
    return stack([Block.from_bytes(one.blob) for one in kept], plan.specs) if kept else None


def days(cells: Cells) -> list[date]:
    """The days of cells, as dates."""
    return [EPOCH + timedelta(days=int(number)) for number in cells.day]


def only(cells: Cells, slice_name: str) -> Cells:
    """The cells of one slice.

    Raises
    ------
    KeyError: they have no such slice.
    """
    if slice_name not in cells.slices:
        raise KeyError(slice_name)
    at = [cells.slices.index(slice_name)]

    def cut(array: npt.NDArray[Any]) -> Any:
        return np.ascontiguousarray(array[:, at])

    return replace(
        cells,
        slices=(slice_name,),
        n=cut(cells.n),
        n_labelled=cut(cells.n_labelled),
        counts=None if cells.counts is None else cut(cells.counts),
        sums={name: cut(value) for name, value in cells.sums.items()},
        products={pair: cut(value) for pair, value in cells.products.items()},
    )
