"""Results of Great Expectations as sentences a person can act on."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Any

from continual.expectations.spec import ExpectationSpec

EMPTY = "the batch is empty: 0 rows came, so no expectation was checked"


def missing_column(column: str, came: Sequence[str]) -> str:
    """Names the column, what came instead, and the likely new name."""
    longer = [name for name in came if name.startswith(column) or column.startswith(name)]
    near = longer or difflib.get_close_matches(column, came, n=1, cutoff=0.7)
    hint = f"; was it renamed to {near[0]}?" if near else ""
    return f"{column}: the column is missing{hint} (columns that came: {', '.join(came)})"


def all_null(check: ExpectationSpec, n: int) -> str:
    """A map expectation that saw no value passes by itself; it must not."""
    return f"{subject(check)}: all {n:,} values are null, so nothing could be checked ({signature(check)})"


def raised(check: ExpectationSpec, message: str, dtype: str) -> str:
    held = f" on values of type {dtype}" if dtype else ""
    return f"{subject(check)}: the check could not run{held}: {message} ({signature(check)})"


def failed(check: ExpectationSpec, result: dict[str, Any]) -> str:
    """For row-wise expectations the share that failed and the share allowed, else what was observed."""
    if "unexpected_percent" in result:
        return f"{subject(check)}: {_share(check, result)}, {_allowed(check)} ({signature(check)})"
    return f"{subject(check)}: {_observed(result)} ({signature(check)})"


def row_failed(check: ExpectationSpec) -> str:
    return f"{subject(check)}: {'null' if _about_null(check) else 'unexpected value'} ({signature(check)})"


def subject(check: ExpectationSpec) -> str:
    return ", ".join(check.columns) or "table"


def signature(check: ExpectationSpec) -> str:
    """The expectation as it stands in the policy, without its columns."""
    shown = {k: v for k, v in check.arguments.items() if k not in ("column", "column_A", "column_B", "column_list")}
    return ", ".join([check.name, *(f"{key}={_short(value)}" for key, value in shown.items())])


def _about_null(check: ExpectationSpec) -> bool:
    return check.name == "expect_column_values_to_not_be_null"


def _share(check: ExpectationSpec, result: dict[str, Any]) -> str:
    share = f"{result['unexpected_percent']:.1f}%"
    if _about_null(check):
        return f"{share} null"
    examples = list(dict.fromkeys(str(value) for value in result.get("partial_unexpected_list") or []))[:3]
    return f"{share} unexpected, such as {', '.join(examples)}" if examples else f"{share} unexpected"


def _allowed(check: ExpectationSpec) -> str:
    tolerated = 100 * (1 - float(check.arguments.get("mostly", 1)))
    return f"at most {tolerated:.4g}% allowed" if tolerated > 0 else "none allowed"


def _observed(result: dict[str, Any]) -> str:
    details = result.get("details") or {}
    seen = details.get("mismatched", result.get("observed_value"))
    return f"observed {_short(seen)}" if seen is not None else "not met, nothing was observed"


def _short(value: Any, limit: int = 200) -> str:
    text = str(round(value, 6) if isinstance(value, float) else value)
    return text if len(text) <= limit else text[: limit - 3] + "..."
