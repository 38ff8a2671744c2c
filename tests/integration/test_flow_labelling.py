"""Labels that people are asked for: drawn with their chance, answered in any order, weighted in the gate's evidence."""

from __future__ import annotations

import csv
import random
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from flow_loans import applications, day, days
from flow_world import refused

from continual.api import Application
from continual.core.labelling import Answer, Use
from continual.errors import BatchError, LabelerError, NotEnoughData, Skipped
from continual.flows.ask import ask
from continual.flows.evaluate import evaluate
from continual.flows.judge import judge
from continual.flows.label_desk import queue_of, reading_of, served_answers, tasks_of, waiting_tasks
from continual.flows.label_intake import collect
from continual.flows.label_noise import label_noise
from continual.flows.label_order import Order
from continual.flows.label_wait import look, offer, wait_over
from continual.flows.log_rows import log_table
from continual.flows.logged import labelled_rows
from continual.flows.replay_decisions import rederive
from continual.flows.weights import INCLUSION, with_inclusion
from continual.policy.last_good import PolicyShelf

if TYPE_CHECKING:
    from flow_world import Stages, World

pytestmark = pytest.mark.integration
ASKED = day(20)
BUDGET = 600
POLICY = f"""labeler: {{kind: csv}}
labelling: {{budget: {BUDGET}, reserve: 0, window: 8d, double: 0.2, training_share: 0.1, enough: 0.8, deadline: 4d}}
"""


def _deployment(stages: Stages) -> None:
    """Version 1 served days 10 to 19, of which nobody knows the truth; people may be asked from then on."""
    world = stages("logged")
    world.retrain(day(10))
    ws = world.ws()
    rows = [log_table(ws.policy, "predictions", world.served(n), f"p{n}", day(n + 1)) for n in range(10, 20)]
    ws.log.append_predictions(pa.concat_tables(rows), "unlabelled")
    world.edit("labeler: {kind: stream}\n", POLICY)


@pytest.fixture
def world(stages: Stages) -> World:
    stages.add("unlabelled", lambda: _deployment(stages))
    return stages("unlabelled")


@pytest.fixture
def asked(stages: Stages) -> World:
    def build() -> None:
        stages.add("unlabelled", lambda: _deployment(stages))
        ask(stages("unlabelled").ws(), ASKED)

    stages.add("asked for", build)
    return stages("asked for")


def truth() -> dict[str, float]:
    rows = pd.concat([applications(n)[["record_key", "value"]] for n in range(10, 20)])
    return dict(zip(rows["record_key"], rows["value"], strict=True))


def say(world: World, **answers: float) -> list[Answer]:
    """Everything that waits, answered by anna with the truth; what needs two people by ben, too."""
    known, when = {**truth(), **answers}, day(20.5)
    tasks = waiting_tasks(world.ws())
    said = [Answer(t.key, "anna", known[t.key], when) for t in tasks]
    return said + [Answer(t.key, "ben", known[t.key], when) for t in tasks if t.needed > 1]


def test_s13_every_row_of_the_draw_has_its_chance_on_record_and_the_budget_is_kept(world: World) -> None:
    ws = world.ws()
    found = ask(ws, ASKED)
    rows = reading_of(ws).requests(everything=True)
    drawn = len(labelled_rows(ws, days(12, 20), ASKED))
    from continual.flows.weights import requests_of

    assert len(requests_of(ws).read()) == drawn == 8 * 300
    (entry,) = ws.ledger.entries(kind="labels_asked")
    seen = entry.evidence
    assert seen["cost"] == rows["needed"].sum() == pytest.approx(BUDGET, rel=0.15)
    assert seen["account"]["budget"] == BUDGET and seen["expected"]["uniform"] == pytest.approx(BUDGET / 1.2, abs=1)
    assert (rows["needed"] == 2).mean() == pytest.approx(0.2, abs=0.06)
    assert (rows["use"] == "training").mean() == pytest.approx(0.1, abs=0.05)
    assert sum(seen["bought"][f"region={name}"] for name in ("east", "north", "west")) == seen["new"]
    before = world.dump()
    again = ask(world.ws(), ASKED, Order(labels=5))
    assert again.reason == found.reason and world.dump() == before
    shelf = PolicyShelf(world.settings.home, world.settings.configs)
    (derived,) = [one for one in rederive(ws.ledger, shelf) if one.kind == "labels_asked"]
    assert derived.same, derived.difference
    refused(lambda: ask(ws, day(20.1)), Skipped, "left in the period")
    assert "answers for" in found.reason and "left until the period ends" in found.reason


