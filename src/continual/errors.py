"""Errors a user can act on: what must hold, what was got, what to do."""

from __future__ import annotations


class ContinualError(Exception):
    """Base of every error raised on purpose.

    Parameters
    ----------
    must: what must hold, as a sentence.
    got: what was found instead.
    remedy: what a person should do now.
    """

    def __init__(self, must: str, got: str, remedy: str) -> None:
        self.must, self.got, self.remedy = must, got, remedy
        super().__init__(must, got, remedy)

    def __str__(self) -> str:
        return f"{self.must} Got: {self.got} Do: {self.remedy}"


class PolicyError(ContinualError):
    """A policy file is invalid; the message names file, line, field, value and remedy."""


class UnknownKind(ContinualError):
    """No strategy of a family has this `kind`."""


class DuplicateKind(ContinualError):
    """Two strategies of a family claim the same `kind`."""


class SliceError(ContinualError):
    """A slice expression is not in the allowed language, or names a missing column."""


class BatchError(ContinualError):
    """A source batch cannot be accepted as it is."""


class Skipped(ContinualError):
    """There is nothing to do here, for a reason worth reading; no failure."""


class NotEnoughData(Skipped):
    """A window has too few rows or holes: the flow skips, with this as the reason."""


class StoreError(ContinualError):
    """The prediction log or the evaluation store cannot answer or refuses a write."""


class LedgerError(StoreError):
    """The ledger's hash chain does not verify."""


class LabelerError(ContinualError):
    """Where labels are asked for does not answer or refuses."""


class LeaseHeld(StoreError):
    """Another run holds the application's lease."""


class ModelUnavailable(ContinualError):
    """A model version or the registry cannot be read; never to be read as 'no champion'."""


class PromotionRefused(ContinualError):
    """A promotion or rollback would break an invariant (stale verdict, quarantined lineage, ...)."""
