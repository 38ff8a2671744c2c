"""What versions were trained on: these rows never judge them (s9)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from continual.flows.workspace import Workspace

if TYPE_CHECKING:
    import pandas as pd

    from continual.stores.versions import ModelVersion


def training_rows(ws: Workspace, *versions: str | None) -> list[pd.DataFrame]:
    """Datasets of the versions, in their order, then those of versions that they continue; a version made by hand has
    none on record.

    Raises
    ------
    StoreError: unknown version, or its dataset cannot be read.
    """
    lineages = [ws.versions.lineage(v) for v in versions if v]
    found = [one.dataset_id for own in (True, False) for lineage in lineages for one in _part(lineage, own)]
    return [ws.datasets.load(dataset) for dataset in dict.fromkeys(found) if dataset]


def _part(lineage: list[ModelVersion], own: bool) -> list[ModelVersion]:
    return lineage[:1] if own else lineage[1:]


def unseen(frame: pd.DataFrame, trained: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Rows of `frame` that are in none of the datasets, numbered anew."""
    import pandas as pd

    from continual.stores.log_read import is_in

    if not trained:
        return frame.reset_index(drop=True)
    seen = pd.concat([rows["record_key"] for rows in trained], ignore_index=True)
    return frame[~is_in(frame["record_key"], seen)].reset_index(drop=True)
