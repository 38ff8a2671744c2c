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


@pytest.mark.parametrize("largest", [255, 256, 70_000])
@pytest.mark.parametrize("kind", ["uint16", "uint32", "int64", "float64"])
def test_numbers_that_fit_in_a_byte_give_the_same_sums(largest: int, kind: str) -> None:
    rng = np.random.default_rng(3)
    counts = rng.integers(0, 200, (5, 4, 2, 33)).astype(np.float64)
    counts[:, 0] *= 300  # `overall` is wider than the slices
    counts[2, 3, 1, 32] = largest
    if kind == "uint16":
        counts = np.minimum(counts, 65_535)
    slope = rng.normal(size=counts.shape[1:])
    tables = DayTables(counts.astype(kind))
    np.testing.assert_allclose(tables.dot(slope), np.einsum("dslb,slb->ds", counts, slope), rtol=1e-12)
    np.testing.assert_array_equal(tables.total, counts.sum(axis=0))
    np.testing.assert_array_equal(tables.weight, counts.sum(axis=(2, 3)))
    np.testing.assert_array_equal(
        tables.halved(7).counts, np.stack([counts[..., :7].sum(axis=3), counts[..., 7:].sum(axis=3)], axis=3)
    )
