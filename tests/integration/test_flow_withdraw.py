"""Rows out of use: two clocks, every reader, lineage, marks, restoration; on real Iceberg, SQLite and MLflow."""

from __future__ import annotations

import numpy as np
import pytest
from flow_loans import ROWS, applications, day, days, labels
from flow_world import Stages, World, refused, verdict_of

from continual.api import Application
from continual.errors import ContinualError, PromotionRefused, Skipped
from continual.flows import cells, curate, data_form, promote, resettle, withdraw, withdraw_faults
from continual.flows.knowledge import newest
from continual.flows.withdrawn_rows import Rows
from continual.flows.workspace import Outcome

pytestmark = pytest.mark.integration
NORTH = Rows(window=days(12, 16), where="region = 'north'")


def _north(first: int, last: int) -> int:
    return sum(int((applications(n)["region"] == "north").sum()) for n in range(first, last))


def _yesterdays(number: int) -> int:
    """Labels of a day's file that belong to the day before."""
    return int(labels(number)["record_key"].str.startswith(f"{number - 1:03d}-").sum())


def _withdraw(world: World, rows: Rows = NORTH, reason: str = "the region was wrong") -> Outcome:
    ws = world.ws()
    return withdraw.withdraw(ws, withdraw.find(ws, rows), reason, "ann")


def test_rows_are_out_of_use_from_then_on_and_a_read_as_of_before_still_sees_them(stages: Stages) -> None:
    world = stages("promoted")
    before = newest(world.ws())
    outcome = _withdraw(world)
    n, ws = _north(12, 16), world.ws()
    assert outcome.data["n_rows"] == n and f"{n:,} predictions" in outcome.reason
    at = newest(ws)
    assert at > before and outcome.data["as_of"] == at.isoformat()
    log = ws.log
    for read in (log.read_predictions, log.read_labelled):
        assert len(read(days(12, 16), before)) == 4 * ROWS
        found = read(days(12, 16), at, ["record_key", "income"])
        assert len(found) == 4 * ROWS - n and list(found.columns[:2]) == ["record_key", "income"]
    arrow = log.read_arrow(days(12, 16), at, ["income"], dictionary=["region", "sector"])
    assert arrow.num_rows == 4 * ROWS - n and arrow.column_names == ["income", "label", "label_known_at"]
    assert log.touched_days(before, at) == [day(d).date() for d in range(12, 16)]
    assert log.touched_days(at, day(400)) == []


def test_metrics_forget_the_rows_and_say_so_and_the_past_stays(stages: Stages) -> None:
    world = stages("promoted")
    app = Application.of(world.ws())
    cells.refresh(world.ws(), days(10, 24), day(24))
    asked = {"slices": ["region=north", "overall"], "metrics": ["brier"]}
    then = app.metrics(days(12, 20), as_of=day(24), **asked)
    app.withdraw("the region was wrong", "ann", window=days(12, 16), where="region = 'north'")
    now = app.metrics(days(12, 20), **asked).set_index("slice")
    assert now["n"].to_dict() == {"region=north": _north(16, 20), "overall": 8 * ROWS - _north(12, 16)}
    assert (now["withdrawn"] == _north(12, 16)).all()
    again = app.metrics(days(12, 20), as_of=day(24), **asked)
    assert again.equals(then) and (again["withdrawn"] == 0).all()
    daily = app.daily(days(12, 18), slices=["overall"], metrics=["brier"])
    assert daily["withdrawn"].tolist() == [_north(d, d + 1) for d in range(12, 16)] + [0, 0]
    exact = app.metrics(days(12, 20), exact=True, **asked).set_index("slice")
    assert exact["n"].to_dict() == now["n"].to_dict()
    np.testing.assert_allclose(exact["value"], now["value"], rtol=1e-9)


def test_a_day_that_is_gone_as_a_whole_leaves_no_cells_behind(stages: Stages) -> None:
    world = stages("promoted")
    app = Application.of(world.ws())
    cells.refresh(world.ws(), days(10, 24), day(24))
    app.withdraw("nothing of it is right", "ann", window=days(13, 14))
    assert app.metrics(days(13, 15), slices=["overall"], metrics=["brier"])["n"].tolist() == [ROWS]
    cells.refresh(world.ws(), days(10, 24), newest(world.ws()))
    assert app.metrics(days(13, 15), slices=["overall"], metrics=["brier"])["n"].tolist() == [ROWS]
    assert app.metrics(days(13, 15), ["1"], slices=["overall"], metrics=["brier"])["n"].tolist() == [ROWS]
    made = app.withdrawals()["id"].iloc[0]
    app.restore(made, "it was right", "ben")
    assert app.metrics(days(13, 15), slices=["overall"], metrics=["brier"])["n"].tolist() == [2 * ROWS]


