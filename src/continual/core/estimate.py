"""What a metric says: a value with its uncertainty, or 'undefined' with the reason."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Estimate:
    """A metric on a set of rows.

    value, low, high: the estimate and its 95% interval in the metric's unit; all None when undefined
    (no labelled rows, one class, ...), never 0. n: rows in the slice. n_labelled: rows with a label.
    method: how value and interval were computed.
    """

    value: float | None
    low: float | None
    high: float | None
    n: int
    n_labelled: int
    method: str

    @property
    def defined(self) -> bool:
        return self.value is not None

    @property
    def coverage(self) -> float | None:
        """Share of rows with a label, in [0, 1]; None without rows."""
        return self.n_labelled / self.n if self.n else None

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def undefined(cls, n: int, n_labelled: int, why: str) -> Estimate:
        return cls(None, None, None, n, n_labelled, f"undefined: {why}")


@dataclass(frozen=True)
class Comparison:
    """Candidate minus champion on identical rows, oriented so that **positive = candidate better**.

    gain: the difference in the metric's unit; se: its standard error; low, high: two-sided 95%
    interval; p_harm: one-sided p-value of 'candidate is not worse' (small = candidate is worse);
    n: paired labelled rows. All values None when undefined. df: degrees of freedom of the t quantile behind
    the interval, None = normal. discordant: rows that only one model gets right, None where that has no meaning.
    """

    gain: float | None
    se: float | None
    low: float | None
    high: float | None
    p_harm: float | None
    n: int
    method: str
    df: float | None = None
    discordant: int | None = None

    @property
    def defined(self) -> bool:
        return self.gain is not None and self.se is not None and self.p_harm is not None

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def undefined(cls, n: int, why: str) -> Comparison:
        return cls(None, None, None, None, None, n, f"undefined: {why}")
