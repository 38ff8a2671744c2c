"""What must hold between fields of a policy; found when it is loaded, not when it is used."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from continual.policy.models import Policy

#: Path of the field and the sentence that says what is wrong with it.
Problem = tuple[tuple[str | int, ...], str]


def problems(policy: Policy) -> list[Problem]:
    """Empty = consistent."""
    return [*_primary(policy), *_tasks(policy), *_slice_columns(policy), *_parents(policy), *_repeated(policy)]


def _primary(policy: Policy) -> Iterator[Problem]:
    primary = [(i, m) for i, m in enumerate(policy.metrics) if m.priority == "primary"]
    if len(primary) != 1:
        yield ("metrics",), f"exactly one must have priority 'primary', got {[m.kind for _, m in primary]}"
    elif primary[0][1].floor is None:
        i, metric = primary[0]
        yield ("metrics", i), f"the primary metric {metric.kind!r} needs a 'floor': the first model must earn it"


def _tasks(policy: Policy) -> Iterator[Problem]:
    for i, metric in enumerate(policy.metrics):
        if policy.label.task not in metric.tasks:
            yield ("metrics", i), f"{metric.kind!r} does not apply to task {policy.label.task.value!r}"


def _slice_columns(policy: Policy) -> Iterator[Problem]:
    known = set(policy.columns)
    for i, spec in enumerate(policy.slices):
        for column in spec.columns:
            if column not in known:
                yield ("slices", i), f"{spec.label!r} uses column {column!r}, which is neither a feature nor a tag"


def _parents(policy: Policy) -> Iterator[Problem]:
    named = {"overall", *(s.name for s in policy.slices if s.name)}
    for i, spec in enumerate(policy.slices):
        if spec.parent not in named or spec.parent == spec.name:
            yield ("slices", i, "parent"), f"{spec.parent!r} is no other named slice (known: {sorted(named)})"


def _repeated(policy: Policy) -> Iterator[Problem]:
    named = {
        "metrics": [m.kind for m in policy.metrics],
        "trainers": [t.name for t in policy.trainers],
        "slices": [s.label for s in policy.slices],
    }
    for field, names in named.items():
        for name, count in Counter(names).items():
            if count > 1:
                yield (field, len(names) - 1 - names[::-1].index(name)), f"{name!r} is listed {count} times"
