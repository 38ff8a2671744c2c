"""Borrowing: when the proof of a parent may stand in for the rows that a small slice lacks.

Shrinking a slice towards its parent hides exactly the broken slice (STATISTICS: it promotes all of them), and a
parent that is fine on average says nothing about one small part of it. So nothing is averaged. A slice may borrow if
1. the nearest slice it rolls up to with a proof is PROVEN, and none on the way there is harmed, and
2. its own rows rule out a catastrophe: the one-sided lower bound of its own gain is above -size.
By 2 a slice that is worse by `size` or more passes with a chance of at most 1 - confidence, whatever its parent says.
"""

from __future__ import annotations

from collections.abc import Mapping

from continual.core.stats.power import Paired
from continual.core.verdict import OVERALL, SliceClass

Key = tuple[str, str]


def lender(key: Key, parents: Mapping[str, str], classes: Mapping[Key, SliceClass]) -> str | None:
    """The nearest slice above `key` that is PROVEN on the same metric; None when there is none or a harmed one."""
    name, metric = key
    seen = {name}
    while (name := parents.get(name, OVERALL)) not in seen:
        found = classes.get((name, metric))
        if found is SliceClass.PROVEN or found is SliceClass.HARM:
            return name if found is SliceClass.PROVEN else None
        seen.add(name)
    return None


def rules_out(found: Paired, size: float, alpha: float) -> bool:
    """Whether the slice's own rows exclude a regression of `size` at level `alpha`.

    Right/wrong metrics also by the exact binomial law: the normal bound of few rows lets up to 12% pass at 5%.
    """
    if found.lower(alpha) <= -size:
        return False
    return found.discordant is None or size >= 1 or _as_few_lost(found, found.discordant, size) <= alpha


def _as_few_lost(found: Paired, discordant: int, size: float) -> float:
    """Largest chance of as few rows that only the champion gets right, if the candidate is worse by `size`."""
    from scipy.special import bdtr

    lost = (discordant - round(found.gain * found.n)) / 2
    return float(bdtr(min(max(lost, 0.0), found.n), found.n, size))
