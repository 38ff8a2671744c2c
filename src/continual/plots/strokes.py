"""Lines of characters: sparklines, bars and intervals for a terminal."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

SPARKS = "▁▂▃▄▅▆▇█"
EIGHTHS = " ▏▎▍▌▋▊▉█"
#: A place without a value.
GAP = "·"


def sparkline(values: Sequence[float], low: float | None = None, high: float | None = None, width: int = 40) -> str:
    """One character a value, between `low` and `high` (default: of the values); NaN is a dot. Of more than `width`
    values each character is the mean of neighbours."""
    values = _shortened(values, width)
    seen = [v for v in values if math.isfinite(v)]
    if not seen:
        return GAP * len(values)
    low, high = min(seen) if low is None else low, max(seen) if high is None else high
    span = high - low
    return "".join(GAP if not math.isfinite(v) else SPARKS[_step((v - low) / span if span else 0.5)] for v in values)


def _step(place: float) -> int:
    return min(max(int(place * len(SPARKS)), 0), len(SPARKS) - 1)


def _shortened(values: Sequence[float], width: int) -> list[float]:
    n = len(values)
    if n <= width:
        return [float(v) for v in values]
    cuts = [n * i // width for i in range(width + 1)]
    groups = [[v for v in values[a:b] if math.isfinite(v)] for a, b in pairwise(cuts)]
    return [math.fsum(group) / len(group) if group else math.nan for group in groups]


def bar(value: float, full: float, width: int = 20) -> str:
    """A bar of `width` characters at `full`, to an eighth of a character."""
    if not (math.isfinite(value) and full > 0):
        return ""
    eighths = round(min(max(value / full, 0.0), 1.0) * width * 8)
    return "█" * (eighths // 8) + EIGHTHS[eighths % 8].strip()


def interval(
    low: float, value: float, high: float, ends: tuple[float, float], marks: dict[float, str], width: int
) -> str:
    """`width` characters from ends[0] to ends[1]: a line from low to high, a dot at the value, marks behind it."""
    line = [" "] * width

    def at(x: float) -> int:
        span = ends[1] - ends[0]
        return min(max(round((x - ends[0]) / span * (width - 1)) if span else 0, 0), width - 1)

    for place, sign in marks.items():
        if math.isfinite(place):
            line[at(place)] = sign
    if all(math.isfinite(x) for x in (low, value, high)):
        for i in range(at(low), at(high) + 1):
            line[i] = "┼" if line[i] == "│" else "─"
        line[at(value)] = "●"
    return "".join(line)
