"""The draw behind a request for labels: the policy's sampler, and more of the slices that a verdict waits for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from continual.core.canonical import digest
from continual.core.window import Window
from continual.errors import Skipped
from continual.flows.label_few import FEW, exactly
from continual.flows.pool import pool_of, seed_of, slice_members
from continual.flows.workspace import Workspace
from continual.samplers._designs import keyed_uniform
from continual.samplers.base import Sample

if TYPE_CHECKING:
    import pandas as pd

    from continual.samplers.base import Pool

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
#: Most of the rows that may go to the slices a verdict waits for; the rest keeps the estimate of all rows alive.
URGENT = 0.8
#: Component of a row's chance that is due to them.
NEEDED = "needed"


@dataclass(frozen=True)
class Drawn:
    """All (n,). training: its label only trains. doubled: one more person answers. order: in [0, 1), at random."""

    chosen: Bools
    probability: Floats
    components: Mapping[str, Floats]
    training: Bools
    doubled: Bools
    order: Floats
    seed: int


def draw(
    ws: Workspace, pool: pd.DataFrame, rows: int, needs: Mapping[str, int], window: Window, as_of: datetime
) -> Drawn:
    """Choose so that about `rows` rows that are not `pending` are chosen, exactly as many if they are few.

    pool: (n, ...) rows in order of time, with `pending` and what slices read. needs: slice -> further labels wanted.

    Raises
    ------
    Skipped: a needed slice does not exist.
    """
    sampler, free = ws.policy.sampler, ~pool["pending"].to_numpy(dtype=bool)
    found, seed = pool_of(ws, pool, as_of, later=True), seed_of(ws, window, as_of)
    extra = _urgent(ws, pool, free, needs, rows)
    if "needed" in sampler.reads and extra is not None:
        found, extra = replace(found, needed=dict(needs)), None
    own = rows - (0 if extra is None else int(extra[free].sum()))
    sample, keys = _scaled(sampler, found, seed, max(1, own), free), found.keys
    if extra is not None:
        more = keyed_uniform(keys, _salt(seed, NEEDED)) < extra
        either = 1 - (1 - sample.probability) * (1 - extra)
        sample = Sample(sample.chosen | more, either, {**sample.components, NEEDED: extra})
    if rows < FEW:
        sample = exactly(sample, rows, free, keys, _salt(seed, "few"))
    policy = ws.policy.labelling
    # whether a label only trains is settled once for each row, whichever draw takes it
    training = keyed_uniform(keys, _salt(ws.policy.seed, "training")) < policy.training_share
    doubled = keyed_uniform(keys, _salt(seed, "doubled")) < policy.double
    order = keyed_uniform(keys, _salt(seed, "order"))
    return Drawn(sample.chosen, sample.probability, sample.components, training, doubled, order, seed)


def _scaled(sampler: Any, pool: Pool, seed: int, rows: int, free: Bools) -> Sample:
    """A draw whose expected number of rows that are free is `rows`: others may be chosen again, and cost nothing."""
    budget = round(rows * len(free) / max(int(free.sum()), 1))
    sample: Sample = sampler.draw(pool, seed, budget)
    if free.all():
        return sample
    expected = float(sample.probability[free].sum())
    again: Sample = sampler.draw(pool, seed, max(1, round(budget * rows / max(expected, 1e-9))))
    return again


def _urgent(ws: Workspace, pool: pd.DataFrame, free: Bools, needs: Mapping[str, int], rows: int) -> Floats | None:
    """(n,) chances that come on top in the slices of `needs`: uniform in each, at most URGENT of the rows in all."""
    if not needs:
        return None
    members = slice_members(ws, pool)
    unknown = [name for name in needs if name not in members]
    if unknown:
        raise Skipped(
            "Labels are asked for in slices of the policy that have rows.",
            f"{', '.join(unknown)}.",
            f"choose among {', '.join(sorted(members)[:20])}.",
        )
    wanted = {name: n or rows for name, n in needs.items()}
    share = min(1.0, URGENT * rows / sum(wanted.values()))
    left_out = np.ones(len(pool))
    for name, n in wanted.items():
        inside = members[name]
        left_out[inside] *= 1 - min(1.0, share * n / max(int((inside & free).sum()), 1))
    return np.asarray(1 - left_out)


def _salt(seed: int, name: str) -> int:
    return int(digest([seed, name])[:12], 16)