def test_what_was_made_of_them_is_found_named_and_marked(stages: Stages) -> None:
    world = stages("promoted")
    outcome = _withdraw(world, Rows(window=days(10, 14)))
    ws = world.ws()
    assert world.champion() == "2" and list(outcome.data["versions"]) == ["2"] and outcome.data["champion"] == "2"
    assert "version 2 SERVES and learnt from" in outcome.reason and "continual retrain loans" in outcome.reason
    (dataset,) = outcome.data["datasets"]
    assert dataset == ws.versions.get("2").dataset_id
    assert outcome.data["datasets"][dataset] == (ws.datasets.load(dataset)["event_time"] < day(14)).sum()
    assert "training rows withdrawn: the region was wrong" in world.registry.version("2").tags[withdraw.TAG]
    assert ws.ledger.last("withdraw").evidence["withdrawal"] == outcome.data["withdrawal"]
    ws.ledger.verify()
    judged = _withdraw(world, Rows(window=days(20, 21)), "another")
    assert list(judged.data["verdicts"]) == [ws.ledger.entries(kind="evaluation")[-1].key]
    marked = Application.of(world.ws()).evaluations(purpose="gate", model_version="2", slice="overall")
    assert (marked["withdrawn"] == ROWS).all()
    withdraw.restore(ws, outcome.data["withdrawal"], "it was right", "ben")
    assert world.registry.version("2").tags[withdraw.TAG] == "none any more"


def test_the_next_retrain_leaves_them_out_and_neither_window_judges_on_them(stages: Stages) -> None:
    world = stages("promoted")
    _withdraw(world, Rows(window=days(10, 22), where="region = 'north'"))
    found = curate.curate(world.ws(), day(25), "test")
    rows = world.ws().datasets.load(found.data["dataset"])
    assert len(rows) > 500 and not (rows["region"] == "north").any()
    told = resettle.resettle(world.ws(), day(25)).reason
    assert "would be" in told or "none would be another one" in told


def test_a_version_that_learnt_from_them_is_not_promoted_until_they_are_back(stages: Stages) -> None:
    world = stages("judged")
    made = _withdraw(world, Rows(window=days(12, 14))).data
    said = refused(
        lambda: promote.promote(world.ws(), verdict_of(world)), PromotionRefused, "learnt from withdrawn rows"
    )
    assert "the region was wrong" in said.got
    world.check("1")
    withdraw.restore(world.ws(), made["withdrawal"], "it was right after all", "ann")
    promote.promote(world.ws(), verdict_of(world))
    world.check("2")


def test_restored_rows_are_back_and_the_time_between_stays_as_it_was(stages: Stages) -> None:
    world = stages("promoted")
    made = _withdraw(world).data
    back = withdraw.restore(world.ws(), made["withdrawal"][:6], "it was right", "ben")
    ws = world.ws()
    out, at = ws.withdrawals.get(made["withdrawal"]).instants
    assert out < at and back.data["as_of"] == at.isoformat()
    assert len(ws.log.read_predictions(days(12, 16), out)) == 4 * ROWS - _north(12, 16)
    assert len(ws.log.read_predictions(days(12, 16), at)) == 4 * ROWS
    before = world.dump()
    assert withdraw.restore(world.ws(), made["withdrawal"], "again", "eve").reason == back.reason
    assert world.dump() == before
    again = _withdraw(world)
    assert again.data["withdrawal"] != made["withdrawal"] and again.data["n_rows"] == made["n_rows"]


def test_the_same_words_again_change_nothing_and_finish_what_a_kill_left(stages: Stages) -> None:
    world = stages("promoted")
    ws = world.ws()
    found = withdraw.find(ws, Rows(window=days(10, 14)))
    ws.withdrawals.add(found.scope, "killed here", "ann", found.as_of, found.n_rows, found.effects)
    outcome = _withdraw(world, Rows(window=days(10, 14)))
    assert ws.ledger.last("withdraw").evidence["why"] == "killed here"
    assert "killed here" in world.registry.version("2").tags[withdraw.TAG]
    before = world.dump()
    assert _withdraw(world, Rows(window=days(10, 14))).data == outcome.data
    assert world.dump() == before
    refused(lambda: withdraw.find(world.ws(), Rows(window=days(11, 12))), Skipped, "none among predictions")


