"""What slices and projections of a policy ask of columns: that they exist, hold the right kind, lead back nowhere."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from continual.core import expression
from continual.core.expression import Kind
from continual.core.projection import Projection, kinds_with, order
from continual.core.verdict import OVERALL
from continual.errors import SliceError

if TYPE_CHECKING:
    from continual.core.slices import SliceSpec
    from continual.policy.models import Policy

#: Columns every row of the log has, or gets when it is read.
RESERVED = frozenset(
    {"record_key", "event_time", "known_at", "model_version", "prediction", "batch_id", "row_hash"}
    | {"label", "label_known_at", "probability", "sample_weight"}
)
#: Path of the field and the sentence that says what is wrong with it.
Problem = tuple[tuple[str | int, ...], str]
_NAME = re.compile(r"[A-Za-z_]\w{0,60}")


def column_problems(policy: Policy) -> Iterator[Problem]:
    """Everything wrong with projections, then with slices."""
    projections = policy.projections
    yield from _names(policy, projections)
    try:
        order(projections)
    except SliceError as error:
        yield ("projections",), f"read each other in a circle: {error.got}"
        return
    kinds = kinds_with(projections, logged_kinds(policy))
    yield from _values(projections, kinds)
    known = {*policy.columns, *projections}
    for i, spec in enumerate(policy.slices):
        yield from _slice(("slices", i), spec, known, kinds)
    yield from _parents(policy)
    yield from _source_of_influence(policy)


def logged_kinds(policy: Policy) -> dict[str, Kind]:
    """What the log holds in each column that an expression may read."""
    text = dict.fromkeys([*policy.tags, *policy.features.categorical], Kind.TEXT)
    numbers = dict.fromkeys([*policy.features.numeric, *policy.features.extra], Kind.NUMBER)
    return {"event_time": Kind.TIME} | text | numbers


def _source_of_influence(policy: Policy) -> Iterator[Problem]:
    cap = policy.window.influence
    if cap is not None and cap.by not in policy.columns:
        near = difflib.get_close_matches(cap.by, policy.columns, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        yield ("window", "influence", "by"), f"{cap.by!r} is not logged; {hint}name a feature or a tag"


def _names(policy: Policy, projections: Mapping[str, Projection]) -> Iterator[Problem]:
    for name in projections:
        if not _NAME.fullmatch(name):
            yield ("projections", name), "a projection's name is letters, digits and _ (at most 61)"
        elif name in RESERVED:
            yield ("projections", name), f"{name!r} is a column of the log itself; choose another name"
        elif name in policy.columns:
            yield ("projections", name), f"{name!r} is already a feature or a tag; choose another name"


def _values(projections: Mapping[str, Projection], kinds: Mapping[str, Kind]) -> Iterator[Problem]:
    for name, projection in projections.items():
        unknown = [c for c in projection.columns if c not in kinds and c not in projections]
        for column in unknown:
            yield ("projections", name), _unknown(column, set(kinds))
        try:
            projection.kind(kinds)
        except SliceError as error:
            yield ("projections", name), error.got.rstrip(".")


def _unknown(column: str, known: set[str]) -> str:
    near = difflib.get_close_matches(column, known, n=1)
    return f"{column!r} is neither a feature nor a tag nor a projection" + (
        f"; did you mean {near[0]!r}?" if near else ""
    )


def _slice(
    path: tuple[str | int, ...], spec: SliceSpec, known: set[str], kinds: Mapping[str, Kind]
) -> Iterator[Problem]:
    field = "where" if spec.where is not None else "cross" if spec.cross else "by"
    for column in spec.columns:
        if column not in known:
            yield (*path, field), _unknown(column, known)
    if spec.bins is not None and kinds.get(str(spec.by), Kind.NUMBER) != Kind.NUMBER:
        yield (*path, "bins"), f"{spec.by!r} holds {kinds[str(spec.by)].value}: only numbers have bins"
    if spec.where is not None:
        try:
            expression.check_kinds(spec.where, {c: k for c, k in kinds.items() if c in known})
        except SliceError as error:
            yield (*path, "where"), error.got.rstrip(".")


def _parents(policy: Policy) -> Iterator[Problem]:
    parent_of = {s.name: s.parent for s in policy.slices if s.name}
    by_value = {s.by for s in policy.slices if s.bins is None}
    for i, spec in enumerate(policy.slices):
        if spec.cross and spec.parent in spec.cross:
            if spec.parent not in by_value:
                yield ("slices", i, "parent"), f"the column needs a slice of its own: add {{by: {spec.parent}}}"
            continue
        line = [spec.parent]
        while line[-1] in parent_of and len(line) <= len(parent_of):
            line.append(parent_of[line[-1]])
        if line[-1] != OVERALL:
            why = "leads back to itself" if line[-1] in parent_of else f"is no named slice ({', '.join(parent_of)})"
            yield ("slices", i, "parent"), f"{why}; every slice must roll up to {OVERALL!r}"
