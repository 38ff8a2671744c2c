"""The faults of the story: two in feature code, one in a delivered file. Product code knows none of them."""

from __future__ import annotations

import io
from datetime import date
from pathlib import Path
from typing import Any, Self

import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin

from continual.demo.replayer import deliver

MINUTES = 24 * 60
#: New York in summer: local time + 240 minutes = UTC.
UTC_OFFSET = 240
HALF_DAY = 720


class _NewAircraftClock(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Reads `minute_of_day` of new aircraft (plane_age <= max_age, years) through a clock of its own."""

    max_age: float

    def fit(self, X: pd.DataFrame, y: Any = None) -> Self:
        """Nothing to learn."""
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def get_feature_names_out(self, input_features: Any = None) -> Any:
        """The input's columns."""
        return input_features

    def _shift(self, X: pd.DataFrame, minutes: int, affected: pd.Series[bool]) -> pd.DataFrame:
        """Copy of X (n, d) with the clock of the affected rows moved by `minutes`, modulo a day."""
        clock = X["minute_of_day"]
        return X.assign(minute_of_day=clock.where(~affected, (clock + minutes) % MINUTES))

    def _new(self, X: pd.DataFrame) -> pd.Series[bool]:
        return X["plane_age"] <= self.max_age


class UtcClock(_NewAircraftClock):
    """Training/serving skew: the training files hold local times, the serving path reads new aircraft's as UTC.

    `fit_transform` (training) leaves the times as they are; `transform` (serving) adds `offset` minutes.
    """

    def __init__(self, max_age: float = 1.0, offset: int = UTC_OFFSET) -> None:
        self.max_age = max_age
        self.offset = offset

    def fit_transform(self, X: pd.DataFrame, y: Any = None, **fit_params: Any) -> pd.DataFrame:
        """X as it is."""
        return X

    def transform(self, X: pd.DataFrame) -> pd.DataFrame:
        """X with the minutes of new aircraft read as UTC."""
        return self._shift(X, self.offset, self._new(X))


class TwelveHourClock(_NewAircraftClock):
    """A table of clock formats that ends: departures after `after` (ISO date) of new aircraft lose am/pm.

    Right until that local day, in training and in serving; then noon and midnight change places.
    """

    def __init__(self, after: str = "2013-07-31", max_age: float = 1.0) -> None:
        self.after = after
        self.max_age = max_age

    def transform(self, X: pd.DataFrame) -> pd.DataFrame:
        """X with the minutes of new aircraft half a day off once the table has ended (needs `day_of_year`)."""
        ended = X["day_of_year"] > date.fromisoformat(self.after).timetuple().tm_yday
        return self._shift(X, HALF_DAY, self._new(X) & ended)


def malform(path: Path) -> Path:
    """Break one day's predictions as a changed upstream job would: `temp` becomes `temperature`, every second
    `carrier` is null. The original is kept beside it, unseen by the source.

    Returns the path of the kept original.
    """
    import pyarrow as pa
    import pyarrow.parquet

    original = kept(path)
    if not original.exists():
        deliver(original, path.read_bytes())
    table = pyarrow.parquet.read_table(io.BytesIO(original.read_bytes()))
    carriers = table["carrier"].to_pylist()
    carriers[::2] = [None] * len(carriers[::2])
    table = table.set_column(table.schema.get_field_index("carrier"), "carrier", pa.array(carriers, pa.string()))
    table = table.rename_columns(["temperature" if name == "temp" else name for name in table.column_names])
    buffer = io.BytesIO()
    pyarrow.parquet.write_table(table, buffer, compression="zstd")
    deliver(path, buffer.getvalue())
    return original


def redeliver(path: Path) -> Path:
    """Put the kept original back, byte for byte.

    Raises
    ------
    FileNotFoundError: `malform` was not called on this file.
    """
    return kept(path).replace(path)


def kept(path: Path) -> Path:
    """Where `malform` keeps the original of `path`."""
    return path.with_name(f".{path.name}.original")
