"""How gates write numbers, so that one finding reads the same everywhere."""

from __future__ import annotations

from continual.core.estimate import Estimate
from continual.core.stats.power import Paired
from continual.core.verdict import MetricEvidence, Spending


def num(value: float) -> str:
    """Three decimals without the leading zero: .744, -.205, 1.234."""
    text = f"{value:.3f}"
    if float(text) == 0:
        return ".000"
    return text.replace("0.", ".", 1) if text.lstrip("-").startswith("0.") else text


def value_of(estimate: Estimate | None) -> str:
    return "undefined" if estimate is None or estimate.value is None else num(estimate.value)


def change(slice_name: str, metric: MetricEvidence, found: Paired | None, tests: int, p_adjusted: float | None) -> str:
    """`a: roc_auc .744 -> .539 (gain -.205, 95% [-.250, -.160], harm p=2e-12 after Holm over 36 tests, n=1,120)`

    Champion's value -> candidate's; gain > 0 = candidate better, whatever the metric's direction.
    """
    head = f"{slice_name}: {metric.metric} {value_of(metric.champion)} -> {value_of(metric.candidate)}"
    if found is None:
        why = metric.comparison.method if metric.comparison else metric.candidate.method
        return f"{head} ({why}, n={metric.candidate.n_labelled:,} labelled of {metric.candidate.n:,})"
    p = f"harm p={found.p_harm:.1g}" if p_adjusted is None else f"harm p={p_adjusted:.1g} after Holm over {tests} tests"
    interval = f"95% [{num(found.low)}, {num(found.high)}]"
    return f"{head} (gain {num(found.gain)}, {interval}, {p}, n={found.n:,})"


def percent(share: float) -> str:
    """Two digits of a small probability: 5%, 0.072%."""
    return f"{100 * share:.2g}%"


def budget(spending: Spending) -> str:
    """`Budget of wrong promotions: 0.072% taken by this decision, 3.9% of 5% left this year.`"""
    return (
        f"Budget of wrong promotions: {percent(spending.charged)} taken by this decision, "
        f"{percent(spending.left)} of {percent(spending.budget)} left this year."
    )
