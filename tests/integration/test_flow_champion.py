"""One champion, whatever dies or runs at once: promotion, rollback and reconcile against real stores and MLflow."""

from __future__ import annotations

import flow_kill
import pytest
from flow_loans import day, days
from flow_world import Stages, World, refused, verdict_of

from continual.errors import ContinualError, LeaseHeld, ModelUnavailable, PromotionRefused, StoreError
from continual.flows.champion import reconcile
from continual.flows.promote import promote
from continual.flows.roll_back import RollbackRequest, roll_back
from continual.flows.settle import measure
from continual.flows.verify import verify
from continual.models.registry import CHAMPION, PREVIOUS, Registry

pytestmark = pytest.mark.integration
RUN = "loans.retrain scheduled__24 promote"


def do_promote(world: World) -> None:
    promote(world.ws(RUN), verdict_of(world))


def do_roll_back(world: World) -> None:
    roll_back(world.ws("loans.rollback asset__26 roll_back"), RollbackRequest("2", "asked by a test"), day(26))


def test_s35_s59_promotion_killed_after_any_write_is_finished_by_its_own_retry(stages: Stages) -> None:
    def retry(world: World, writes: int) -> None:
        do_promote(world)  # the killed run's lease has not run out: its own retry does not wait
        world.check("2")
        assert world.history() == [("bootstrap", "1"), ("promote", "2")]
        assert world.registry.aliases() == {CHAMPION: "2", PREVIOUS: "1"}
        assert verify(world.ws(), day(24)).data == {"version": "2"}

    assert flow_kill.kill_everywhere(lambda: stages("judged"), do_promote, retry) == 5


def test_s35_s59_promotion_killed_after_any_write_is_settled_by_the_next_flow(stages: Stages) -> None:
    """Nobody retries: the monitor's run of the next day reconciles."""

    def next_day(world: World, writes: int) -> None:
        intent = world.ws().ledger.last("intent")
        begun = intent is not None and intent.evidence["target"] == "2"
        if 0 < writes < 5:  # something is left open and its lease is held by the dead run
            refused(lambda: reconcile(world.ws("loans.monitor x measure"), day(25)), LeaseHeld, RUN)
        world.let_leases_run_out()
        measure(world.ws("loans.monitor x measure"), days(24, 25), day(25))
        world.check("2" if begun else "1")
        before = world.dump()
        assert reconcile(world.ws(), day(26)) == "ledger and alias agree"
        assert world.dump() == before

    assert flow_kill.kill_everywhere(lambda: stages("judged"), do_promote, next_day) == 5


def test_s59_first_champion_killed_after_any_write(stages: Stages) -> None:
    def first_judged() -> None:
        world = stages("logged")
        (world.home / "verdict").write_text(world.judged(day(10))["verdict"])

    def retry(world: World, writes: int) -> None:
        do_promote(world)
        world.check("1")
        assert world.history() == [("bootstrap", "1")]
        assert world.registry.aliases() == {CHAMPION: "1"}

    stages.add("first judged", first_judged)
    assert flow_kill.kill_everywhere(lambda: stages("first judged"), do_promote, retry) == 4


@pytest.mark.parametrize("who", ["its retry", "the next flow"])
def test_s59_rollback_killed_after_any_write_ends_with_one_champion_and_the_bad_one_in_quarantine(
    stages: Stages, who: str
) -> None:
    def settle(world: World, writes: int) -> None:
        if who == "its retry":
            do_roll_back(world)
        else:
            world.let_leases_run_out()
            reconcile(world.ws(), day(27))
        if who == "the next flow" and writes == 0:
            world.check("2")
            return
        world.check("1")
        assert world.history() == [("bootstrap", "1"), ("promote", "2"), ("rollback", "1")]
        assert world.registry.aliases() == {CHAMPION: "1"}
        assert world.ws().versions.get("2").state == "quarantined"
        assert world.registry.version("2").tags["continual.state"] == "quarantined"

    assert flow_kill.kill_everywhere(lambda: stages("promoted"), do_roll_back, settle) == 8


def _promote_at_the_barrier(world: World, run: str, barrier: object, answers: object) -> None:
    ws = world.ws(run)
    barrier.wait()  # type: ignore[attr-defined]
    try:
        answers.put(promote(ws, verdict_of(world)).reason)  # type: ignore[attr-defined]
    except ContinualError as error:
        answers.put(type(error).__name__)  # type: ignore[attr-defined]


