"""Labels that were asked for: weighted by their recorded chance, estimated early, scored once the rest has come."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from flow_loans import applications, day, days

from continual.api import Application
from continual.flows import settle
from continual.flows.estimate import estimate, estimate_record, score_estimates
from continual.flows.evaluate import evaluate
from continual.flows.log_rows import log_table
from continual.flows.logged import labelled_rows
from continual.flows.measure import measure
from continual.flows.weights import INCLUSION, requests_of, with_inclusion
from continual.samplers._designs import inclusion_probabilities, keyed_uniform
from continual.stores.requests import UNCHOSEN, Draw

if TYPE_CHECKING:
    from flow_world import Stages, World

pytestmark = pytest.mark.integration
FIRST, LAST = 10, 20
WINDOW = days(FIRST, LAST)
ASKED, ANSWERED, CAME = day(20.1), day(20.5), day(26)
LABELS = 900


def _labels(world: World, keep: object, name: str, known: object) -> None:
    """Truth of the window's rows whose key `keep` accepts, known at `known`."""
    ws = world.ws()
    for number in range(FIRST, LAST):
        rows = applications(number)
        rows = rows[keep(rows["record_key"])]
        truth = rows[["record_key", "value"]].assign(known_at=known, source="desk")
        ws.log.append_labels(log_table(ws.policy, "labels", truth, f"{name}{number}", known), f"{name}{number}")


def _draw(world: World) -> tuple[set[str], int]:
    """Rows of the window by uncertainty, each with its probability; returns the chosen and how many rows there are."""
    ws = world.ws()
    rows = labelled_rows(ws, WINDOW, ASKED).sort_values("record_key", ignore_index=True)
    p, keys = rows["prediction"].to_numpy(), rows["record_key"].to_numpy(dtype=object)
    spread = (p * (1 - p)) ** 4
    pi = inclusion_probabilities(0.15 / len(p) + 0.85 * spread / spread.sum(), LABELS)
    chosen = keyed_uniform(keys, 1) < pi
    draw = Draw(WINDOW, ASKED, "uncertainty", ws.registry.champion())
    for _ in range(2):  # a repeated request changes nothing
        assert requests_of(ws).record(draw, list(keys), pi, chosen) == chosen.sum()
    return set(keys[chosen]), len(keys)


def _asked(stages: Stages) -> None:
    """Version 1 served ten days whose labels nobody sends: a desk answers for those it is asked about."""
    world = stages("logged")
    world.retrain(day(10))
    ws = world.ws()
    rows = [log_table(ws.policy, "predictions", world.served(n), f"p{n}", day(n + 1)) for n in range(FIRST, LAST)]
    ws.log.append_predictions(pa.concat_tables(rows), "asked")
    chosen, n = _draw(world)
    assert 0.8 * LABELS < len(chosen) < 1.2 * LABELS < n
    _labels(world, lambda keys: keys.isin(chosen), "asked", ANSWERED)


@pytest.fixture
def world(stages: Stages) -> World:
    stages.add("asked", lambda: _asked(stages))
    return stages("asked")


def _truth(world: World) -> dict[tuple[str, str], float]:
    """Every metric on every slice when all labels are known, and what the chosen labels say without weights."""
    ws = world.ws()
    frame = labelled_rows(ws, WINDOW, ANSWERED)
    full = pd.concat([applications(n)[["record_key", "value"]] for n in range(FIRST, LAST)]).set_index("record_key")
    return _values(world, frame.assign(label=full["value"].reindex(frame["record_key"]).to_numpy()))


def _values(world: World, frame: object) -> dict[tuple[str, str], object]:
    from continual.core.slices import resolve

    ws = world.ws()
    slices = resolve(ws.policy.slices, frame)
    found = measure(frame, slices, ws.policy.metrics, frame["prediction"].to_numpy(), None)
    return {(item.slice, one.metric): one.candidate for item in found for one in item.metrics}


def test_s13_a_draw_keeps_the_chance_of_every_row_chosen_or_not(world: World) -> None:
    ws = world.ws()
    kept = requests_of(ws).read(WINDOW)
    assert len(kept) == 300 * (LAST - FIRST)
    assert set(kept["state"]) == {"open", UNCHOSEN}
    assert kept["probability"].sum() == pytest.approx(LABELS, rel=1e-9)
    assert not requests_of(ws).any_in(WINDOW, ASKED - timedelta(seconds=1))
    assert not requests_of(ws).any_in(days(0, 10), ANSWERED)
    with pytest.raises(ValueError, match="every row of the draw"):
        requests_of(ws).record(Draw(WINDOW, ASKED, "x"), ["a"], np.array([0.0]), np.array([False]))


