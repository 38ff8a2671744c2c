"""A thousand faults, and what is left after each: one champion, no row lost or twice, ledger and alias agreed.

python benchmarks/fault_campaign.py --home DIR --write     writes docs/results/faults_injected.md (about an hour)
python benchmarks/fault_campaign.py --home DIR --faults 50 a look

Real MLflow server, SQLite, Iceberg, Great Expectations; the acts are those of the DAGs' tasks, each in a process of
its own. Fault number i is drawn with seed (--seed, i) and its outcome kept in DIR/outcomes.jsonl: killed and called
again, the campaign goes on. The measure of "nothing happened" is the same act without a fault: log, quarantine,
batches, ledger, history, aliases must be what that one leaves, after the task's own retry or the next flow.
"""

# ruff: noqa: E402  (the path first, the imports after)
from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "tests" / "integration"), str(ROOT / "benchmarks")]

import numpy as np
import pandas as pd
from campaign_acts import ACTS, Act, Stage, summary
from campaign_faults import FAULTS, Fault, Hands
from flow_server import Server
from flow_world import Stages
from rich.progress import track

from continual.errors import ContinualError

PAGE = ROOT / "docs" / "results" / "faults_injected.md"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path, required=True, help="scratch folder; kept outcomes are gone on from")
    parser.add_argument("--faults", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.relative_to(ROOT)}")
    given = parser.parse_args()
    given.home.mkdir(parents=True, exist_ok=True)
    kept = given.home / "outcomes.jsonl"
    known = pd.read_json(kept, lines=True) if kept.exists() else pd.DataFrame(columns=["number"])
    todo = sorted(set(range(given.faults)) - set(known["number"]))
    if todo:
        _inject(given.home, todo, given.seed, kept)
    found = pd.read_json(kept, lines=True).query(f"number < {given.faults}")
    page = report(found, given.seed)
    print(page)
    if given.write:
        PAGE.write_text(page)
    sys.exit(int(found["wrong"].fillna("").ne("").any()))


def _inject(home: Path, numbers: list[int], seed: int, kept: Path) -> None:
    # a server's folder is a run's own: a killed campaign leaves one behind
    server = Server(home / f"mlflow{len(list(home.glob('mlflow*')))}" / "mlflow")
    hands, commit = Hands(server), _commit()
    try:
        stages = Stages(server.folder.parent, server)
        stage = Stage(stages)
        for number in track(numbers, "faults"):
            rng = np.random.default_rng([seed, number])
            outcome = one(stage, hands, rng, *_drawn(rng))
            with kept.open("a") as file:
                file.write(json.dumps({"number": number, **outcome, "commit": commit}) + "\n")
    finally:
        hands.close()
        server.stop()


def _commit() -> str:
    """Which code the fault met; '+' where the work tree held more than that."""
    told = subprocess.run(
        ["git", "describe", "--always", "--dirty=+"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return told.stdout.strip()


def _drawn(rng: np.random.Generator) -> tuple[Act, Fault]:
    act = ACTS[rng.choice(list(ACTS))]
    weights = np.array([fault.weight for fault in FAULTS.values()], float)
    return act, FAULTS[str(rng.choice(list(FAULTS), p=weights / weights.sum()))]


def one(stage: Stage, hands: Hands, rng: np.random.Generator, act: Act, fault: Fault) -> dict[str, object]:
    """One fault in one act and the way back. wrong: what is not as without the fault; resumed: seconds."""
    expected = stage.without_fault(act)
    world = stage(act)
    what = fault.inject(world, act, rng, hands)
    began, wrong, through = time.monotonic(), "", str(rng.choice(["own retry", "next flow"]))
    try:
        if through == "next flow":
            act.next_flow(world)
        act.run(world)
        resumed = time.monotonic() - began
        found = summary(world)
        differs = [part for part in expected if found[part] != expected[part]]
        wrong = "; ".join(f"{part}: {found[part]} instead of {expected[part]}"[:500] for part in differs)
        world.check(act.champion)
    except (ContinualError, AssertionError) as error:
        resumed, wrong = time.monotonic() - began, f"{type(error).__name__}: {error}"[:800]
    told = {"act": act.name, "fault": fault.name, "through": through, "what": what}
    return {**told, "resumed": round(resumed, 2), "wrong": wrong}


def report(found: pd.DataFrame, seed: int) -> str:
    """The page."""
    bad = found[found["wrong"].fillna("").ne("")]
    table = found.pivot_table(index="fault", columns="act", values="number", aggfunc="count", fill_value=0)
    table["resumed in s, median"] = found.groupby("fault")["resumed"].median().round(1)
    table["slowest"] = found.groupby("fault")["resumed"].max().round(1)
    lines = [
        "# Injected faults\n",
        f"`python benchmarks/fault_campaign.py --home DIR --faults {len(found)} --seed {seed} --write`\n",
        f"{len(found):,} faults in ingest, promotion, rollback and the adoption of an alias moved by hand, against a "
        "real MLflow server, SQLite, Iceberg and Great Expectations. After each the task's own retry, or the next flow "
        "and then the task again; then log, quarantine, batches, ledger, history of champions and aliases must be what "
        "the same act leaves without a fault.\n",
        f"**{len(bad)} of {len(found):,} left something else.** Double promotions, lost or doubled rows, two "
        "champions, ledger and alias apart: each would be counted here. Slowest way back: "
        f"{found['resumed'].max():.0f} s (on a busy machine, without the 30 s that another run waits for a dead run's "
        "lease).\n",
        "Code: "
        + ", ".join(f"{n} at {commit}" for commit, n in found["commit"].value_counts(sort=False).items())
        + ".\n",
        table.to_markdown(),
        "",
        "| fault | what it is |\n|---|---|",
        *(f"| {fault.name} | {fault.says} |" for fault in FAULTS.values()),
        "",
    ]
    lines += [
        f"- {row.number}: {row.act}, {row.fault} ({row.what}), {row.through}: {row.wrong}" for row in bad.itertuples()
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
