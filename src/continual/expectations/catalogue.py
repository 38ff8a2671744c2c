"""Which expectations the installed Great Expectations has, and specs turned into them."""

from __future__ import annotations

import difflib
import json
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from continual.errors import PolicyError
from continual.expectations.spec import ExpectationSpec

if TYPE_CHECKING:
    from great_expectations import ExpectationSuite

#: They query a database; a batch here is a frame in memory.
SQL_ONLY = frozenset(
    {
        "expect_query_results_to_match_comparison",
        "expect_table_row_count_to_equal_other_table",
        "unexpected_rows_expectation",
    }
)


@lru_cache(maxsize=1)
def known_expectations() -> tuple[str, ...]:
    """Names a policy may use, sorted. Imports Great Expectations (seconds when cold)."""
    import great_expectations.expectations as _  # noqa: F401  (registers the core expectations)
    from great_expectations.expectations.registry import list_registered_expectation_implementations

    return tuple(sorted(set(list_registered_expectation_implementations()) - SQL_ONLY))


def check_names(checks: Sequence[ExpectationSpec]) -> None:
    """For `continual check`: every expectation exists and takes these arguments.

    Raises
    ------
    PolicyError: for the first that does not, with the nearest known name.
    """
    suite_of(checks)


def suite_of(checks: Sequence[ExpectationSpec]) -> ExpectationSuite:
    """The suite; built once per process for equal checks. Each expectation's meta has its `position` in `checks`.

    Raises
    ------
    PolicyError: an unknown name, or arguments the expectation does not take.
    """
    return _suite(tuple(json.dumps([check.name, check.arguments]) for check in checks))


@lru_cache(maxsize=64)
def _suite(checks: tuple[str, ...]) -> ExpectationSuite:
    from great_expectations import ExpectationSuite

    built = [_expectation(json.loads(check), position) for position, check in enumerate(checks)]
    return ExpectationSuite(name="continual", expectations=built)


def _expectation(check: tuple[str, dict[str, Any]], position: int) -> Any:
    from great_expectations.expectations.registry import get_expectation_impl

    name, arguments = check
    if name not in known_expectations():
        raise _unknown(name)
    implementation = get_expectation_impl(name)
    try:
        return implementation(**arguments, meta={"position": position})
    except Exception as error:  # each expectation validates its own arguments, with errors of its own
        raise PolicyError(
            f"The arguments of {name} must be ones it takes.",
            f"{arguments}: {_problems(error)}.",
            f"see the page of {name} in the Great Expectations gallery.",
        ) from error


def _unknown(name: str) -> PolicyError:
    near = difflib.get_close_matches(name, known_expectations(), n=1)
    hint = f"did you mean {near[0]}? " if near else ""
    why = "it needs a database, batches are frames; " if name in SQL_ONLY else ""
    return PolicyError(
        "An expectation must be one Great Expectations has.",
        f"{name}.",
        f"{hint}{why}see the gallery of Great Expectations.",
    )


def _problems(error: Exception) -> str:
    if not hasattr(error, "errors"):
        return str(error)
    return "; ".join(f"{' '.join(str(part) for part in e['loc'])}: {e['msg']}" for e in error.errors())
