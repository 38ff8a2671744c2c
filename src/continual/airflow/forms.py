"""Trigger forms whose proposals come from the application: versions to roll back to, slices to label."""

from __future__ import annotations

from airflow.sdk import Param

from continual.policy.models import Policy
from continual.settings import Settings


def to_version(policy: Policy) -> Param:
    """Earlier champions as a list to choose from; any other version can be typed."""
    from continual.flows.proposals import read_proposals

    known = read_proposals(Settings.from_environment().home, policy.application)
    proposed = {"examples": list(known), "values_display": known} if known else {}
    description = "Empty: the last known good one. It must load, score today's rows and not be worse on them."
    return Param(None, type=["null", "string"], title="To version", description=description, **proposed)


def label_slice(policy: Policy) -> Param:
    """Slices the policy names; `region=east` for one value of a column."""
    named = [s.name for s in policy.slices if s.name]
    proposed = {"examples": named} if named else {}
    description = "Where labels are needed most. Empty: where the newest verdict lacks them."
    return Param(None, type=["null", "string"], title="Slice", description=description, **proposed)