def test_s32_two_runs_promote_at_once_and_there_is_one_champion(stages: Stages) -> None:
    world, context = stages("judged"), flow_kill.context()
    barrier, answers = context.Barrier(2), context.Queue()
    both = [flow_kill.start(_promote_at_the_barrier, world, f"run {i}", barrier, answers) for i in (1, 2)]
    for process in both:
        process.join(60)
    said = [answers.get(timeout=10) for _ in both]
    won = [s for s in said if s.startswith("promote version 2")]
    assert won
    assert all(s in ("LeaseHeld", "PromotionRefused") or "promote version 2" in s for s in said)
    world.check("2")
    assert world.history() == [("bootstrap", "1"), ("promote", "2")]


def test_s32_two_different_verdicts_one_wins_the_other_is_refused(stages: Stages) -> None:
    world = stages("judged")
    world.edit("max_iter: 30", "max_iter: 40")
    other = world.judged(day(24))
    assert (other["answer"], other["version"]) == ("promote", "3")
    promote(world.ws("run a"), verdict_of(world))
    refused(lambda: promote(world.ws("run b"), other["verdict"]), PromotionRefused, r"judged against \(version 1\)")
    world.check("2")


def test_s32_another_holder_is_told_who_moves_and_the_same_one_may_enter_again(stages: Stages) -> None:
    from datetime import timedelta

    from continual.stores.lease import lease

    world = stages("judged")
    ws = world.ws()
    with lease(ws.db, ws.app, RUN, timedelta(minutes=5), "1") as first:
        refused(lambda: promote(world.ws("other run"), verdict_of(world)), LeaseHeld, f"{RUN} holds it")
        world.check("1")
        do_promote(world)
        refused(first.renew, LeaseHeld, "lost the lease")
    world.check("2")


def test_s34_clearing_an_old_promote_task_is_a_no_op(stages: Stages) -> None:
    world = stages("promoted")
    before = world.dump()
    outcome = promote(world.ws("cleared"), verdict_of(world))
    assert outcome.reason.startswith("already done: promote version 2 over 1")
    assert world.dump() == before


def test_s33_s34_an_old_promotion_does_not_come_back_after_a_rollback(stages: Stages) -> None:
    world = stages("promoted")
    world.roll_back("2", day(26))
    before = world.dump()
    assert promote(world.ws("cleared"), verdict_of(world)).reason.startswith("already done")
    assert world.dump() == before
    world.check("1")


def test_s36_alias_moved_by_hand_is_adopted_and_recorded(stages: Stages) -> None:
    world = stages("promoted")
    world.registry.set_alias(CHAMPION, "1")
    assert reconcile(world.ws(), day(25)) == "alias champion was moved by hand from 2 to 1: adopted"
    world.check("1")
    assert world.registry.aliases() == {CHAMPION: "1", PREVIOUS: "2"}
    assert world.history()[-1] == ("adopted", "1")
    before = world.dump()
    assert reconcile(world.ws(), day(25)) == "ledger and alias agree"
    assert world.dump() == before


def test_s36_adoption_killed_after_any_write_is_finished(stages: Stages) -> None:
    def by_hand() -> World:
        world = stages("promoted")
        world.registry.set_alias(CHAMPION, "1")
        return world

    def settle(world: World, writes: int) -> None:
        world.let_leases_run_out()
        reconcile(world.ws(), day(25))
        world.check("1")
        assert world.history() == [("bootstrap", "1"), ("promote", "2"), ("adopted", "1")]

    assert flow_kill.kill_everywhere(by_hand, _reconcile, settle) == 3


def _reconcile(world: World) -> None:
    reconcile(world.ws("monitor"), day(25))


def test_s36_alias_moved_by_hand_in_the_middle_of_a_killed_move(stages: Stages) -> None:
    """Killed after the intent; then a person gives the alias to a third version: the move is abandoned, not forced."""
    world = stages("judged")
    world.edit("max_iter: 30", "max_iter: 40")
    third = world.candidate(day(24)).version
    world.edit("max_iter: 40", "max_iter: 30")
    assert flow_kill.run(flow_kill.killed_after, 1, do_promote, world) == flow_kill.KILLED
    world.registry.set_alias(CHAMPION, third)
    world.let_leases_run_out()
    said = reconcile(world.ws(), day(25))
    assert said.startswith("abandoned: champion is 3, the move expected 1")
    assert said.endswith("moved by hand from 1 to 3: adopted")
    world.check("3")
    refused(lambda: do_promote(world), PromotionRefused, "version 3 since")
    world.check("3")