def test_a_withdrawal_is_not_dated_before_decisions_and_says_what_it_needs(stages: Stages) -> None:
    world = stages("promoted")
    late = lambda rows, at=None: lambda: withdraw.find(world.ws(), rows, at)  # noqa: E731
    refused(late(NORTH, day(20)), ContinualError, "nothing was decided at or after.*2024-01-25")
    refused(late(Rows()), ContinualError, "must name days or files")
    refused(late(Rows(window=days(1, 2), where="regin = 'x'")), ContinualError, "did you mean region")
    refused(late(Rows(window=days(1, 2), slice_name="startup")), ContinualError, "did you mean startups")
    refused(late(Rows(files=("nope.parquet",))), ContinualError, "must have been taken in")


def test_a_file_of_predictions_or_of_labels_is_withdrawn_by_its_name(stages: Stages) -> None:
    world = stages("empty")
    for number in (0, 1, 2):
        world.deliver(number)
        world.deliver(number, "labels")
    world.ingest(0, 3)
    seen = lambda: world.ws().log.read_labelled(days(0, 3), newest(world.ws()))  # noqa: E731
    came = [len(labels(number)) for number in (0, 1, 2)]
    assert seen()["label"].notna().sum() == sum(came)
    outcome = _withdraw(world, Rows(files=("2024-01-02.parquet",)))
    assert outcome.data["n_rows"] == ROWS and list(outcome.data["days"]) == ["2024-01-02"]
    assert len(seen()) == 2 * ROWS
    outcome = _withdraw(world, Rows("labels", files=("2024-01-01.parquet",)))
    assert outcome.data["n_rows"] == came[0] and list(outcome.data["days"]) == ["2024-01-01"]
    assert len(seen()) == 2 * ROWS and seen()["label"].notna().sum() == ROWS - came[0] + (came[2] - _yesterdays(2))


QUARANTINE = {
    "slice": "startups",
    "predicate": "sector = 'startup'",
    "days": ["2024-01-11", "2024-01-12", "2024-01-14"],
    "columns": ["bureau"],
    "rows": 9,
}


def test_the_monitors_request_is_a_command_or_done_by_itself(stages: Stages) -> None:
    world = stages("promoted")
    watched = Outcome("data suspected", {"quarantine": [QUARANTINE]})
    asked = withdraw_faults.answer(world.ws(), watched)
    assert asked.data == watched.data and world.ws().withdrawals.all() == []
    assert "continual data withdraw loans --window 2024-01-11..2024-01-13 --where 'sector = " in asked.reason
    world.edit("seed: 0" if "seed: 0" in world.config.read_text() else "monitor:", "on_data_fault: withdraw\nmonitor:")
    done = withdraw_faults.answer(world.ws(), watched)
    assert len(done.data["withdrawn"]) == 2 and "withdrawn by monitor" in done.reason
    left = world.ws().log.read_predictions(days(10, 14), newest(world.ws()))
    gone = left[left["sector"] == "startup"]["event_time"].dt.strftime("%Y-%m-%d").unique().tolist()
    assert gone == ["2024-01-13"]
    again = withdraw_faults.answer(world.ws(), watched)
    assert len(world.ws().withdrawals.all()) == 2 and again.data["withdrawn"] == done.data["withdrawn"]


def test_the_form_looks_withdraws_and_restores(stages: Stages) -> None:
    world = stages("promoted")
    form = {"reason": "the region was wrong", "window": "2024-01-13..2024-01-17", "slice": "region=north", "by": "ann"}
    assert "would withdraw" in data_form.act(world.ws(), {**form, "action": "look"}).reason
    assert world.ws().withdrawals.all() == []
    made = data_form.act(world.ws(), {**form, "action": "withdraw"})
    assert made.data["n_rows"] == _north(12, 16) and made.data["by"] == "ann"
    back = {"action": "restore", "reason": "right", "withdrawal": made.data["withdrawal"]}
    assert data_form.act(world.ws(), back).reason.startswith("restored by test")
    refused(lambda: data_form.act(world.ws(), {**form, "reason": ""}), ContinualError, "must say the reason")
