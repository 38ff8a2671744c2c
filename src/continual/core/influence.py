"""No source may make up more than a share of what a model learns from: a poisoned one is bounded by construction."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt


def largest_count(counts: Sequence[int], share: float) -> int | None:
    """Rows each source may keep, at most, so that none has more than `share` of those that are left; as many rows as
    possible are. None: there are too few sources for such a share.

    The largest sources are cut to one size c = share * (rows of the others) / (1 - share * how many are cut).
    """
    ordered = sorted(counts, reverse=True)
    left, cut = sum(ordered), 0
    size = float(share * left)
    while cut < len(ordered) and ordered[cut] > size:
        left, cut = left - ordered[cut], cut + 1
        if share * cut >= 1:
            return None
        size = share * left / (1 - share * cut)
    most = int(size + 1e-9) if cut else max(ordered, default=0)
    return most or None


def within_share(
    source: npt.NDArray[np.object_], order: npt.NDArray[np.float64], share: float
) -> npt.NDArray[np.bool_] | None:
    """(n,) rows that stay; of a source that is cut those with the smallest `order`. None: as `largest_count`.

    source: (n,) names. order: (n,) numbers that have nothing to do with the rows' content.
    """
    names, of = np.unique(source.astype(str), return_inverse=True)
    most = largest_count(np.bincount(of, minlength=len(names)).tolist(), share)
    if most is None:
        return None
    ranked = np.lexsort((order, of))
    starts = np.r_[0, np.cumsum(np.bincount(of, minlength=len(names)))[:-1]]
    rank = np.empty(len(of), dtype=np.int64)
    rank[ranked] = np.arange(len(of)) - starts[of[ranked]]
    return np.asarray(rank < most)
