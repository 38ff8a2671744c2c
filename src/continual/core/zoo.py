"""Which old version is worth asking the gate about, from how each did against the champion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class OldVersion:
    """A version that once served, against the champion on rows that neither was trained on.

    gain, low, high: how much better it is in the primary metric's unit, with a 95% interval, **positive = better than
    the champion** whatever the metric's direction; None = undefined, `why` says so. n: labelled rows.
    """

    version: str
    gain: float | None
    low: float | None
    high: float | None
    n: int
    why: str = ""

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def sentence(self) -> str:
        """For people."""
        if self.gain is None or self.low is None or self.high is None:
            return f"version {self.version}: {self.why or 'undefined'}"
        return f"version {self.version} {self.gain:+.4f} [{self.low:+.4f}, {self.high:+.4f}]"


def surest(found: Sequence[OldVersion]) -> OldVersion | None:
    """The version whose interval lies highest, if it lies above 0; ties go to the first. None: no old version is
    better for sure, and none may spend the gate's budget."""
    ahead = [(one.low, one) for one in found if one.low is not None and one.low > 0]
    return max(ahead, key=lambda pair: pair[0])[1] if ahead else None
