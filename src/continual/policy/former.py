"""A policy snapshot as it was meant when it was kept, although a release since has other fields or defaults.

The hash of a policy is of its whole meaning, defaults included. So that a decision can be derived again years later,
the meaning is kept beside the text; what earlier releases kept without it is looked up among the defaults they had. In
both cases the hash decides whether that is what was meant.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from pydantic import ValidationError

from continual.core.canonical import digest
from continual.policy.models import Policy

Meaning = dict[str, Any]


class Change(NamedTuple):
    """A field of a strategy whose default was `before`; existed False: there was no such field, and `before` is what
    the release did without it."""

    section: str
    kind: str
    field: str
    before: Any
    existed: bool


#: The newest first: the last changes of releases that kept no meaning beside the text. Later ones need no line here.
CHANGES = (
    Change("gate", "graded", "label_noise", "ignore", existed=False),
    Change("monitor", "e_detector", "lasting_shocks", False, existed=True),
    Change("monitor", "e_detector", "lasting_shocks", False, existed=False),
)


def kept(policy: Policy, text: str) -> str:
    """What is written beside the text of a snapshot."""
    return json.dumps({"text": digest(text), "meaning": policy.model_dump(mode="json")}, sort_keys=True, indent=1)


def meant(beside: str, text: str, policy_hash: str) -> Policy | None:
    """From what was written beside the text; None: it is of another text or hash, or this release cannot read it."""
    try:
        found = json.loads(beside)
        same = found["text"] == digest(text) and hash_of(found["meaning"]) == policy_hash
        return Policy.model_validate(found["meaning"]) if same else None
    except (ValueError, KeyError, TypeError, ValidationError):
        return None


def meant_before(policy: Policy, said: Meaning, policy_hash: str) -> Policy | None:
    """policy: the text as this release reads it. said: what the text says. None: no known release meant it so."""
    for meaning, values in _earlier(policy.model_dump(mode="json"), said):
        if hash_of(meaning) == policy_hash:
            return Policy.model_validate(values)
    return None


def hash_of(meaning: Meaning) -> str:
    """As `LoadedPolicy.hash`."""
    return digest(meaning)[:16]


def _earlier(now: Meaning, said: Meaning) -> Iterator[tuple[Meaning, Meaning]]:
    """The meaning under ever earlier defaults, and the same in fields of this release."""
    meaning, values = copy.deepcopy(now), copy.deepcopy(now)
    for change in CHANGES:
        section = said.get(change.section)
        own = isinstance(section, dict) and change.field in section
        if now[change.section]["kind"] != change.kind or (own and change.existed):
            continue
        if own:  # no earlier release took this text
            return
        values[change.section][change.field] = change.before
        if change.existed:
            meaning[change.section][change.field] = change.before
        else:
            del meaning[change.section][change.field]
        yield meaning, values
