"""Datasets of a sandbox: positions in the history instead of copies of its rows."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from continual.core.canonical import digest
from continual.replay.history import History
from continual.stores.datasets import DatasetSpec, DatasetStore, DatasetVersion, plain_spec

if TYPE_CHECKING:
    import pandas as pd

    from continual.stores.database import Database

#: What only a dataset knows of a row, besides its probability; absent where all are the same.
OWN, UNLABELLED = ("sample_weight",), "unlabelled"
#: Of candidate and champion, and one to come back to.
HELD = 3


class SandboxDatasets(DatasetStore):
    """The rows of a dataset follow from its specification and their positions; a year of weekly datasets is megabytes.

    The id hashes specification and positions: equal datasets of two policies have one id, but not the id that the
    deployment gave its own.
    """

    def __init__(self, db: Database, app: str, root: Path, history: History) -> None:
        super().__init__(db, app, root)
        self._history = history
        self._kept: OrderedDict[str, pd.DataFrame] = OrderedDict()

    def save(self, spec: DatasetSpec, rows: pd.DataFrame) -> DatasetVersion:
        """See `DatasetStore.save`."""
        import pandas as pd

        positions = self._history.positions(rows["record_key"])
        probability = rows["probability"].to_numpy(dtype=float)
        content = digest([positions.tobytes().hex(), probability.tobytes().hex()])
        identity = digest([self.app, plain_spec(spec), content])
        found = DatasetVersion(identity, spec, len(rows), f"{self.app}/{identity}.parquet")
        light = pd.DataFrame({"position": positions.astype(np.int32), "probability": probability})
        light = light.assign(**{name: rows[name].to_numpy() for name in OWN if name in rows})
        if rows["label"].isna().any():
            light[UNLABELLED] = rows["label"].isna().to_numpy()
        self._write_file(found.path, light)
        self._record(found)
        self._keep(identity, rows)
        return found

    def load(self, dataset_id: str) -> pd.DataFrame:
        """See `DatasetStore.load`; rows come in the order in which they were saved."""
        if dataset_id in self._kept:
            return self._kept[dataset_id]
        found, light = self._light(dataset_id)
        positions = light["position"].to_numpy()
        label, _ = self._history.label_at(slice(0, len(self._history)), found.spec.as_of)
        names = [name for name in found.spec.columns if name not in ("label", "probability", *OWN)]
        rows = self._history.rows[names].iloc[positions].reset_index(drop=True)
        own = rows.assign(label=label[positions], probability=light["probability"].to_numpy())
        own = own.assign(**{name: light[name].to_numpy() for name in OWN if name in light})
        return self._keep(dataset_id, own[list(found.spec.columns)])

    def positions(self, dataset_id: str) -> npt.NDArray[np.int64]:
        """Of its labelled rows in the history."""
        light = self._light(dataset_id)[1]
        light = light[~light[UNLABELLED]] if UNLABELLED in light else light
        return np.asarray(light["position"], dtype=np.int64)

    def _light(self, dataset_id: str) -> tuple[DatasetVersion, pd.DataFrame]:
        import pandas as pd

        found = self.get(dataset_id)
        return found, pd.read_parquet(self.root / found.path)

    def _keep(self, dataset_id: str, rows: pd.DataFrame) -> pd.DataFrame:
        self._kept[dataset_id] = rows
        while len(self._kept) > HELD:
            self._kept.popitem(last=False)
        return rows
