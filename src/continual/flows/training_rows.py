"""What versions were trained on: these rows never judge them (s9)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from continual.flows.workspace import Workspace

if TYPE_CHECKING:
    import pandas as pd


def training_rows(ws: Workspace, *versions: str | None) -> list[pd.DataFrame]:
    """Datasets of the versions, in their order; a version made by hand has none on record.

    Raises
    ------
    StoreError: unknown version, or its dataset cannot be read.
    """
    found = [ws.versions.get(v).dataset_id for v in versions if v]
    return [ws.datasets.load(dataset) for dataset in found if dataset]


def unseen(frame: pd.DataFrame, trained: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Rows of `frame` that are in none of the datasets, numbered anew."""
    seen = {key for rows in trained for key in rows["record_key"]}
    return frame[~frame["record_key"].isin(seen)].reset_index(drop=True)
