"""Rows without a label that a retrain learns from besides the labelled ones (`trainers.self_training`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from continual.samplers._designs import keyed_uniform

if TYPE_CHECKING:
    import pandas as pd

    from continual.policy.models import Policy


def wanted(policy: Policy) -> int:
    """As many as the trainer that is shown most of them."""
    return max((t.self_training.max_rows for t in policy.trainers if t.self_training), default=0)


def first(rows: pd.DataFrame, n: int, seed: int) -> pd.DataFrame:
    """The first n in an order that depends on each row's key and the seed alone: an even draw, the same however
    the rows come in parts. rows: (m, ...) with record_key."""
    keys = rows["record_key"].to_numpy(dtype=object)
    place = np.lexsort((keys.astype(str), keyed_uniform(keys, seed)))[:n]
    return rows.iloc[place].reset_index(drop=True)


def beside(labelled: pd.DataFrame, spare: pd.DataFrame | None) -> pd.DataFrame:
    """labelled: (n, ...) with record_key, label, probability; then the rows of `spare` in their order, label NaN. Their
    probability is 1: they were chosen by no sampler and stand for themselves alone."""
    import pandas as pd

    if spare is None or spare.empty:
        return labelled
    own = spare.assign(label=np.nan, probability=1.0)[labelled.columns]
    return pd.concat([labelled, own], ignore_index=True)