def test_s13_a_budget_of_one_buys_one_label(world: World) -> None:
    world.edit(f"budget: {BUDGET}", "budget: 1, period: 1d")
    world.edit("double: 0.2", "double: 0")
    for instant in (day(20), day(21), day(22)):
        found = ask(world.ws(), instant)
        assert (found.data["new"], found.data["cost"]) == (1, 1)
    assert reading_of(world.ws()).counts()["open"] == 3


def test_nobody_sees_a_models_answer_on_rows_that_judge(asked: World) -> None:
    ws = asked.ws()
    tasks = waiting_tasks(ws)
    for task in tasks:
        assert set(task.fields) == {"income", "bureau", "sector", "region"}
        assert (task.guess is not None) == (task.use is Use.TRAINING)
    path = asked.home / "tasks.csv"
    assert Application.of(ws).labelling.export(path) == len(tasks)
    rows = pd.read_csv(path).set_index("record_key")
    shown = rows.index[rows["suggestion"].notna()]
    assert set(shown) == {t.key for t in tasks if t.use is Use.TRAINING} and len(shown)


def _filled(world: World, path: Path) -> list[dict[str, Any]]:
    known = truth()
    rows = list(csv.DictReader(path.open(encoding="utf-8-sig")))
    said = [{**r, "label": "repaid" if known[r["record_key"]] else "not repaid", "annotator": "anna"} for r in rows]
    twice = {t.key for t in waiting_tasks(world.ws()) if t.needed > 1}
    return said + [{**row, "annotator": "ben"} for row in said if row["record_key"] in twice]


