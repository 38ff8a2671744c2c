"""Counts come back from their packed form as they were."""

from __future__ import annotations

import numpy as np
import pytest

from continual.cells import planes


@pytest.mark.parametrize("shape", [(3, 2, 32), (5, 2, 7), (1, 1, 1), (0, 2, 8)])
@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.uint32])
@pytest.mark.parametrize("share", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("small", [True, False])
def test_counts_come_back(shape: tuple[int, ...], kind: type, share: float, small: bool) -> None:
    rng = np.random.default_rng(3)
    most = 3 if small else np.iinfo(kind).max
    counts = (rng.integers(1, most, shape, endpoint=True) * (rng.random(shape) < share)).astype(kind)
    bits, words = planes.pack(counts)
    np.testing.assert_array_equal(planes.unpack(bits, words, kind, shape), counts)


def test_64_counts_take_the_bits_of_the_largest() -> None:
    counts = np.zeros((3, 64), dtype=np.uint8)
    counts[1, 5], counts[2] = 1, 9
    bits, words = planes.pack(counts)
    assert bits.tolist() == [0, 1, 4]
    assert words.tolist() == [1 << 5, 2**64 - 1, 0, 0, 2**64 - 1]


def test_words_that_do_not_fit_the_bits_are_refused() -> None:
    bits, words = planes.pack(np.ones((2, 64), dtype=np.uint8))
    for wrong in (words[:1], np.append(words, words)):
        with pytest.raises(ValueError, match="words"):
            planes.unpack(bits, wrong, np.uint8, (2, 64))
    with pytest.raises(ValueError, match="words"):
        planes.unpack(bits, words, np.uint8, (9, 64))
