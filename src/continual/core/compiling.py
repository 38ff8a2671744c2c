"""Loops over numbers as machine code, by numba.

The compiled code is kept on disk, so that the many short processes of a scheduler do not compile each time: in
NUMBA_CACHE_DIR, else beside the file of the loop, else in the user's cache; where none can be written each process
compiles.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

F = TypeVar("F", bound=Callable[..., Any])
#: Sums may be taken in any order, so that eight are taken at once; NaN and infinity stay what they are.
_ORDER = {"reassoc", "contract", "nsz"}


def compiled(function: F) -> F:
    """The function as machine code."""
    import numba
    from numba.core import config

    # off by default: without it eight additions of neighbours are eight instructions instead of one
    config.SLP_VECTORIZE = 1  # type: ignore[attr-defined]
    settings: dict[str, Any] = {"nogil": True, "error_model": "numpy", "fastmath": _ORDER}
    try:
        return cast("F", numba.njit(cache=True, **settings)(function))
    except RuntimeError:  # "cannot cache function: no locator available"
        return cast("F", numba.njit(**settings)(function))