def _write(path: Path, rows: list[dict[str, Any]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def test_s12_a_csv_goes_round_through_the_log_whatever_its_order(asked: World) -> None:
    ws, labelling = asked.ws(), Application.of(asked.ws()).labelling
    labelling.export(asked.home / "tasks.csv")
    good = _filled(asked, asked.home / "tasks.csv")
    bad = [
        {**good[0], "record_key": "nobody"},
        {**good[1], "label": "perhaps"},
        {**good[2], "record_key": ""},
        {**good[3], "label": ""},
    ]
    rows = [*good, *good, *bad]
    random.Random(1).shuffle(rows)
    done = labelling.import_answers(_write(asked.home / "done.csv", rows), day(400))
    assert (done.data["aside"], done.data["empty"]) == (3, 1)
    keys = {row["record_key"] for row in good}
    assert done.data["written"] == len(keys)
    (item,) = ws.batches.items(state="open")
    reasons = set(ws.log.read_quarantine(item.ref)["reasons"])
    assert any("nobody asked" in why for why in reasons) and any("perhaps" in why for why in reasons)
    labels = ws.log.read_labels(None, day(4000)).set_index("record_key")
    assert set(labels.loc[sorted(keys), "source"]) == {"annotator", "annotator_assisted"}
    known = truth()
    assert all(labels.loc[key, "value"] == known[key] for key in keys)
    before = asked.dump()
    random.Random(2).shuffle(rows)
    again = labelling.import_answers(_write(asked.home / "done.csv", rows), day(400))
    assert again.data["written"] == 0
    assert asked.dump()["labels"] == before["labels"]
    wrong = asked.home / "wrong.csv"
    wrong.write_text("key;label\na;1\n")
    refused(lambda: labelling.import_answers(wrong, day(400)), BatchError, "no column record_key")


def test_the_csv_labeler_reads_what_is_put_into_its_folder_once(asked: World) -> None:
    ws = asked.ws()
    said = offer(ws)
    folder = asked.home / "labelling" / "loans"
    assert str(folder / "tasks.csv") in said.reason
    good = _filled(asked, folder / "tasks.csv")
    _write(folder / "answers" / "first.csv", good[:40])
    first = collect(ws, day(21))
    assert first.data["written"] and first.data["counts"]["answered"] == first.data["written"]
    assert collect(ws, day(21)).data["written"] == 0
    _write(folder / "answers" / "first.csv", good)
    assert collect(ws, day(21)).data["counts"]["open"] == 0


def test_s13_answers_of_people_weigh_by_their_chance_in_the_gates_evidence(asked: World) -> None:
    ws = asked.ws()
    candidate = asked.candidate(day(14))
    queue_of(ws).record(say(asked))
    done = collect(ws, day(21))
    assert done.data["as_of"] == day(21).isoformat()
    key = evaluate(ws, [candidate], day(21)).data["evaluation"]
    evidence = ws.ledger.get(key).evidence["gate"]
    window = days(16, 20)
    assert evidence["window"] == window.as_dict()
    frame = with_inclusion(ws, labelled_rows(ws, window, day(21)), window, day(21))
    requests = reading_of(ws).requests(everything=True)
    trains = set(requests.loc[requests["use"] == "training", "key"])
    assert not set(frame["record_key"]) & trains  # their labels were led, perhaps
    judged = frame[frame["label"].notna()]
    overall = next(s for s in evidence["slices"] if s["slice"] == "overall")
    assert overall["metrics"][0]["champion"]["n_labelled"] == len(judged) > 150
    loss = (judged["prediction"] - judged["label"]) ** 2
    expected = np.average(loss, weights=1 / judged[INCLUSION])
    assert overall["metrics"][1]["champion"]["value"] == pytest.approx(expected, abs=1e-6)


def test_s13_a_second_draw_keeps_the_chances_of_rows_that_the_first_one_took(asked: World) -> None:
    ws = asked.ws()
    queue_of(ws).record(say(asked))
    collect(ws, day(21))
    asked.edit(f"budget: {BUDGET}", "budget: 900")
    ws = asked.ws()
    second = ask(ws, day(20.9))
    from continual.flows.weights import requests_of

    rows = requests_of(ws).read()
    per_key = rows[rows["asked_at"] == day(20.9)]
    assert len(per_key) == 8 * 300
    assert (per_key["state"] == "repeated").sum() > 0
    assert second.data["new"] == (per_key["state"] == "open").sum()
    assert second.data["cost"] <= 450  # what is left, and the luck of the draw
    new = per_key[
        ~per_key["key"].isin(set(rows.loc[(rows["asked_at"] == ASKED) & (rows["state"] != "unchosen"), "key"]))
    ]
    assert new["probability"].sum() * 1.2 == pytest.approx(900 - 600, rel=0.25)


def test_s11_a_wait_ends_with_an_outcome_whatever_comes(asked: World) -> None:
    ws = asked.ws()
    key = ws.ledger.last("labels_asked").key
    nothing = look(ws, key)
    assert (nothing.done, nothing.answered) == (False, 0)
    late = wait_over(ws, nothing, timed_out=True)
    assert late.data["timed_out"] and "going on with these" in late.reason
    said = say(asked)
    queue_of(ws).record(said[: len(said) // 2])
    assert not look(ws, key).done
    asked.edit("enough: 0.8", "enough: 0.8, on_timeout: skip")
    refused(lambda: wait_over(asked.ws(), nothing, timed_out=True), NotEnoughData, "labelling.wait")
    queue_of(ws).record(said)
    assert look(ws, key).done
    collect(ws, day(28))


def test_s11_rows_past_their_deadline_expire_and_can_be_asked_again(asked: World) -> None:
    ws = asked.ws()
    done = collect(ws, ASKED + timedelta(days=4))
    assert done.data["counts"]["expired"] > 300 and done.data["counts"]["open"] == 0
    assert look(ws, ws.ledger.last("labels_asked").key).done
    again = ask(ws, day(25))
    assert again.data["new"] > 100


def test_s12_conflicts_wait_for_a_person_and_late_answers_are_corrections(asked: World) -> None:
    ws, labelling = asked.ws(), Application.of(asked.ws()).labelling
    key = next(t.key for t in waiting_tasks(ws) if t.needed == 1 and t.use is Use.EVALUATION)
    assert labelling.answer(key, "repaid", "anna", day(20.2)).data == {"state": "answered", "written": 1}
    assert labelling.answer(key, "0", "ben", day(20.3)).data == {"state": "disputed", "written": 0}
    assert waiting_tasks(ws)[0].key == key
    labels = ws.log.read_labels(None, day(20.9)).set_index("record_key")
    assert labels.loc[key, "value"] == 1.0
    assert labelling.answer(key, "not repaid", "the lead", day(20.4), decides=True).data["written"] == 1
    for instant, value in ((day(20.25), 1.0), (day(20.9), 0.0)):  # what was known when
        assert ws.log.read_labels(None, instant).set_index("record_key").loc[key, "value"] == value
    refused(lambda: labelling.answer("nobody", "1", "anna", day(20.2)), LabelerError, "no request")
    refused(lambda: labelling.answer(key, "maybe", "anna", day(20.2)), LabelerError, "none of: not repaid, repaid")


def test_labels_are_bought_in_the_slice_that_a_person_names(world: World) -> None:
    ws = world.ws()
    found = ask(ws, ASKED, Order(labels=300, slice="startups", cause="a new sector"))
    rows = reading_of(ws).requests()
    inside = len(tasks_of(ws, rows)) and sum(t.fields["sector"] == "startup" for t in tasks_of(ws, rows))
    assert inside == found.data["slices"]["startups"] > 0.6 * found.data["new"]
    assert all(
        "needed" in parts for key, parts in zip(rows["key"], rows["components"], strict=True) if parts.get("needed")
    )
    assert "in startups" in found.reason and "a new sector" in found.reason
    refused(lambda: ask(ws, day(20.1), Order(slice="no such")), Skipped, "no such")


def _noisy(world: World, led: float = 0.0) -> list[Answer]:
    """Everybody is wrong in a tenth of the rows; anna, besides, says what the served model says in a share `led`."""
    rng, said = np.random.default_rng(3), []
    served = served_answers(world.ws(), reading_of(world.ws()).requests(everything=True))
    for a in say(world):
        value = float(abs(a.value - (rng.random() < 0.1))) if a.value is not None else None
        if a.annotator == "anna" and rng.random() < led:
            value = served[a.key]
        said.append(Answer(a.key, a.annotator, value, a.answered_at))
    return said


@pytest.mark.parametrize("led", [0.0, 0.7])
def test_the_gate_takes_out_the_noise_that_two_people_show_and_refuses_labels_that_were_led(
    asked: World, led: float
) -> None:
    asked.edit("gate: {kind: graded}", "gate: {kind: graded, label_noise: measured}")
    ws = asked.ws()
    candidate = asked.candidate(day(14))
    queue_of(ws).record(_noisy(asked, led))
    collect(ws, day(21))
    assert label_noise(ws, day(20)).noise.estimate.n_labelled == 0, "nothing was answered by then"
    key = evaluate(ws, [candidate], day(21)).data["evaluation"]
    told = judge(ws, key)
    noise = ws.ledger.get(key).evidence["gate"]["noise"]
    if led:
        assert "the labels must not judge: labels lean to the model's answer" in told.reason
    else:
        assert noise["refused"] == ""
        rate = noise["noise"]["estimate"]
        assert rate["low"] < 0.1 < rate["high"] and rate["n_labelled"] > 50
        assert "are taken out of every comparison" in told.reason
    shelf = PolicyShelf(asked.settings.home, asked.settings.configs)
    shelf.snapshot("loans")
    found = [one for one in rederive(ws.ledger, shelf) if one.kind == "verdict" and one.key.endswith(key)]
    assert [one.same for one in found] == [True], found


def test_agreement_noise_and_rows_to_look_at_again(asked: World) -> None:
    ws, labelling = asked.ws(), Application.of(asked.ws()).labelling
    rng = np.random.default_rng(3)
    said = [
        Answer(a.key, a.annotator, float(abs(a.value - (rng.random() < 0.1))), a.answered_at)
        for a in say(asked)
        if a.value is not None
    ]
    queue_of(ws).record(said)
    collect(ws, day(21))
    told = labelling.quality()
    assert told.noise is not None and told.noise.estimate.low < 0.1 < told.noise.estimate.high
    assert told.kappa.value > 0.4 and told.doubled > 50
    assert told.people["anna"] > told.people["ben"]
    assert told.disputed > 0
    found = labelling.suspects(day(21))
    assert len(found) and (found["given"] != found["likely"]).all() and found["probability"].max() < 0.5
    before = len(labelled_rows(ws, days(12, 20), day(21)))
    again = labelling.review(day(21))
    assert again.data["judging"] == found["judges"].sum() > 0
    assert again.data["asked"] == (~found["judges"].astype(bool)).sum()
    assert len(labelled_rows(ws, days(12, 20), day(21))) == before