def test_s13_chosen_labels_are_weighted_and_cover_the_truth_where_the_plain_mean_does_not(world: World) -> None:
    ws, truth = world.ws(), _truth(world)
    frame = labelled_rows(ws, WINDOW, ANSWERED)
    weighted, plain = _values(world, with_inclusion(ws, frame, WINDOW, ANSWERED)), _values(world, frame)
    for key in (("overall", "brier"), ("startups", "brier"), ("region=east", "brier"), ("overall", "roc_auc")):
        value = truth[key].value
        assert weighted[key].low <= value <= weighted[key].high, key
    for key in (("overall", "brier"), ("overall", "roc_auc")):
        assert not plain[key].low <= truth[key].value <= plain[key].high, key


def test_s13_the_monitor_settles_chosen_labels_by_their_weight(world: World) -> None:
    ws, truth = world.ws(), _truth(world)
    settle.measure(ws, days(20, 21), day(21))
    rows = ws.evaluations.read(purpose="monitor", slice="overall", metric="brier", latest=True)
    week = rows[rows["window_start"] == day(13)].iloc[-1]
    assert week["n_labelled"] < 0.5 * week["n"]
    frame = with_inclusion(ws, labelled_rows(ws, days(13, 20), day(21)), days(13, 20), day(21))
    assert week["value"] == pytest.approx(_values(world, frame)["overall", "brier"].value)
    assert abs(week["value"] - truth["overall", "brier"].value) < 0.03


def _asked_for(frame: pd.DataFrame, metric: str = "brier") -> pd.Series:
    rows = frame[(frame["metric"] == metric) & (frame["slice"] == "overall")]
    assert len(rows) == 1
    return rows.iloc[0]


def test_s13_what_people_read_is_weighted_from_cells_and_from_rows(world: World) -> None:
    app, truth = Application.of(world.ws()), _truth(world)
    frame = labelled_rows(world.ws(), WINDOW, ANSWERED)
    weighted, plain = _values(world, with_inclusion(world.ws(), frame, WINDOW, ANSWERED)), _values(world, frame)
    for exact, close in ((False, 2e-3), (True, 1e-12)):
        found = app.metrics(WINDOW, as_of=ANSWERED, exact=exact)
        for metric in ("brier", "roc_auc"):
            one, key = _asked_for(found, metric), ("overall", metric)
            assert one["value"] == pytest.approx(weighted[key].value, abs=close if metric == "roc_auc" else 1e-12)
            assert abs(one["value"] - plain[key].value) > 1e-4
            assert one["low"] <= truth[key].value <= one["high"]
            assert (one["n"], one["n_labelled"]) == (weighted[key].n, weighted[key].n_labelled)
    by_day = app.daily(WINDOW, slices=["overall"], metrics=["brier"], as_of=ANSWERED).set_index("day")["value"]
    for number in (FIRST, LAST - 1):
        own = with_inclusion(
            world.ws(),
            labelled_rows(world.ws(), days(number, number + 1), ANSWERED),
            days(number, number + 1),
            ANSWERED,
        )
        assert by_day[day(number).date()] == pytest.approx(_values(world, own)["overall", "brier"].value, rel=1e-9)


def test_s13_a_comparison_of_two_versions_is_weighted(world: World) -> None:
    candidate = world.candidate(day(14)).version
    app = Application.of(world.ws())
    app.score(candidate, WINDOW, as_of=ANSWERED)
    found = _asked_for(app.compare(candidate, "1", WINDOW, as_of=ANSWERED))
    one = _asked_for(app.metrics(WINDOW, [candidate], as_of=ANSWERED, exact=True))
    assert found["candidate"] == pytest.approx(one["value"], rel=1e-9)
    _labels(world, lambda keys: keys.notna(), "all", CAME)
    true = _asked_for(app.compare(candidate, "1", WINDOW, as_of=CAME))
    assert found["n"] < 0.5 * true["n"] == 0.5 * 300 * (LAST - FIRST)
    assert found["low"] <= true["gain"] <= found["high"]


def test_s13_cells_that_were_built_before_a_draw_are_built_again_with_its_weights(world: World) -> None:
    app, ws = Application.of(world.ws()), world.ws()
    app.build(WINDOW, as_of=ANSWERED)
    before = app.metrics(WINDOW, as_of=ANSWERED)
    rows = labelled_rows(ws, days(FIRST, FIRST + 1), ANSWERED)
    draw = Draw(days(FIRST, FIRST + 1), ANSWERED + timedelta(hours=1), "uncertainty", "1")
    requests_of(ws).record(draw, list(rows["record_key"]), np.full(len(rows), 0.5), np.full(len(rows), False))
    pd.testing.assert_frame_equal(app.metrics(WINDOW, as_of=ANSWERED), before)  # nobody knew of it then
    later = ANSWERED + timedelta(hours=2)
    expected = _values(world, with_inclusion(ws, labelled_rows(ws, WINDOW, later), WINDOW, later))
    found = _asked_for(app.metrics(WINDOW, as_of=later))
    assert found["value"] == pytest.approx(expected["overall", "brier"].value, rel=1e-9)
    assert found["value"] != _asked_for(before)["value"]


