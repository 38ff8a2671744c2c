"""Dataset versions, for Python: what `continual dataset` does."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from continual.flows import dataset_export, dataset_pin, dataset_query, dataset_verify
from continual.flows.workspace import Outcome, Workspace

if TYPE_CHECKING:
    import pandas as pd


class Datasets:
    """Part of `Application`. A dataset is named by its id or the beginning of it."""

    workspace: Workspace

    def datasets(self) -> pd.DataFrame:
        """Every dataset version, oldest first: window, rows, sampler, versions trained from it, marks."""
        return dataset_query.listed(self.workspace)

    def dataset(self, dataset: str) -> dict[str, Any]:
        """How one was made, its slices, the files it came from, the versions and verdicts that came of it."""
        return dataset_query.shown(self.workspace, dataset)

    def dataset_rows(self, dataset: str) -> pd.DataFrame:
        """The rows as they were saved, checked against the hash."""
        return self.workspace.datasets.load(dataset)

    def dataset_diff(self, first: str, second: str) -> dataset_query.Difference:
        """Rows added, removed, relabelled, and how far each column moved."""
        return dataset_query.difference(self.workspace, first, second)

    def dataset_verify(self, dataset: str) -> Outcome:
        """Read the rows again from the Iceberg snapshots they came from and compare the hash."""
        return dataset_verify.verify(self.workspace, dataset)

    def dataset_export(self, dataset: str, folder: Path | str, form: dataset_export.Format = "parquet") -> Outcome:
        """Write the rows and a manifest into a new folder."""
        return dataset_export.export(self.workspace, dataset, Path(folder), form)

    def dataset_rollback(self, dataset: str, reason: str, by: str, as_of: datetime | None = None) -> Outcome:
        """Let the next retrain learn from this dataset."""
        return dataset_pin.pin(self.workspace, dataset, reason, by, as_of)

    def dataset_release(self, reason: str, by: str, as_of: datetime | None = None) -> Outcome:
        """Take a `dataset_rollback` back that no retrain has taken yet."""
        return dataset_pin.unpin(self.workspace, reason, by, as_of)
