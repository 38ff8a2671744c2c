"""Seven chapters. Each acts like the outside world, then checks in ledger and registry that its sentence is true."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from continual.core.verdict import OVERALL
from continual.demo.faults import malform, redeliver
from continual.demo.world import World

ENCODER = "      - use: continual.models.pipeline.EncodeCategories\n"
UTC_CLOCK = "      - use: continual.demo.faults.UtcClock\n"
HALF_DAY_CLOCK = "      - use: continual.demo.faults.TwelveHourClock\n"
SLICE = "new_aircraft"


@dataclass(frozen=True)
class Told:
    """What happened. held: the chapter's claim is true. link: where to look."""

    held: bool
    sentence: str
    link: str


@dataclass(frozen=True)
class Chapter:
    """claim: what must turn out true."""

    claim: str
    play: Callable[[World], Told]


def bootstrap(world: World) -> Told:
    world.play("2013-01-01", "2013-03-01")
    world.ingest("2013-01-01", "2013-03-01")
    ws = world.workspace()
    verdict = _verdict(world)
    held = ws.registry.champion() == "1" and verdict["answer"] == "promote"
    return Told(held, verdict["reason"], world.run_url(world.last_run("retrain")))


def promotion(world: World) -> Told:
    world.play("2013-03-01", "2013-05-01")
    world.ingest("2013-03-01", "2013-05-01")
    aliases, verdict = world.workspace().registry.aliases(), _verdict(world)
    held = aliases == {"champion": "2", "previous": "1"} and verdict["answer"] == "promote"
    return Told(held, verdict["reason"], world.version_url("2"))


def blocked(world: World) -> Told:
    world.edit(ENCODER, UTC_CLOCK + ENCODER)
    world.play("2013-05-01", "2013-07-31")
    world.ingest("2013-05-01", "2013-07-31")
    verdict = _verdict(world)
    gain = _average_gain(verdict)
    held = (
        verdict["answer"] == "reject"
        and SLICE in verdict["blocking"]
        and gain > 0
        and world.workspace().registry.champion() == "2"
    )
    sentence = f"on average it gained {gain:+.3f}. {verdict['reason']}"
    return Told(held, sentence, world.run_url(world.last_run("retrain")))


def quarantine(world: World) -> Told:
    world.play("2013-07-31", "2013-08-01")
    file = world.delivered("2013-07-31")
    malform(file)
    refused = world.ingest("2013-07-31", "2013-08-01")
    ws = world.workspace()
    items = ws.batches.items(state="open")
    untouched = ws.registry.champion() == "2"
    redeliver(file)
    accepted = world.again(refused)
    held = not refused.succeeded and len(items) == 1 and untouched and accepted.succeeded
    held = held and not ws.batches.items(state="open")
    reason = items[0].reason if items else "nothing was quarantined"
    return Told(held, f"{items[0].n_rows if items else 0:,} rows set aside: {reason}", world.run_url(refused))


def rolled_back(world: World) -> Told:
    world.edit(UTC_CLOCK, HALF_DAY_CLOCK)
    world.retrain("2013-08-01", "a colleague's new clock code")
    promoted = world.workspace().registry.champion() == "4"
    world.play("2013-08-01", "2013-08-14")
    world.ingest("2013-08-01", "2013-08-14")
    ws = world.workspace()
    last = ws.ledger.last("champion")
    held = (
        promoted
        and last is not None
        and last.evidence["kind"] == "rollback"
        and ws.registry.champion() == "2"
        and ws.versions.get("4").state == "quarantined"
        and SLICE in last.reason
    )
    return Told(held, last.reason if last else "nothing happened", world.run_url(world.last_run("rollback")))


def kept_out(world: World) -> Told:
    run = world.retrain("2013-08-14", "the week's retrain, with the same clock code")
    ws = world.workspace()
    held = ws.registry.champion() == "2" and run.task("curate").state == "skipped"
    reason = world.airflow.xcom(run.dag_id, run.run_id, "curate", key="reason")
    return Told(held, str(reason), world.run_url(run))


def edited(world: World) -> Told:
    world.edit(HALF_DAY_CLOCK, "")
    world.edit("floor: 0.60", "floor: 0.80")
    world.retrain("2013-08-14", "clock code repaired, floor raised to 0.80")
    before = _verdict(world)
    world.edit("floor: 0.80", "floor: 0.60")
    world.retrain("2013-08-14", "floor back to 0.60")
    after = _verdict(world)
    held = before["answer"] == "reject" and after["answer"] == "promote"
    held = held and world.workspace().registry.champion() == "5"
    return Told(held, f"{before['reason']} Then: {after['reason']}", world.version_url("5"))


CHAPTERS = (
    Chapter("A first champion earns its place: it must pass absolute floors", bootstrap),
    Chapter("A better candidate is promoted", promotion),
    Chapter("A candidate that is better on average but breaks new aircraft is blocked, the slice named", blocked),
    Chapter("A malformed batch is quarantined, the champion untouched, a corrected delivery accepted", quarantine),
    Chapter("A candidate that passes offline and breaks a slice live is rolled back and quarantined", rolled_back),
    Chapter("The next retrain does not bring it back", kept_out),
    Chapter("An edit of the policy file changes the next verdict", edited),
)


def _verdict(world: World) -> dict[str, Any]:
    """The newest verdict; one that says 'none' when nothing was judged yet."""
    entry = world.workspace().ledger.last("verdict")
    if entry is None:
        return {"answer": "none", "reason": "nothing was judged", "blocking": [], "findings": []}
    return dict(entry.evidence["verdict"])


def _average_gain(verdict: dict[str, Any]) -> float:
    """Gain of the average over all rows; 0 when nothing was compared."""
    overall = [f for f in verdict["findings"] if f["slice"] == OVERALL and f["metric"] == "roc_auc"]
    return next((float(f["gain"]) for f in overall if f["gain"] is not None), 0.0)
