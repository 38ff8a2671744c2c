"""Slices: named predicates over logged columns. One definition serves gate, monitor and curation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Iterator
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from continual.core import expression, slice_values
from continual.core.expression_codes import Columns
from continual.core.slice_values import MAX_VALUE, OTHER, literal, quoted, text
from continual.core.verdict import OVERALL, Tier
from continual.errors import SliceError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["MAX_VALUE", "OTHER", "WHOLE", "Slice", "SliceSpec", "masks", "resolve"]
Edge = Annotated[float, Field(allow_inf_nan=False)]

#: A bin more costs a slice more.
MAX_EDGES = 100


class SliceSpec(BaseModel):
    """A slice in the policy: a named predicate, or one slice per value, bin, or pair of values of columns."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str | None = Field(None, pattern=r"^[A-Za-z_][\w]{0,60}$", description="With `where`: the slice's name.")
    where: str | None = Field(None, description="Predicate, for example: plane_age <= 1 AND carrier IN ('UA', 'AA')")
    by: str | None = Field(None, description="Column: one slice per value, the rest (and nulls) in `other`.")
    cross: tuple[str, str] | None = Field(
        None, description="Two columns: one slice per pair of values, the rest (and nulls) in `other`."
    )
    bins: tuple[Edge, ...] | None = Field(
        None,
        min_length=1,
        max_length=MAX_EDGES,
        description="With `by`, a numeric column: ascending edges; one slice per bin [low, high), nulls in `other`.",
    )
    top: int = Field(
        20, ge=1, le=1000, description="With `by` or `cross`: at most this many values or pairs, most frequent first."
    )
    min_rows: int = Field(1, ge=1, description="With `by` or `cross`: rarer values or pairs go to `other`.")
    tier: Tier = Field(Tier.STANDARD, description="What an inconclusive slice may do: see the gate.")
    parent: str = Field(
        OVERALL,
        description="Slice whose rows include this one's; small slices roll up to it. With `cross`, also one of its "
        "two columns if it is sliced `by` its values: the cell a=x & b=y then rolls up to a=x.",
    )

    @field_validator("where")
    @classmethod
    def _readable(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                expression.parse(value)
            except SliceError as error:
                raise ValueError(str(error)) from error
        return value

    @model_validator(mode="after")
    def _one_form(self) -> SliceSpec:
        if sum(form is not None for form in (self.where, self.by, self.cross)) != 1:
            raise ValueError("a slice needs either 'where' (with 'name') or 'by' or 'cross', exactly one of them")
        if self.where is not None and self.name in (None, OVERALL):
            raise ValueError(f"a slice with 'where' needs a 'name' other than {OVERALL!r}")
        if self.cross is not None and self.cross[0] == self.cross[1]:
            raise ValueError(f"a 'cross' needs two different columns, got {self.cross[0]!r} twice")
        self._check_bins()
        return self

    def _check_bins(self) -> None:
        if self.bins is not None and self.by is None:
            raise ValueError("'bins' belong to 'by': the column to cut")
        if self.bins is not None and any(low >= high for low, high in pairwise(self.bins)):
            raise ValueError(f"the edges in 'bins' must ascend, got {list(self.bins)}")

    @property
    def label(self) -> str:
        if self.cross:
            return f"cross {' x '.join(self.cross)}"
        return self.name or f"by {self.by}"

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns it reads."""
        return self.cross or ((self.by,) if self.by else expression.columns(self.where or ""))


@dataclass(frozen=True)
class Slice:
    """A resolved slice: its predicate no longer depends on data."""

    name: str
    predicate: str
    tier: str
    parent: str | None

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


#: All rows; the root of every roll-up.
WHOLE = Slice(OVERALL, "TRUE", Tier.STANDARD.value, None)


def resolve(specs: Iterable[SliceSpec], frame: pd.DataFrame) -> list[Slice]:
    """`overall` and every slice, `by` and `cross` expanded over the values of `frame`; deterministic.

    Raises
    ------
    SliceError: a column is missing, or two slices have one name.
    """
    specs, columns = list(specs), Columns({str(c): frame[c] for c in frame.columns}, len(frame))
    for spec in specs:
        _check_columns(spec, columns)
    parts = [[] if spec.cross else list(_resolve_one(spec, columns)) for spec in specs]
    of_values = {s.name for spec, part in zip(specs, parts, strict=True) if spec.bins is None for s in part}
    for i, spec in enumerate(specs):
        if spec.cross is not None:
            parts[i] = list(_cross(spec, spec.cross, columns, of_values))
    out = [WHOLE, *(s for part in parts for s in part)]
    twice = [name for name, count in Counter(s.name for s in out).items() if count > 1]
    if twice:
        raise SliceError("A slice's name must be its own.", f"{twice[0]!r} twice.", "rename one or drop it.")
    return out


def _check_columns(spec: SliceSpec, columns: Columns) -> None:
    for name in () if spec.where is not None else spec.columns:
        if name not in columns.frame:
            raise SliceError(
                "A slice column must be logged.",
                f"{name!r} is missing.",
                "add it to features, tags or projections or drop the slice.",
            )


def _resolve_one(spec: SliceSpec, columns: Columns) -> Iterator[Slice]:
    if spec.where is not None:
        yield Slice(str(spec.name), spec.where, spec.tier.value, spec.parent)
    else:
        *own, other = _parts(spec, columns)
        yield from (Slice(name, predicate, spec.tier.value, spec.parent) for name, predicate in own)
        yield Slice(*other, Tier.LONG_TAIL.value, spec.parent)


def _parts(spec: SliceSpec, columns: Columns) -> Iterator[tuple[str, str]]:
    """Name and predicate of each value or bin of a column; `other` is last."""
    column = str(spec.by)
    if spec.bins is not None:
        yield from slice_values.bins(column, spec.bins)
        return
    values = slice_values.frequent(columns.code(column), spec.top, spec.min_rows)
    for value in values:
        yield f"{column}={text(value)}", f"{quoted(column)} = {literal(value)}"
    yield f"{column}={OTHER}", slice_values.rest(column, values)


def _cross(spec: SliceSpec, pair: tuple[str, str], columns: Columns, of_values: Container[str]) -> Iterator[Slice]:
    """of_values: names of the slices by value, which a cell may roll up to."""
    a, b = pair
    cells = slice_values.frequent_pairs(columns.code(a), columns.code(b), spec.top, spec.min_rows)
    for x, y in cells:
        name = f"{a}={text(x)}{slice_values.AND}{b}={text(y)}"
        above = [f"{spec.parent}={text(x if spec.parent == a else y)}", f"{spec.parent}={OTHER}"]
        parent = next((p for p in above if p in of_values), OVERALL) if spec.parent in pair else spec.parent
        predicate = f"{quoted(a)} = {literal(x)} AND {quoted(b)} = {literal(y)}"
        yield Slice(name, predicate, spec.tier.value, parent)
    parent = OVERALL if spec.parent in pair else spec.parent
    yield Slice(f"{a} x {b}={OTHER}", slice_values.rest_of_pairs(pair, cells), Tier.LONG_TAIL.value, parent)


def masks(slices: Iterable[Slice], frame: pd.DataFrame) -> dict[str, npt.NDArray[np.bool_]]:
    """Slice name -> (len(frame),) bool."""
    matcher = expression.Matcher({str(c): frame[c] for c in frame.columns}, len(frame))
    return {s.name: matcher.mask(s.predicate) for s in slices}
