"""Plays a year of traffic day by day into the landing folders, as a serving system and the arrivals board would."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from continual.core.window import Window, floor_day
from continual.demo.flights import FEATURES, INTEGERS, NUMERIC, TAGS

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

#: Frame of one day without labels -> probabilities (n,) and the version that gave them.
Score = Callable[["pd.DataFrame"], tuple[npt.NDArray[np.float64], str]]
LANDING = Path("landing") / "flights"
LABEL_SOURCE = "arrivals"


class Replayer:
    """Writes `landing/flights/{predictions,labels}/<UTC day>.parquet` under `home`.

    Parameters
    ----------
    frame: of `flights.load`. score: the model that serves; None = nothing serves yet, so that predictions are
        logged with null model_version and prediction (history). It sees features and tags, never labels.
    """

    def __init__(self, home: Path, frame: pd.DataFrame, score: Score | None = None) -> None:
        self.home, self.score = home, score
        self._frame = frame
        self._by_event = _rows_by_day(frame, "event_time")
        self._by_known = _rows_by_day(frame, "known_at")

    def play(self, window: Window) -> list[Path]:
        """Deliver every UTC day of `window`: its predictions, and the labels that became known that day.

        A file that exists stays as it is and its day is not scored again: what was served is a fact, also if
        another model serves by now. A day without rows has no file. Same input, same bytes.

        Returns
        -------
        The files written, in order.

        Raises
        ------
        ValueError: the window does not start and end at midnight UTC.
        """
        if floor_day(window.start) != window.start or floor_day(window.end) != window.end:
            raise ValueError(f"traffic is played in whole UTC days, got {window}")
        n_days = round(window.days)
        days = [window.start + timedelta(days=k) for k in range(n_days)]
        return [path for day in days for path in (self._predictions(day), self._labels(day)) if path]

    def _predictions(self, day: datetime) -> Path | None:
        path, rows = self._path("predictions", day), self._rows(self._by_event, day)
        if path.exists() or rows.empty:
            return None
        served = rows[["record_key", "event_time", *FEATURES, *TAGS]].reset_index(drop=True)
        prediction, version = self.score(served) if self.score else (np.full(len(served), np.nan), None)
        if len(prediction) != len(served):
            raise ValueError(f"score must give one probability per row, got {len(prediction)} for {len(served)} rows")
        return _write(path, served.assign(model_version=version, prediction=prediction), _prediction_schema())

    def _labels(self, day: datetime) -> Path | None:
        path, rows = self._path("labels", day), self._rows(self._by_known, day)
        if path.exists() or rows.empty:
            return None
        known = rows.sort_values(["known_at", "record_key"]).rename(columns={"late": "value"})
        return _write(path, known.assign(source=LABEL_SOURCE), _label_schema())

    def _path(self, stream: str, day: datetime) -> Path:
        folder = self.home / LANDING / stream
        folder.mkdir(parents=True, exist_ok=True)
        return folder / f"{day:%Y-%m-%d}.parquet"

    def _rows(self, index: dict[str, npt.NDArray[np.int64]], day: datetime) -> pd.DataFrame:
        return self._frame.iloc[index.get(f"{day:%Y-%m-%d}", np.empty(0, np.int64))]


def _rows_by_day(frame: pd.DataFrame, column: str) -> dict[str, npt.NDArray[np.int64]]:
    """ISO day -> row positions; built once, so that a day does not scan the year."""
    import pandas as pd

    day = pd.Series(frame[column].dt.strftime("%Y-%m-%d").to_numpy(), name="day")
    return {str(key): np.asarray(rows, np.int64) for key, rows in day.groupby(day).indices.items()}


def _prediction_schema() -> pa.Schema:
    import pyarrow as pa

    instant = pa.timestamp("us", tz="UTC")
    kinds: dict[str, Any] = dict.fromkeys((*FEATURES, *TAGS), pa.string())
    kinds |= dict.fromkeys(NUMERIC, pa.float64()) | dict.fromkeys(INTEGERS, pa.int64())
    own = {"record_key": pa.string(), "event_time": instant, "model_version": pa.string(), "prediction": pa.float64()}
    return pa.schema(list((own | kinds).items()))


def _label_schema() -> pa.Schema:
    import pyarrow as pa

    instant = pa.timestamp("us", tz="UTC")
    return pa.schema(
        {"record_key": pa.string(), "value": pa.float64(), "source": pa.string(), "known_at": instant}.items()
    )


def _write(path: Path, frame: pd.DataFrame, schema: pa.Schema) -> Path:
    import pyarrow as pa
    import pyarrow.parquet

    table = pa.Table.from_pandas(frame[schema.names], schema=schema, preserve_index=False)
    buffer = io.BytesIO()
    pyarrow.parquet.write_table(table.replace_schema_metadata(None), buffer, compression="zstd")
    return deliver(path, buffer.getvalue())


def deliver(path: Path, content: bytes) -> Path:
    """Write beside, then rename: readers see the whole file or none."""
    part = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    part.write_bytes(content)
    part.replace(path)
    return path