def test_s13_the_gate_weighs_chosen_labels_on_every_slice(world: World) -> None:
    candidate = world.candidate(day(14))  # trained on days 1 to 9, whose labels came by themselves
    as_of = day(21)
    key = evaluate(world.ws(), [candidate], as_of).data["evaluation"]
    evidence = world.ws().ledger.get(key).evidence["gate"]
    window = days(16, 20)
    assert evidence["window"] == window.as_dict()
    ws = world.ws()
    frame = with_inclusion(ws, labelled_rows(ws, window, as_of), window, as_of)
    got = {s["slice"]: s["metrics"][1]["champion"] for s in evidence["slices"]}
    for name in ("overall", "startups", "region=north"):
        expected = _values(world, frame)[name, "brier"]
        assert got[name]["value"] == pytest.approx(expected.value, abs=1e-6)
        assert got[name]["n_labelled"] == expected.n_labelled < expected.n


def test_s13_an_application_whose_labels_come_by_themselves_is_untouched(stages: Stages) -> None:
    ws = stages("champion").ws()
    frame = labelled_rows(ws, WINDOW, day(24))
    assert with_inclusion(ws, frame, WINDOW, day(24)) is frame


def test_once_every_label_has_come_by_itself_none_is_weighted(world: World) -> None:
    ws = world.ws()
    asked = {key for key in requests_of(ws).read(state="open")["key"]}
    _labels(world, lambda keys: ~keys.isin(asked), "rest", CAME)
    early, late = (with_inclusion(ws, labelled_rows(ws, WINDOW, at), WINDOW, at) for at in (ANSWERED, CAME))
    assert early[INCLUSION].max() < 1
    assert (late[INCLUSION] == 1).all()


def test_estimates_from_chosen_labels_are_scored_when_the_rest_has_come(world: World) -> None:
    ws, truth = world.ws(), _truth(world)
    made = estimate(ws, WINDOW, ANSWERED)
    assert estimate(ws, WINDOW, ANSWERED).data["written"] == 0 < made.data["written"]
    rows = ws.evaluations.read(WINDOW, purpose="estimate")
    rows = rows[rows["n"] > 0]
    assert set(rows["metric"]) == {"roc_auc", "brier"}
    assert rows["method"].str.contains("chosen: (?:ppi_pp|aipw)").all()
    settle.measure(ws, days(21, 22), day(22))  # matured by the calendar, but a third of the labels has come
    assert ws.ledger.entries(kind="estimates_scored") == []
    _labels(world, lambda keys: keys.notna(), "rest", CAME)
    assert "intervals held what it settled at" in settle.measure(ws, days(25, 26), CAME).reason
    entries = ws.ledger.entries(kind="estimates_scored")
    assert score_estimates(ws, CAME).data["windows"] == score_estimates(ws, day(27)).data["windows"] == 0
    assert len(ws.ledger.entries(kind="estimates_scored")) == len(entries)
    own = [e.evidence["scores"] for e in entries if e.evidence["window"] == WINDOW.as_dict()]
    assert len(own) == 1
    scores = {(one["slice"], one["metric"]): one for one in own[0]}
    assert len(scores) == len(rows)
    assert scores["overall", "brier"]["truth"] == pytest.approx(truth["overall", "brier"].value)
    assert scores["overall", "brier"]["covered"]
    record = estimate_record(ws)
    assert record["n"].sum() == sum(len(entry.evidence["scores"]) for entry in entries)
    assert np.average(record["covered"], weights=record["n"]) >= 0.7  # ten dependent intervals of one draw
    ws.ledger.verify()


def test_before_labels_mature_the_monitor_estimates_without_them_and_scores_that_later(stages: Stages) -> None:
    world = stages("champion")
    ws = world.ws()
    settle.measure(ws, days(23, 24), day(24))
    rows = ws.evaluations.read(purpose="estimate")
    rows = rows[rows["n"] > 0]
    assert set(rows["window_start"]) == {day(23)}
    assert rows["method"].str.contains("label-free").all()
    assert (rows["n_labelled"] == 0).all()
    assert "early warning only" in rows["method"].iloc[0]
    assert ws.ledger.entries(kind="estimates_scored") == []
    world.log(24, 26)
    reason = settle.measure(ws, days(24, 25.5), day(25.5)).reason
    assert "intervals held what it settled at" in reason
    record = estimate_record(ws)
    assert record["method"].tolist() == ["cbpe"]
    assert record["n"].iloc[0] == len(rows)
    again = settle.measure(ws, days(24, 25.5), day(25.5)).reason
    assert "intervals held" not in again
    assert len(ws.ledger.entries(kind="estimates_scored")) == 1
