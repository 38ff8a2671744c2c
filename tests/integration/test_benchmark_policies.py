"""The thin simulator of `benchmarks/policies.py` decides as the flows do: when to train, and on which rows."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from flow_loans import APP, POLICY, applications, day
from test_replay_lab import COLUMNS

from continual.policy.load import parse_policy
from continual.replay.contenders import Contender, patched
from continual.replay.lab import Lab
from continual.replay.sandbox import Sandbox
from continual.replay.table import history_of
from continual.settings import Settings

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

pytestmark = pytest.mark.integration
DAYS, LENGTH, EVALUATION = 30, 8, 4
#: A look at the end of day t knows the labels of the days before t, and holds `window.evaluation` back to judge.
DELAY = 1 + EVALUATION


@pytest.mark.parametrize("every", [1, 4, 7])
@pytest.mark.parametrize("kind", ["sliding", "expanding"])
def test_the_simulator_trains_when_and_on_what_the_flows_do(every: int, kind: str, tmp_path: Path) -> None:
    from policies_data import Stream
    from policies_fits import Fits
    from policies_simulate import every as every_batches
    from policies_simulate import walk

    changes = {"trigger": {"every_days": every}, "window": {"kind": kind}}
    loaded = patched(parse_policy(POLICY, f"{APP}.yaml"), changes, f"{APP}.yaml")
    table = pd.concat([applications(n) for n in range(DAYS)], ignore_index=True)
    lab = Lab(
        history_of(table, loaded.policy, COLUMNS), tmp_path / "lab", Settings.from_environment({}), end=day(DAYS - 1)
    )
    contender = Contender("flows", loaded)
    lab.play(contender)
    ws = Sandbox.at(lab.sandbox(contender), lab.folder / "cache", lab.history, loaded, lab.settings)
    trained = [ws.datasets.get(e.evidence["dataset"]) for e in ws.ledger.entries(kind="retrain")]
    ws.db.close()
    flows = [((d.spec.as_of - day(0)).days - 1, (d.spec.window.end - day(0)).days - 1, d.n_rows) for d in trained]

    first = flows[0][1] + 1  # the simulator's first model is the flows' first
    number = (table["event_time"] - day(0)).dt.days.to_numpy()
    x = table[["income", "bureau"]]
    stream = Stream("loans", x, table["value"].to_numpy(), number, number, "binary", first, 1.0)
    fits = Fits(stream, tmp_path / "fits")
    length = LENGTH if kind == "sliding" else None
    looks: list[tuple[int, int, int]] = []

    def rule(state) -> bool:
        state.since = max(state.since, flows[0][0])
        due = state.look > flows[0][0] and every_batches(every)(state)
        if due:
            looks.append((state.look, state.told, fits.size(state.length, state.told)))
        return due

    walk(stream, fits, rule, DELAY, length)
    assert looks == [one for one in flows[1:] if one[0] < DAYS - 1]
    assert len(looks) >= 2
    assert np.isfinite(fits.get(length, looks[-1][1]).answers).all()
