"""Slices: named predicates over logged columns. One definition serves gate, monitor and curation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from continual.core import expression
from continual.core.verdict import OVERALL, Tier
from continual.errors import SliceError

if TYPE_CHECKING:
    import pandas as pd

OTHER = "other"
#: Longer values of a `by` column have no slice of their own.
MAX_VALUE = 100


class SliceSpec(BaseModel):
    """A slice in the policy: either a named predicate, or one slice per value of a column."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str | None = Field(None, pattern=r"^[A-Za-z_][\w]{0,60}$", description="With `where`: the slice's name.")
    where: str | None = Field(None, description="Predicate, for example: plane_age <= 1 AND carrier IN ('UA', 'AA')")
    by: str | None = Field(None, description="Column: one slice per value, the rest (and nulls) in `other`.")
    top: int = Field(20, ge=1, le=1000, description="With `by`: at most this many values, most frequent first.")
    min_rows: int = Field(1, ge=1, description="With `by`: rarer values go to `other`.")
    tier: Tier = Field(Tier.STANDARD, description="What an inconclusive slice may do: see the gate.")
    parent: str = Field(OVERALL, description="Slice whose rows include this one's; small slices roll up to it.")

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
        if (self.by is None) == (self.where is None):
            raise ValueError("a slice needs either 'where' (with 'name') or 'by', not both")
        if self.where is not None and self.name in (None, OVERALL):
            raise ValueError(f"a slice with 'where' needs a 'name' other than {OVERALL!r}")
        return self

    @property
    def label(self) -> str:
        return self.name or f"by {self.by}"

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.by,) if self.by else expression.columns(self.where or "")


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
    """`overall` and every slice, `by` columns expanded over the values of `frame`; deterministic."""
    out = [WHOLE]
    for spec in specs:
        out.extend(_resolve_one(spec, frame))
    return out


def _resolve_one(spec: SliceSpec, frame: pd.DataFrame) -> Iterator[Slice]:
    if spec.where is not None:
        yield Slice(str(spec.name), spec.where, spec.tier.value, spec.parent)
        return
    column = str(spec.by)
    if column not in frame:
        raise SliceError(
            "A slice column must be logged.", f"{column!r} is missing.", "add it to features or tags or drop the slice."
        )
    quoted = '"' + column.replace('"', '""') + '"'
    values = _frequent(spec, frame[column])
    for value in values:
        yield Slice(f"{column}={_text(value)}", f"{quoted} = {_literal(value)}", spec.tier.value, spec.parent)
    listed = ", ".join(map(_literal, values))
    rest = f"NOT {quoted} IN ({listed})" if values else f"NOT {quoted} IS NULL"
    yield Slice(f"{column}={OTHER}", f"{quoted} IS NULL OR {rest}", Tier.LONG_TAIL.value, spec.parent)


def _frequent(spec: SliceSpec, raw: pd.Series[Any]) -> list[Any]:
    """Values that get a slice of their own, as predicates compare them, in the order of their text."""
    import pandas as pd

    values, known = expression.column(raw)
    counts = pd.Series(values[known]).value_counts()
    ranked = [(-n, _text(v), v) for v, n in counts[counts >= spec.min_rows].items() if _nameable(_text(v))]
    top = sorted(ranked, key=lambda item: item[:2])[: spec.top]
    return [value for _, _, value in sorted(top, key=lambda item: item[1])]


def _nameable(text: str) -> bool:
    """A value that is called `other`, unprintable, endless or infinite has no slice of its own: it is in `other`."""
    return text != OTHER and text.isprintable() and len(text) <= MAX_VALUE and text not in {"inf", "-inf"}


def _text(value: Any) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _literal(value: Any) -> str:
    if isinstance(value, (bool, np.bool_)):
        return "TRUE" if value else "FALSE"
    return _text(value) if isinstance(value, (int, float)) else "'" + str(value).replace("'", "''") + "'"


def masks(slices: Iterable[Slice], frame: pd.DataFrame) -> dict[str, npt.NDArray[np.bool_]]:
    """Slice name -> (len(frame),) bool."""
    matcher = expression.Matcher({str(c): frame[c] for c in frame.columns}, len(frame))
    return {s.name: matcher.mask(s.predicate) for s in slices}