def test_s36_alias_given_by_hand_to_a_quarantined_version_is_an_error_that_says_so(stages: Stages) -> None:
    world = stages("promoted")
    world.roll_back("2", day(26))
    world.registry.set_alias(CHAMPION, "2")
    before = world.dump()
    refused(lambda: reconcile(world.ws(), day(27)), PromotionRefused, "moved by hand to version 2: asked by a test")
    assert world.dump() == before
    world.registry.set_alias(CHAMPION, "1")
    assert reconcile(world.ws(), day(27)) == "ledger and alias agree"


def test_s32_a_request_to_the_registry_that_arrives_too_late_is_put_right(
    stages: Stages, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run hangs in the request that moves the alias; others finish its promotion and roll it back."""
    world, set_alias = stages("judged"), Registry.set_alias

    def hang(registry: Registry, alias: str, version: str) -> None:
        if alias == CHAMPION:
            monkeypatch.setattr(Registry, "set_alias", set_alias)
            world.let_leases_run_out()
            reconcile(world.ws("loans.monitor x measure"), day(25))
            world.roll_back("2", day(26))
            world.check("1")
        set_alias(registry, alias, version)

    monkeypatch.setattr(Registry, "set_alias", hang)
    refused(lambda: do_promote(world), LeaseHeld, "lost the lease")
    assert world.champion() == "2"  # quarantined since
    said = reconcile(world.ws(), day(27))
    assert said == "alias champion is back at version 1: alias champion was set to 2 too late"
    world.check("1")
    before = world.dump()
    assert reconcile(world.ws(), day(27)) == "ledger and alias agree"
    assert world.dump() == before


def test_s36_alias_deleted_by_hand_is_an_error_that_says_what_to_do(stages: Stages) -> None:
    world = stages("promoted")
    world.registry.delete_alias(CHAMPION)
    before = world.dump()
    for flow in (lambda: reconcile(world.ws(), day(25)), lambda: world.candidate(day(25))):
        refused(flow, StoreError, "ledger says version 2.*set the alias in MLflow")
    assert world.dump() == before
    world.registry.set_alias(CHAMPION, "2")
    world.check("2")


def test_s37_s49_verify_fails_when_the_served_version_is_not_the_ledgers(stages: Stages) -> None:
    world = stages("promoted")
    world.registry.set_alias(CHAMPION, "1")
    refused(lambda: verify(world.ws(), day(25)), ModelUnavailable, "served 1, ledger 2")


def test_a_persons_answer_is_demanded_by_the_flow_itself(stages: Stages) -> None:
    from continual.errors import Skipped
    from continual.flows.approve import record_answer

    world = stages("champion")
    world.edit("mode: auto", "mode: approve")
    verdict = world.judged(day(24))["verdict"]
    refused(lambda: promote(world.ws(), verdict), PromotionRefused, "no answer")
    record_answer(world.ws(), verdict, False, "Ada")
    refused(lambda: promote(world.ws(), verdict), Skipped, "declined by Ada")
    world.check("1")


def test_an_approved_version_is_promoted(stages: Stages) -> None:
    from continual.flows.approve import record_answer

    world = stages("champion")
    world.edit("mode: auto", "mode: approve")
    verdict = world.judged(day(24))["verdict"]
    record_answer(world.ws(), verdict, True, "Ada")
    promote(world.ws(), verdict)
    world.check("2")


def test_s34_a_suggestion_is_made_once_and_moves_no_champion(stages: Stages) -> None:
    world = stages("champion")
    world.edit("mode: auto", "mode: suggest")
    verdict = world.judged(day(24))["verdict"]
    assert promote(world.ws(), verdict).reason.startswith("suggested version 2")
    assert world.registry.aliases() == {CHAMPION: "1", "challenger": "2"}
    world.registry.set_alias("challenger", "1")
    promote(world.ws(), verdict)
    assert world.registry.aliases()["challenger"] == "1"
    world.check("1")
