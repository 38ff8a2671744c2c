"""What must hold between fields of a policy; found when it is loaded, not when it is used."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from continual.policy.consistency_columns import RESERVED, Problem, column_problems

if TYPE_CHECKING:
    from continual.policy.models import Policy


def problems(policy: Policy) -> list[Problem]:
    """Empty = consistent."""
    checks = (
        _active,
        _primary,
        _classes,
        _tasks,
        _reserved,
        column_problems,
        _behaviours,
        _labelling,
        _self_training,
        _noise,
        _repeated,
    )
    return [problem for check in checks for problem in check(policy)]


def _active(policy: Policy) -> Iterator[Problem]:
    if policy.active.end is not None and policy.active.end <= policy.active.start:
        yield ("active", "end"), f"must be after active.start {policy.active.start.isoformat()}"


def _primary(policy: Policy) -> Iterator[Problem]:
    primary = [(i, m) for i, m in enumerate(policy.metrics) if m.priority == "primary"]
    if not primary:
        yield ("metrics",), "exactly one must have priority 'primary', got none"
        return
    first, metric = primary[0]
    if metric.floor is None:
        yield ("metrics", first, "floor"), f"the primary metric {metric.kind!r} needs one: the first model must earn it"
    for i, _ in primary[1:]:
        yield ("metrics", i, "priority"), f"exactly one may be 'primary', and {metric.kind!r} already is"


def _classes(policy: Policy) -> Iterator[Problem]:
    names, several = policy.label.classes, policy.label.task == "multiclass"
    if several and (len(names) < 3 or len(set(names)) < len(names)):
        yield ("label", "classes"), f"multiclass needs three or more different classes, got {names}"
    if names and not several:
        yield ("label", "classes"), f"only multiclass has classes, label.task is {policy.label.task.value!r}"


def _tasks(policy: Policy) -> Iterator[Problem]:
    if policy.label.task not in policy.sampler.tasks:
        yield ("sampler", "kind"), f"does not apply to label.task {policy.label.task.value!r}; use 'uniform'"
    for i, metric in enumerate(policy.metrics):
        if policy.label.task not in metric.tasks:
            yield ("metrics", i, "kind"), f"does not apply to label.task {policy.label.task.value!r}"


def _reserved(policy: Policy) -> Iterator[Problem]:
    listed = {
        ("features", "categorical"): policy.features.categorical,
        ("features", "numeric"): policy.features.numeric,
        ("features", "extra"): policy.features.extra,
        ("tags",): policy.tags,
    }
    for path, names in listed.items():
        for i, name in enumerate(names):
            if name in RESERVED or name in policy.label.target.columns:
                yield (*path, i), f"{name!r} is a column of the log itself; deliver and list it under another name"


def _behaviours(policy: Policy) -> Iterator[Problem]:
    for i, behaviour in enumerate(policy.behaviours):
        for column in behaviour.columns:
            if column not in policy.columns:
                near = difflib.get_close_matches(column, policy.columns, n=1)
                hint = f"; did you mean {near[0]!r}?" if near else ""
                yield ("behaviours", i), f"{column!r} is neither a feature nor a tag{hint}"


def _labelling(policy: Policy) -> Iterator[Problem]:
    if policy.labeler.asks and policy.labelling.budget is None:
        yield ("labelling", "budget"), f"is needed where labeler.kind {policy.labeler.kind!r} asks people for labels"
    for i, column in enumerate(policy.labelling.show):
        if column not in policy.columns:
            yield ("labelling", "show", i), f"{column!r} is neither a feature nor a tag"
    if policy.labelling.tolerance and policy.label.task != "regression":
        yield ("labelling", "tolerance"), f"only numbers are close, label.task is {policy.label.task.value!r}"


def _noise(policy: Policy) -> Iterator[Problem]:
    """Wrong labels can be taken out of binary ones, by metrics that know how, at a rate that somebody sees."""
    gate, where = policy.gate, ("gate", "label_noise")
    if not gate.reads_noise:
        return
    if policy.label.task != "binary":
        yield where, f"wrong labels are taken out of binary labels only, label.task is {policy.label.task.value!r}"
    for i, metric in enumerate(policy.metrics):
        if metric.priority != "report" and not metric.sees_through_noise:
            yield (
                ("metrics", i, "priority"),
                f"must be 'report': gate.label_noise cannot be taken out of {metric.kind!r}",
            )
    twice = policy.labelling.double > 0 or policy.labelling.annotators > 1
    if gate.measures_noise and not (policy.labeler.asks and twice):
        yield where, "'measured' needs a labeler that asks people and labelling.double > 0; or give the known share"


def _self_training(policy: Policy) -> Iterator[Problem]:
    for i, trainer in enumerate(policy.trainers):
        if trainer.self_training and policy.label.task == "regression":
            yield (
                ("trainers", i, "self_training"),
                "needs classes with probabilities; label.task is 'regression'",
            )


def _repeated(policy: Policy) -> Iterator[Problem]:
    named = {
        "metrics": [m.name for m in policy.metrics],
        "trainers": [t.name for t in policy.trainers],
        "tags": policy.tags,
        "slices": [s.label for s in policy.slices],
        "behaviours": [b.label for b in policy.behaviours],
    }
    for field, names in named.items():
        for name, count in Counter(names).items():
            if count > 1:
                yield (field, len(names) - 1 - names[::-1].index(name)), f"{name!r} is listed {count} times"
