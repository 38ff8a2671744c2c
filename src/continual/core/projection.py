"""Projections: columns computed from logged columns whenever rows are read, so that they exist for all history."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from pydantic import ConfigDict, RootModel, field_validator

from continual.core.expression_codes import Bools, Columns, Value
from continual.core.expression_kinds import Kind, kind_of, stand_ins
from continual.core.expression_syntax import columns_of
from continual.core.projection_values import GRAMMAR, ValueEvaluation
from continual.errors import SliceError

if TYPE_CHECKING:
    import pandas as pd


@lru_cache(maxsize=4096)
def _tree(text: str) -> Any:
    GRAMMAR.check_text(text)
    tree = GRAMMAR.tree(text)
    # On one row of nulls: finds what can never be evaluated, whatever the columns hold.
    _answer(text, tree, ValueEvaluation(stand_ins({}), 1))
    return tree


def _answer(text: str, tree: Any, evaluation: ValueEvaluation) -> Value:
    try:
        with np.errstate(all="ignore"):
            return evaluation.value(tree)
    except (TypeError, ValueError) as error:
        raise GRAMMAR.refusal(text, str(error)) from error


class Projection(RootModel[str]):
    """A computed column: a value expression over logged columns and other projections."""

    model_config = ConfigDict(
        frozen=True, json_schema_extra={"description": "For example: origin || '-' || dest, or: distance >= 1500"}
    )

    @field_validator("root")
    @classmethod
    def _readable(cls, value: str) -> str:
        try:
            _tree(value)
        except SliceError as error:
            raise ValueError(str(error)) from error
        return value

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns and projections it reads, sorted."""
        return columns_of(_tree(self.root))

    def kind(self, kinds: Mapping[str, Kind]) -> Kind:
        """What it computes from columns of these kinds; a column without a kind fits everything.

        Raises
        ------
        SliceError: the kinds do not fit, such as arithmetic on text.
        """
        return kind_of(_answer(self.root, _tree(self.root), ValueEvaluation(stand_ins(kinds), 1)))

    def evaluate(self, frame: pd.DataFrame) -> Any:
        """(len(frame),) numbers as float64 (null = NaN), text as objects (null = None), or nullable booleans.

        Raises
        ------
        SliceError: missing column, or the columns hold what the expression cannot use.
        """
        return _array(self._value(_Instants({str(c): frame[c] for c in frame.columns}, len(frame))))

    def _value(self, columns: Columns) -> Value:
        missing = [c for c in self.columns if c not in columns.frame]
        if missing:
            known = ", ".join(map(str, list(columns.frame)[:30]))
            raise GRAMMAR.refusal(self.root, f"unknown column {missing[0]!r} (known: {known})")
        return _answer(self.root, _tree(self.root), ValueEvaluation(columns.value, columns.n, columns.groups))


class _Instants(Columns):
    """Columns in which instants stay instants (UTC) instead of becoming text."""

    def value(self, name: str) -> Value:
        found = self._values.get(name)
        if found is None and (times := _times(self.frame[name])) is not None:
            found = self._values[name] = times
        return found or super().value(name)


def _times(raw: Any) -> tuple[npt.NDArray[np.datetime64], Bools] | None:
    import pandas as pd

    series = pd.Series(raw)
    if not pd.api.types.is_datetime64_any_dtype(series.dtype):
        return None
    utc = series.dt.tz_convert("UTC").dt.tz_localize(None) if series.dt.tz is not None else series
    return utc.fillna(pd.Timestamp(0)).to_numpy("datetime64[us]"), series.notna().to_numpy(dtype=bool)


def _array(found: Value) -> Any:
    import pandas as pd

    values, known = found
    if values.dtype.kind == "O":
        return np.where(known, values, None)
    if values.dtype.kind == "b":
        return pd.arrays.BooleanArray(np.array(values), ~known)
    return np.where(known, values.astype(float), np.nan)


def order(projections: Mapping[str, Projection]) -> list[str]:
    """Names in an order in which each comes after those it reads; ties as declared.

    Raises
    ------
    SliceError: projections that read each other in a circle.
    """
    out: list[str] = []
    for name in projections:
        _visit(name, projections, out, ())
    return out


def _visit(name: str, projections: Mapping[str, Projection], out: list[str], path: tuple[str, ...]) -> None:
    if name in path:
        raise SliceError(
            "Projections must not read each other in a circle.",
            f"{' -> '.join((*path[path.index(name) :], name))}.",
            "let one of them read logged columns only.",
        )
    if name not in out:
        for column in projections[name].columns:
            if column in projections:
                _visit(column, projections, out, (*path, name))
        out.append(name)


def with_projections(frame: pd.DataFrame, projections: Mapping[str, Projection]) -> pd.DataFrame:
    """`frame` with the computed columns, in their order of evaluation; what it had under their names is replaced.

    Raises
    ------
    SliceError: missing column, circle, or columns that hold what an expression cannot use.
    """
    if not projections:
        return frame
    names = order(projections)
    logged = {str(c): frame[c] for c in frame.columns if c not in projections}
    columns = _Instants(logged, len(frame))
    for name in names:
        logged[name] = _array(projections[name]._value(columns))
    return frame.assign(**{name: logged[name] for name in names})


def kinds_with(projections: Mapping[str, Projection], kinds: Mapping[str, Kind]) -> dict[str, Kind]:
    """`kinds` and those of the projections; a projection whose columns do not fit has none.

    Raises
    ------
    SliceError: projections that read each other in a circle.
    """
    out = dict(kinds)
    for name in order(projections):
        try:
            out[name] = projections[name].kind(out)
        except SliceError:
            continue
    return out
