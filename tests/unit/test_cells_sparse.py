"""Counts that are mostly 0 come back from their packed form as they were."""

from __future__ import annotations

import numpy as np
import pytest

from continual.cells import sparse


@pytest.mark.parametrize("shape", [(3, 2, 8), (5, 2, 7), (1, 1, 1)])
@pytest.mark.parametrize("top", [1, 15, 16, 17, 255])
@pytest.mark.parametrize("share", [0.0, 0.1, 1.0])
def test_counts_come_back(shape: tuple[int, ...], top: int, share: float) -> None:
    rng = np.random.default_rng(top)
    counts = (rng.integers(1, top + 1, shape) * (rng.random(shape) < share)).astype(np.uint8)
    packed = sparse.pack(counts)
    np.testing.assert_array_equal(sparse.unpack(**packed, shape=shape), counts)
    assert len(packed["large"]) == (counts > 15).sum()


def test_only_bytes_that_are_mostly_zero_are_packed() -> None:
    counts = np.zeros((10, 2, 8), dtype=np.uint8)
    assert sparse.is_sparse(counts)
    assert not sparse.is_sparse(counts.astype(np.uint16))
    counts[:5] = 1
    assert not sparse.is_sparse(counts)
