"""Sentences about the quality of labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from continual.core.estimate import Comparison, Estimate

#: Fields of the label account, in words.
ACCOUNT = {
    "budget": "a period",
    "start": "since",
    "spent": "spent",
    "carried": "overdraft carried over",
    "left": "left",
    "kept": "of it for verdicts that need labels alone",
    "price": "an answer costs",
}


#: How a method says that there is no number.
UNDEFINED = "undefined: "


def estimate_sentence(found: Estimate | None, share: bool = False) -> str:
    """Value with its interval, or why there is none."""
    if found is None:
        return "not measured for this kind of label"
    if found.value is None or found.low is None or found.high is None:
        return f"undefined: {found.method.removeprefix(UNDEFINED)}"
    show = "{:.1%}" if share else "{:.3f}"
    value, low, high = (show.format(number) for number in (found.value, found.low, found.high))
    return f"{value} (95% {low} to {high}, {found.n_labelled:,} rows; {found.method})"


def comparison_sentence(found: Comparison | None) -> str | None:
    """Gain with its interval; None where nothing was compared."""
    if found is None:
        return None
    if found.gain is None or found.low is None or found.high is None:
        return f"undefined: {found.method.removeprefix(UNDEFINED)}"
    return f"gain {found.gain:+.4f} (95% {found.low:+.4f} to {found.high:+.4f}); {found.method}"
