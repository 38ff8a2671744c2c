"""What the campaign interrupts: the tasks of four flows, and what each leaves behind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pandas as pd
from flow_loans import applications, day, days
from flow_world import Stages, World, verdict_of

from continual.flows import ingest
from continual.flows.champion import reconcile
from continual.flows.promote import promote
from continual.flows.roll_back import RollbackRequest, roll_back
from continual.models.registry import CHAMPION


@dataclass(frozen=True)
class Act:
    """stage: from where it starts. run: what Airflow's task does, again at each retry. writes: how many writes of
    `flow_kill.WRITES` it makes at least. champion: who serves afterwards."""

    name: str
    stage: str
    run: Callable[[World], Any]
    writes: int
    champion: str

    def next_flow(self, world: World) -> None:
        """A flow of another run, once a dead run's lease is over."""
        world.let_leases_run_out()
        reconcile(world.ws("loans.monitor x measure"), day(26))


def _ingest(world: World) -> None:
    window = days(24, 25)
    validated = ingest.validate(world.ws("loans.ingest 24 validate"), window, window.end)
    ingest.append(world.ws("loans.ingest 24 append"), validated.data["accepted"], window.end)
    ingest.publish(world.ws("loans.ingest 24 publish"), validated.data["refused"], {})


def _promote(world: World) -> None:
    promote(world.ws("loans.retrain scheduled__24 promote"), verdict_of(world))


def _roll_back(world: World) -> None:
    roll_back(world.ws("loans.rollback asset__26 roll_back"), RollbackRequest("2", "asked by the campaign"), day(26))


def _adopt(world: World) -> None:
    reconcile(world.ws("loans.monitor 25 measure"), day(25))


ACTS = {
    act.name: act
    for act in (
        Act("ingest", "delivered", _ingest, 11, "2"),
        Act("promote", "judged", _promote, 5, "2"),
        Act("roll back", "promoted", _roll_back, 8, "1"),
        Act("adopt", "moved by hand", _adopt, 3, "1"),
    )
}


class Stage:
    """The worlds acts start from, and what each act leaves without a fault."""

    def __init__(self, stages: Stages) -> None:
        self._stages, self._left = stages, dict[str, dict[str, Any]]()
        stages.add("delivered", self._delivered)
        stages.add("moved by hand", lambda: stages("promoted").registry.set_alias(CHAMPION, "1"))

    def __call__(self, act: Act) -> World:
        return self._stages(act.stage)

    def without_fault(self, act: Act) -> dict[str, Any]:
        if act.name not in self._left:
            world = self(act)
            act.run(world)
            world.check(act.champion)
            self._left[act.name] = summary(world)
        return self._left[act.name]

    def _delivered(self) -> None:
        """A day of two files of predictions, five rows of which come twice with other numbers, and its labels."""
        world = self._stages("promoted")
        rows = applications(24).drop(columns=["value", "known_at"]).assign(model_version="2", prediction=0.5)
        world.deliver(24, rows=pd.concat([rows[:200], rows[:5].assign(income=1.0)]), name="-a")
        world.deliver(24, rows=rows[200:], name="-b")
        world.deliver(24, "labels")


def summary(world: World) -> dict[str, Any]:
    """All that an act may change, without what differs between two runs of it (ids, instants of the wall clock)."""
    ws, everything, ever = world.ws(), days(-40, 400), day(400)
    quarantine = ws.log.read_quarantine()
    return {
        "rows": world.logged(),
        "predictions": sorted(ws.log.read_predictions(everything, ever)["record_key"]),
        "labels": sorted(ws.log.read_labels(None, ever)["record_key"]),
        "quarantine": sorted(quarantine.get("reason", pd.Series(dtype=str)).astype(str)),
        "set aside": sorted((item.reason, item.n_rows, item.state) for item in ws.batches.items()),
        "batches": sorted((b.name, b.stream, b.state) for b in ws.batches.batches()),
        # a twin that lost its lease on the way notes that its request was late, and the next flow that it looked
        "ledger": [(e.kind, e.key) for e in ws.ledger.entries() if e.kind not in ("late", "settled")],
        "history": world.history(),
        "versions": sorted((v.version, v.state) for v in ws.versions.versions()),
        "aliases": world.registry.aliases(),
    }
