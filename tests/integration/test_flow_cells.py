"""The evaluation store as the DAGs fill it and people ask it: real log, real models, real store."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pandas as pd
import pytest
from flow_loans import APP, ROWS, day, days, labels
from flow_world import Stages, World, refused

from continual.api import Application
from continual.core.slices import masks, resolve
from continual.core.window import Window
from continual.errors import ContinualError
from continual.flows import cells, erase, rebuild, resettle, settle
from continual.flows.day_rows import LIVE
from continual.flows.log_rows import log_table
from continual.flows.measure import rows_in

pytestmark = pytest.mark.integration
NUMBERS = ["value", "low", "high"]


def _app(world: World) -> Application:
    return Application.of(world.ws())


def _by_hand(world: World, window: Window, as_of: object) -> pd.DataFrame:
    """The same numbers from the rows themselves."""
    ws = world.ws()
    frame = ws.log.read_labelled(window, as_of)
    slices = resolve(ws.policy.slices, frame)
    inside, score = masks(slices, frame), frame["prediction"].to_numpy(dtype=float)
    known = frame["label"].notna().to_numpy()
    rows = []
    for metric in ws.policy.metrics:
        for item in slices:
            use = inside[item.name]
            found = metric.estimate(rows_in(frame, use), score[use & known])
            rows.append((item.name, metric.name, found.value, found.low, found.high, found.n, found.n_labelled))
    return pd.DataFrame(rows, columns=["slice", "metric", "value", "low", "high", "n", "n_labelled"])


def test_metrics_of_a_window_are_those_of_its_rows_on_every_slice(stages: Stages) -> None:
    world, window = stages("champion"), days(12, 22)
    found = _app(world).metrics(window, as_of=day(24)).set_index(["slice", "metric"])
    exact = _by_hand(world, window, day(24)).set_index(["slice", "metric"])
    assert set(found.index) >= set(exact.index)
    found = found.loc[exact.index]
    assert np.array_equal(found[["n", "n_labelled"]], exact[["n", "n_labelled"]])
    brier = exact.index.get_level_values("metric") == "brier"
    assert found.loc[brier, NUMBERS].to_numpy(float) == pytest.approx(
        exact.loc[brier, NUMBERS].to_numpy(float), rel=1e-6, nan_ok=True
    )
    auc = ~brier
    assert found.loc[auc, "value"].to_numpy(float) == pytest.approx(
        exact.loc[auc, "value"].to_numpy(float), abs=5e-3, nan_ok=True
    )
    filled = found[found["n"] > 0]
    assert (filled["coverage"] == filled["n_labelled"] / filled["n"]).all()


def test_exact_metrics_are_those_of_the_rows_to_the_last_digit(stages: Stages) -> None:
    world, window = stages("judged"), days(19, 23)
    found = _app(world).metrics(window, as_of=day(24), exact=True).set_index(["slice", "metric"])
    exact = _by_hand(world, window, day(24)).set_index(["slice", "metric"])
    assert found.loc[exact.index, NUMBERS].to_numpy(float) == pytest.approx(exact[NUMBERS].to_numpy(float), nan_ok=True)
    assert not found["method"].str.contains("binned").any()
    app = _app(world)
    app.score("2", window, as_of=day(24))
    both = app.metrics(window, ["1", "2"], as_of=day(24), exact=True, slices=["overall"], metrics=["roc_auc"])
    binned = app.metrics(window, ["1", "2"], as_of=day(24), slices=["overall"], metrics=["roc_auc"])
    assert both["value"].to_numpy() == pytest.approx(binned["value"].to_numpy(), abs=2e-3)
    assert binned["method"].str.contains("binned").all()


def test_what_was_known_then_is_asked_again_after_late_and_corrected_labels(stages: Stages) -> None:
    """s6, s16: late labels touch their days only, the past reads as it was, cells or no cells."""
    world, window, then, later = stages("champion"), days(12, 20), day(22), day(30)
    app = _app(world)
    before = app.metrics(window, as_of=then)
    ws = world.ws()
    cells.build(ws, cells.survey(ws, window, then), then)
    cells.settle(ws, then, ws.log.heads())
    corrected = labels(14).assign(value=lambda f: 1 - f["value"], known_at=pd.Timestamp(day(28)))
    ws.log.append_labels(log_table(ws.policy, "labels", corrected, "late", day(28)), "late")
    assert {f"{d:%d}" for d in cells.survey(world.ws(), window, later)} == {"14", "15"}  # of two days' applications
    after = _app(world).metrics(window, as_of=later)
    assert after.loc[0, "value"] < before.loc[0, "value"]
    pd.testing.assert_frame_equal(_app(world).metrics(window, as_of=then), before)
    exact = _by_hand(world, window, later)
    overall = exact[(exact["slice"] == "overall") & (exact["metric"] == "brier")]["value"].iloc[0]
    found = after[(after["slice"] == "overall") & (after["metric"] == "brier")]["value"].iloc[0]
    assert found == pytest.approx(overall, rel=1e-9)


def test_the_monitor_settles_windows_anew_when_late_labels_touch_them(stages: Stages) -> None:
    world = stages("champion")
    first = settle.measure(world.ws(), days(23, 24), day(24))
    assert first.reason.startswith("live in 2024-01-23..2024-01-24Z: roc_auc")
    ws = world.ws()
    again = settle.measure(ws, days(23, 24), day(24))
    assert "0 evaluations written" in again.reason
    assert "all cells are up to date" in again.reason
    corrected = labels(20).assign(value=lambda f: 1 - f["value"], known_at=pd.Timestamp(day(24.5)))
    ws.log.append_labels(log_table(ws.policy, "labels", corrected, "late", day(24.5)), "late")
    late = settle.measure(world.ws(), days(24, 25), day(25))
    assert "past windows settled anew by late labels" in late.reason
    window = days(16, 23)
    both = ws.evaluations.read(window, purpose="monitor", slice="overall", metric="brier")
    both = both[(both["window_start"] == window.start) & (both["window_end"] == window.end)]
    assert len(both) == 2
    assert both["value"].iloc[1] > both["value"].iloc[0]  # the old number stays on record


def test_versions_are_compared_on_identical_rows_after_they_scored_them(stages: Stages) -> None:
    world, window = stages("judged"), days(19, 23)
    app = _app(world)
    error = refused(lambda: app.compare("2", "1", window, as_of=day(24)), ContinualError, "answers of a version")
    assert "continual score" in error.remedy
    told: list[tuple[int, int]] = []
    scored = app.score("2", window, as_of=day(24), progress=lambda done, total, _: told.append((done, total)))
    assert scored.data["rows"] == 4 * ROWS
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert _app(world).score("2", window, as_of=day(24)).data["rows"] == 0
    found = _app(world).compare("2", "1", window, as_of=day(24))
    overall = found[found["slice"] == "overall"].set_index("metric")
    assert overall.loc["brier", "gain"] > 0  # version 2 knows `bureau`
    assert overall.loc["roc_auc", "candidate"] > overall.loc["roc_auc", "champion"]
    assert overall.loc["brier", "n"] == world.ws().log.read_labelled(window, day(24))["label"].notna().sum()
    assert overall.loc["brier", "gain"] == pytest.approx(
        overall.loc["brier", "champion"] - overall.loc["brier", "candidate"]
    )


def test_a_killed_scoring_is_finished_by_the_next_one_without_a_row_twice(stages: Stages) -> None:
    import flow_kill

    from continual.flows.back_score import back_score

    world, window = stages("judged"), days(19, 23)

    def act(world: World) -> None:
        back_score(world.ws(), "2", window, day(24))

    code = flow_kill.run(flow_kill.killed_after, 2, _score, world)
    assert code in {flow_kill.KILLED, 0}
    act(world)
    scores = world.ws().log.read_all_scores(window, day(24)).to_pandas()
    assert len(scores) == scores["record_key"].nunique() == 4 * ROWS


def _score(world: World) -> None:
    from continual.flows.back_score import back_score

    back_score(world.ws(), "2", days(19, 23), day(24))


def test_cells_of_history_are_built_in_groups_of_days_by_any_number_of_workers(stages: Stages) -> None:
    world = stages("champion")
    surveyed = rebuild.survey(world.ws(), None, day(24))
    groups = surveyed.data["groups"]
    assert sum(map(len, groups)) == 24
    for group in reversed(groups):  # in any order
        rebuild.build(world.ws(), group, day(24))
    assert rebuild.survey(world.ws(), None, day(24)).data["groups"] == []
    assert "snapshots expired" in rebuild.tidy(world.ws(), day(24), surveyed.data["heads"]).reason


def test_s06_a_late_delivery_that_says_it_was_known_long_ago_is_seen_by_the_next_survey(stages: Stages) -> None:
    world = stages("champion")
    surveyed = rebuild.survey(world.ws(), None, day(24))
    for group in surveyed.data["groups"]:
        rebuild.build(world.ws(), group, day(24))
    rebuild.tidy(world.ws(), day(24), surveyed.data["heads"])
    ws = world.ws()
    backdated = labels(14).assign(
        value=lambda f: 1 - f["value"], known_at=lambda f: f["known_at"] + timedelta(minutes=1)
    )
    ws.log.append_labels(log_table(ws.policy, "labels", backdated, "late", day(25)), "late")
    assert rebuild.survey(world.ws(), None, day(25)).data["groups"] == [["2024-01-14", "2024-01-15"]]
    found = _app(world).metrics(days(12, 20), as_of=day(25), slices=["overall"], metrics=["brier"])
    exact = _by_hand(world, days(12, 20), day(25)).set_index(["slice", "metric"])
    assert found.loc[0, "value"] == pytest.approx(exact.loc[("overall", "brier"), "value"], rel=1e-9)


def test_a_new_slice_is_measured_over_history(stages: Stages) -> None:
    world = stages("champion")
    assert "bureau" not in " ".join(_app(world).metrics(days(12, 14), as_of=day(24))["slice"])
    world.edit("slices:\n", "slices:\n  - {by: bureau, bins: [-1, 1]}\n  - {cross: [sector, region], top: 5}\n")
    found = _app(world).metrics(days(12, 22), as_of=day(24), metrics=["brier"]).set_index("slice")
    parts = ["bureau<-1", "bureau=[-1,1)", "bureau>=1"]
    assert found.loc[parts, "n"].sum() == found.loc["overall", "n"] == 10 * ROWS
    assert sum("&" in name for name in found.index) == 5


def test_unknown_names_and_parts_of_days_are_refused_with_what_there_is(stages: Stages) -> None:
    app = _app(stages("champion"))
    refused(lambda: app.metrics(days(12, 14), metrics=["f2"], as_of=day(24)), ContinualError, "roc_auc, brier")
    refused(lambda: app.metrics(days(12, 14), slices=["mars"], as_of=day(24)), ContinualError, "overall")
    refused(lambda: app.metrics(days(12, 14), ["9"], as_of=day(24)), ContinualError, "none of 9")
    half = Window(day(12), day(12) + timedelta(hours=6))
    refused(lambda: app.metrics(half), ContinualError, "whole UTC days")


def test_labels_slices_and_drift_of_a_window(stages: Stages) -> None:
    app = _app(stages("champion"))
    found = app.labels(days(12, 24), as_of=day(24)).set_index("slice")
    overall = found.loc["overall"]
    assert overall["n"] == 12 * ROWS == overall[["arrived", "pending", "overdue", "never"]].sum()
    assert overall["half_after"] == pytest.approx(12)
    assert not app.label_delay(days(12, 22), as_of=day(24)).depends
    listed = app.slices(days(12, 24), as_of=day(24)).set_index("slice")
    assert listed.loc["startups", "tier"] == "critical"
    assert listed.loc["overall", "n"] == 12 * ROWS
    moved = app.drift(days(20, 24), days(12, 16), columns=["income", "sector"], as_of=day(24))
    assert set(moved["column"]) == {"income", "sector"}
    assert moved["value"].notna().any()


def test_live_names_itself_and_opening_an_application_needs_no_mlflow(stages: Stages) -> None:
    world = stages("champion").without_mlflow()
    app = Application.of(world.ws())
    assert app.workspace.app == APP
    assert set(app.metrics(days(12, 22), as_of=day(24))["version"]) == {LIVE}
    daily = app.daily(days(12, 22), slices=["overall"], metrics=["brier"], as_of=day(24))
    assert len(daily) == 10 == daily["day"].nunique()


def test_a_verdict_that_late_labels_turn_is_said_and_not_rewritten(stages: Stages) -> None:
    """Version 2 was judged better; corrected labels say that `bureau` told nothing after all."""
    world = stages("judged")
    ws = world.ws()
    verdict = ws.ledger.last("verdict")
    assert verdict is not None and verdict.evidence["verdict"]["answer"] == "promote"
    assert resettle.resettle(world.ws(), day(25)).data["changed"] == []
    for number in range(19, 24):
        rows = labels(number)
        rng = np.random.default_rng(number)
        wrong = rows.assign(value=rng.integers(0, 2, len(rows)).astype(float), known_at=pd.Timestamp(day(26)))
        ws.log.append_labels(log_table(ws.policy, "labels", wrong, f"late{number}", day(26)), f"late{number}")
    found = resettle.resettle(world.ws(), day(27))
    assert "was promote; with the labels known by now it would be" in found.reason
    kept = ws.ledger.last("verdict")
    assert kept is not None and kept.hash == verdict.hash
    again = resettle.resettle(world.ws(), day(28))
    assert len(ws.ledger.entries(kind="resettled")) == 1, again.reason
    ws.ledger.verify()


def test_erased_rows_are_in_no_cell_of_any_instant(stages: Stages) -> None:
    world, window = stages("champion"), days(12, 14)
    before = _app(world).metrics(window, as_of=day(24), slices=["overall"])
    erase.erase(world.ws(), ["012-0000", "012-0001"], "request 1", day(25))
    for instant in (day(24), day(26)):
        after = _app(world).metrics(window, as_of=instant, slices=["overall"])
        assert (before["n"] - after["n"] == 2).all()


def test_rows_past_their_retention_go_and_their_cells_stay(stages: Stages) -> None:
    world, window = stages("champion"), days(10, 12)
    before = _app(world).metrics(window, as_of=day(24))
    world.edit("gate:", "store: {keep_rows: 10d}\ngate:")
    done = rebuild.tidy(world.ws(), day(24))
    assert "older than store.keep_rows" in done.reason
    assert world.ws().log.read_predictions(window, day(24)).empty
    pd.testing.assert_frame_equal(_app(world).metrics(window, as_of=day(24)), before)


def test_s06_labels_before_their_predictions_wait_and_those_of_nobody_are_set_aside_once(stages: Stages) -> None:
    world = stages("champion")
    ws = world.ws()
    early = labels(24).assign(known_at=pd.Timestamp(day(23.5)))  # of day 24, half of which is not logged yet
    ws.log.append_labels(log_table(ws.policy, "labels", early, "early", day(24)), "early")
    stray = labels(20).head(3).assign(record_key=["no-1", "no-2", "no-3"], known_at=pd.Timestamp(day(20)))
    ws.log.append_labels(log_table(ws.policy, "labels", stray, "stray", day(24)), "stray")
    assert "3 labels without a prediction set aside" in rebuild.tidy(world.ws(), day(25)).reason
    (item,) = world.ws().batches.items(state="open")
    assert (item.stream, item.n_rows) == ("labels", 3)
    assert "no prediction has this record key, 4d after the label came" in item.reason
    assert "all set aside before" in rebuild.tidy(world.ws(), day(25)).reason
    world.log(24, 25)
    found = _app(world).metrics(days(24, 25), as_of=day(26), slices=["overall"], metrics=["brier"])
    assert found.loc[0, "n_labelled"] == len(set(early["record_key"]) & {f"024-{i:04d}" for i in range(ROWS)}) + 0
