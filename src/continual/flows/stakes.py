"""Who gains and who pays: a verdict's findings by the owner of each metric."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from continual.core.verdict import OVERALL, SliceClass, SliceFinding, Verdict


@dataclass(frozen=True)
class Stake:
    """One metric and who answers for it. overall: gain on all rows. gain, pay: slices whose 95% interval lies on one
    side of 0 (or that were ruled harmed), the largest first. unsure: the other slices."""

    owner: str
    metric: str
    overall: float | None
    gain: tuple[SliceFinding, ...]
    pay: tuple[SliceFinding, ...]
    unsure: int


def stakes(verdict: Verdict, owners: Mapping[str, str]) -> list[Stake]:
    """One for each metric that was compared and has an owner, by owner. owners: metric -> who answers for it."""
    compared = [f for f in verdict.findings if f.p_harm is not None]
    named = [(owners[m], m) for m in dict.fromkeys(f.metric for f in compared) if m in owners]
    return [_stake(owner, metric, [f for f in compared if f.metric == metric]) for owner, metric in sorted(named)]


def _stake(owner: str, metric: str, findings: list[SliceFinding]) -> Stake:
    overall = next((f.gain for f in findings if f.slice == OVERALL), None)
    slices = [f for f in findings if f.slice != OVERALL]
    gain = sorted((f for f in slices if f.low is not None and f.low > 0), key=lambda f: -(f.gain or 0.0))
    pay = sorted((f for f in slices if _pays(f)), key=lambda f: f.gain or 0.0)
    return Stake(owner, metric, overall, tuple(gain), tuple(pay), len(slices) - len(gain) - len(pay))


def _pays(found: SliceFinding) -> bool:
    return found.slice_class is SliceClass.HARM or (found.high is not None and found.high < 0)
