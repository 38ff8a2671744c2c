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
    import pandas as pd

    from continual.stores.log_read import is_in

    if not trained:
        return frame.reset_index(drop=True)
    seen = pd.concat([rows["record_key"] for rows in trained], ignore_index=True)
    return frame[~is_in(frame["record_key"], seen)].reset_index(drop=True)
