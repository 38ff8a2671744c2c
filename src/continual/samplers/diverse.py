"""A batch that covers the pool: rows of every region, not a hundred of the same kind."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from continual.samplers._columns import CHUNK, Column, chunks, kept
from continual.samplers._designs import keyed_uniform
from continual.samplers._regions import farthest_first, vectors
from continual.samplers._scores import floored, rows
from continual.samplers.base import Floats, Pool, Sampler

#: Seed of the shortlist: fixed, so that regions and probabilities do not depend on the draw.
SHORTLIST_SEED = 0x5107


class Diverse(Sampler):
    """pi proportional to share/n + (1 - share) / (H N_h), N_h = rows in the region h of a row, of H regions.

    Regions are the cells around centres that are spread over a shortlist: k-means++ (Arthur & Vassilvitskii 2007) or
    farthest first, the greedy core-set (Sener & Savarese 2018). The shortlist is a function of the record keys, not of
    the seed, so that the probabilities of the draw are exact; rows are then drawn inside the regions, each of which
    gets its share to the row (design fixed).
    """

    kind: Literal["diverse"] = "diverse"
    design: Literal["poisson", "fixed"] = Field("fixed", description="fixed: exactly each region's share is drawn.")
    centres: Literal["kmeans++", "core_set"] = Field("kmeans++", description="How the centres are spread.")
    regions: int = Field(100, ge=2, le=2000, description="At most this many.")
    shortlist: int = Field(10_000, ge=100, description="Rows among which the centres are sought.")
    uniform_share: float = Field(0.3, gt=0, le=1, description="Share drawn uniformly; keeps every pi above zero.")
    chunk: int = Field(CHUNK, ge=1, description="Rows read at a time; bounds memory.")

    def weigh(self, pool: Pool) -> Column:
        region = self.strata(pool)
        sizes = region.counts()
        return floored(region.map(lambda r: 1 / sizes[r]), self.uniform_share)

    def strata(self, pool: Pool) -> Column:
        """(n,) region of each row."""
        key = ("regions", self.model_dump_json())
        if key not in pool.notes:
            pool.notes[key] = self._regions(pool)
        found: Column = pool.notes[key]
        return found

    def _regions(self, pool: Pool) -> Column:
        from sklearn.metrics import pairwise_distances_argmin

        order = self._shortlisted(pool)
        place = vectors(_at(pool.features, order))
        short = place(_at(pool.features, order))
        centres = self._centres(short, min(self.regions, len(np.unique(short, axis=0))))

        def read(part: slice) -> list[npt.NDArray[np.int64]]:
            found = pairwise_distances_argmin(place(rows(pool.features, part)), centres)
            return [np.asarray(found, dtype=np.int64)]

        return kept(len(pool), read, size=self.chunk)[0]

    def _shortlisted(self, pool: Pool) -> npt.NDArray[np.int64]:
        """Rows whose keys have the smallest numbers, in their order."""
        best, number = np.zeros(0, dtype=np.int64), np.zeros(0)
        for part in chunks(len(pool), self.chunk):
            where = np.r_[best, np.arange(part.start, part.stop)]
            number = np.r_[number, keyed_uniform(pool.keys[part], SHORTLIST_SEED)]
            order = np.argsort(number, kind="stable")[: self.shortlist]
            best, number = where[order], number[order]
        return best

    def _centres(self, short: Floats, k: int) -> Floats:
        if self.centres == "core_set":
            return farthest_first(short, k)
        from sklearn.cluster import kmeans_plusplus

        return np.asarray(kmeans_plusplus(short, k, random_state=0)[0])


def _at(features: Any, where: npt.NDArray[np.int64]) -> Any:
    return features.iloc[where] if hasattr(features, "iloc") else features[where]
