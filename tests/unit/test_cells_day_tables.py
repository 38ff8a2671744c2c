"""The shared sums of a window's counts are what numpy makes of them, in every type of number."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from continual.core.cells import Cells
from continual.core.day_tables import DayTables


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.uint32, np.int64, np.float64])
def test_sums_are_those_of_numpy(kind: type) -> None:
    rng = np.random.default_rng(0)
    counts = rng.integers(0, 200, (3, 4, 2, 37)).astype(kind)
    slope = rng.normal(size=(4, 2, 37))
    found = DayTables(counts)
    np.testing.assert_array_equal(found.total, counts.sum(axis=0, dtype=float))
    np.testing.assert_array_equal(found.weight, counts.sum(axis=(2, 3), dtype=float))
    np.testing.assert_allclose(found.dot(slope), np.einsum("dslb,slb->ds", counts.astype(float), slope), rtol=1e-9)
    halves = found.halved(11)
    np.testing.assert_array_equal(halves.counts[..., 0], counts[..., :11].sum(axis=-1, dtype=float))
    np.testing.assert_array_equal(halves.counts[..., 1], counts[..., 11:].sum(axis=-1, dtype=float))
    assert found.halved(11) is halves


def test_one_day_of_a_window_does_not_remember_the_whole() -> None:
    counts = np.arange(8, dtype=np.uint8).reshape(2, 1, 2, 2)
    n = counts.sum(axis=(2, 3)).astype(np.int64)
    cells = Cells(("overall",), np.arange(2), n, n, counts)
    assert cells.tables is cells.tables
    assert cells.tables is not None
    assert cells.tables.total.sum() == 28
    day = cells.of_day(0).tables
    assert day is not None
    assert day.total.sum() == 6
    again = pickle.loads(pickle.dumps(cells))
    assert again.tables.total.sum() == 28
