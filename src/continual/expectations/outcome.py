"""What validating a batch says: accepted, rows set aside, or refused, with sentences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from continual.core.canonical import plain


@dataclass(frozen=True)
class RowFinding:
    """Rows that failed one check. rows: positions in the batch, int64, ascending. sentence: why."""

    sentence: str
    rows: npt.NDArray[np.int64]


@dataclass(frozen=True)
class ValidationOutcome:
    """The verdict on one batch of `n` rows.

    reasons: sentences why the whole batch is refused; empty = the batch passes without its failing rows.
    findings: which single rows failed which check. statistics: JSON, for the ledger and the quarantine page.
    """

    n: int
    reasons: tuple[str, ...] = ()
    findings: tuple[RowFinding, ...] = ()
    statistics: dict[str, Any] = field(default_factory=dict)

    @property
    def failed_batch(self) -> bool:
        return bool(self.reasons)

    @property
    def mask(self) -> npt.NDArray[np.bool_]:
        """(n,) True where a row failed at least one row check."""
        mask = np.zeros(self.n, dtype=bool)
        for finding in self.findings:
            mask[finding.rows] = True
        return mask

    @property
    def n_quarantined(self) -> int:
        """Rows to set aside: all of them when the batch is refused."""
        return self.n if self.failed_batch else int(self.mask.sum())

    @property
    def row_failures(self) -> dict[int, tuple[str, ...]]:
        """Row position -> the sentences that apply to it, positions ascending."""
        found: dict[int, tuple[str, ...]] = {}
        for finding in self.findings:
            for row in finding.rows.tolist():
                found[row] = (*found.get(row, ()), finding.sentence)
        return dict(sorted(found.items()))

    @property
    def reason(self) -> str:
        """One line for people."""
        if self.failed_batch:
            return "batch refused: " + "; ".join(self.reasons)
        if self.findings:
            return f"{self.n_quarantined:,} of {self.n:,} rows set aside: " + "; ".join(self._counted())
        return f"{self.n:,} rows passed"

    def _counted(self) -> list[str]:
        return [f"{finding.sentence} [{len(finding.rows):,}]" for finding in self.findings]

    def as_dict(self) -> dict[str, Any]:
        """JSON without row positions (they live in the quarantine table)."""
        rows = [{"reason": f.sentence, "rows": len(f.rows)} for f in self.findings]
        verdict = {"failed_batch": self.failed_batch, "reasons": self.reasons, "row_checks": rows}
        return dict(plain({"rows": self.n, "quarantined": self.n_quarantined, **verdict, **self.statistics}))


def refused(n: int, *reasons: str) -> ValidationOutcome:
    """The whole batch fails for these reasons."""
    return ValidationOutcome(n, reasons=reasons)


def rows_failing(n: int, mask: npt.NDArray[np.bool_], sentence: str) -> ValidationOutcome:
    """Rows where `mask` (n,) is True fail with `sentence`; none: a clean outcome."""
    rows = np.flatnonzero(mask).astype(np.int64)
    return ValidationOutcome(n, findings=(RowFinding(sentence, rows),) if len(rows) else ())


def combined(n: int, outcomes: Sequence[ValidationOutcome]) -> ValidationOutcome:
    """All outcomes of the same batch as one; a reason two checks share is said once."""
    reasons = dict.fromkeys(reason for outcome in outcomes for reason in outcome.reasons)
    findings = tuple(finding for outcome in outcomes for finding in outcome.findings)
    statistics = {key: value for outcome in outcomes for key, value in outcome.statistics.items()}
    return ValidationOutcome(n, tuple(reasons), findings, statistics)


def limited(outcome: ValidationOutcome, max_share: float) -> ValidationOutcome:
    """Refuse the batch when more than `max_share` of its rows failed a row check."""
    failing = int(outcome.mask.sum())
    if not failing or failing / outcome.n <= max_share:
        return outcome
    worst = max(outcome.findings, key=lambda finding: len(finding.rows))
    reason = (
        f"{failing:,} of {outcome.n:,} rows ({failing / outcome.n:.1%}) failed a row check, at most "
        f"{max_share:.1%} may be set aside; most of them: {worst.sentence}"
    )
    return ValidationOutcome(outcome.n, (*outcome.reasons, reason), outcome.findings, outcome.statistics)
