"""Score bins nearly equal in the logit, found from the bits of a float: no logarithm, no search.

Rare events crowd the scores near 0 (or 1), where bins of equal width would tie almost all of them: with 1% positives
1,024 uniform bins miss the AUC by 2e-2. Here every octave of min(p, 1 - p) has bins of its own ("log-linear", as in
HdrHistogram): more for the octaves near 1/2, fewer for those where scores are rare.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import numpy.typing as npt

from continual.errors import PolicyError

Floats = npt.NDArray[np.float64]
#: Bins per octave of min(p, 1 - p), from [1/4, 1/2) downwards, of 1,024 bins; fewer bins: the same shares.
OCTAVES = (64,) * 6 + (32,) * 2 + (8,) * 4 + (4,) * 8
#: Mantissa bits that the table is indexed with: 2^6 >= the largest entry of OCTAVES.
FINE = 6


@dataclass(frozen=True)
class ScoreBins:
    """Bins of probabilities, symmetric about 1/2.

    resolution: bins before thresholds are added. thresholds: scores in (0, 1) at which a row is called positive; each
    is exactly an edge (as 1/2 always is), so that counts by bin give the confusion table at it without error.
    """

    resolution: Literal[256, 1024] = 256
    thresholds: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        wrong = [t for t in self.thresholds if not 0 < t < 1]
        if wrong or self.resolution not in {256, 1024}:
            raise PolicyError(
                "Score bins must be 256 or 1024, with thresholds between 0 and 1.",
                f"{self.resolution} bins, thresholds {wrong or 'fine'}.",
                "correct the resolution or the metric's threshold.",
            )

    def __len__(self) -> int:
        return len(self.edge) + 1

    @cached_property
    def _half(self) -> Floats:
        """Ascending lower ends of the bins of min(p, 1 - p), the first is 0."""
        ends: list[float] = []
        for octave, share in reversed(list(enumerate(OCTAVES))):
            start, count = 2.0 ** -(octave + 2), share * self.resolution // 1024
            ends.extend(start * (1 + k / count) for k in range(count))
        return np.array([0.0, *ends[1:]])

    @cached_property
    def _base(self) -> Floats:
        """Edges without the thresholds. Above 1/2 a bin is closed on the right, as its mirror image is on the left."""
        out: Floats = np.concatenate([self._half[1:], [0.5], np.nextafter(1 - self._half[:0:-1], 2)])
        return out

    @cached_property
    def extra(self) -> Floats:
        """Thresholds that are no edge already, ascending."""
        return np.setdiff1d(np.array(self.thresholds, dtype=float), self._base)

    @cached_property
    def _below(self) -> npt.NDArray[np.int64]:
        """Number of `extra` thresholds that are below all of a bin, by bin without thresholds."""
        lower = np.concatenate([[0.0], self._base])
        return np.searchsorted(self.extra, lower, side="right")

    @cached_property
    def edge(self) -> Floats:
        """(B - 1,) ascending: score from which on a row is in the next bin."""
        return np.union1d(self._base, self.extra)

    @cached_property
    def center(self) -> Floats:
        """(B,) middle of each bin."""
        bounds = np.concatenate([[0.0], self.edge, [1.0]])
        out: Floats = (bounds[:-1] + bounds[1:]) / 2
        return out

    @cached_property
    def table(self) -> npt.NDArray[np.uint16]:
        """(2, T) lowest bin that p < 1/2, and p >= 1/2, can have by exponent and top mantissa bits of min(p, 1 - p),
        from 2^-(octaves + 1) up to 1/2 inclusive."""
        lowest = -(len(OCTAVES) + 1)
        octaves = np.repeat(2.0 ** np.arange(lowest, -1), 2**FINE)
        fine = octaves * (1 + np.tile(np.arange(2**FINE) / 2**FINE, len(OCTAVES)))
        found = np.searchsorted(self._half, fine, side="right") - 1
        low = np.append(found, found[-1])
        return np.stack([base + self._below[base] for base in (low, len(self._base) - low)]).astype(np.uint16)

    @cached_property
    def limit(self) -> Floats:
        """(B,) upper end of each bin, the last without one."""
        return np.append(self.edge, np.inf)

    @cached_property
    def steps(self) -> int:
        """How many bins a score can be above the lowest that its bits allow."""
        return int(np.diff(self._below, append=len(self.extra)).max())

    def index(self, score: npt.ArrayLike) -> npt.NDArray[np.uint16]:
        """(n,) bin of each score in [0, 1]; a score outside is in the first or last bin, NaN anywhere."""
        from continual.cells.kernel import bin_scores

        scores = np.ascontiguousarray(score, dtype=np.float64)
        out = np.empty(len(scores), dtype=np.uint16)
        bin_scores(scores, np.zeros(len(scores)), self.table, self.limit, self.steps, out)
        return out

    def as_dict(self) -> dict[str, object]:
        return {"resolution": self.resolution, "thresholds": sorted(self.thresholds)}
