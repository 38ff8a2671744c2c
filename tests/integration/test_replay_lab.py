"""The replay lab on the small lender's history: the product's own flows in simulated time, without any server."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from flow_loans import APP, POLICY, ROWS, TURN, applications, day

from continual.core.window import Window
from continual.errors import BatchError, NotEnoughData, PolicyError, StoreError
from continual.policy.load import LoadedPolicy, parse_policy
from continual.replay.contenders import Contender, contenders, patched
from continual.replay.history import History
from continual.replay.lab import Lab
from continual.replay.sandbox import Sandbox
from continual.replay.table import TableColumns, history_of
from continual.settings import Settings

pytestmark = pytest.mark.integration
DAYS = 40
COLUMNS = TableColumns("event_time", "value", "known_at", "record_key")


def loaded(old: str = "", new: str = "") -> LoadedPolicy:
    assert old in POLICY
    return parse_policy(POLICY.replace(old, new), f"{APP}.yaml")


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return pd.concat([applications(n) for n in range(DAYS)], ignore_index=True)


@pytest.fixture(scope="module")
def history(table: pd.DataFrame) -> History:
    return history_of(table, loaded().policy, COLUMNS)


@pytest.fixture(scope="module")
def lab(history: History, tmp_path_factory: pytest.TempPathFactory) -> Lab:
    return Lab(history, tmp_path_factory.mktemp("lab"), Settings.from_environment({}))


def two() -> list[Contender]:
    """One retrains every week, one never after the first model."""
    often, never = (patched(loaded(), {"trigger": {"every_days": days}}, "x.yaml") for days in (7, 1000))
    return [Contender("often", often), Contender("never", never)]


@pytest.fixture(scope="module")
def compared(lab: Lab):
    return lab.run(two())


def test_a_policy_that_retrains_follows_the_turn_and_one_that_does_not_pays(compared):
    comparison, played = compared
    often, never = played
    assert (never.retrains, never.promotions) == (1, 1)
    assert often.retrains >= 4
    assert often.promotions >= 2
    assert comparison.best == "often"
    worse = next(one for one in comparison.policies if one.played.name == "never")
    assert worse.regret > 0.05 and worse.regret_low > 0
    assert often.cpu_fits > never.cpu_fits > 0
    assert often.labels > never.labels > 500


def test_composite_answers_are_those_of_the_champion_of_the_moment(lab: Lab, compared):
    _, (often, _) = compared
    contender = two()[0]
    ws = Sandbox.at(lab.sandbox(contender), lab.folder / "cache", lab.history, contender.loaded, lab.settings)
    rows = lab.history.rows
    for number, reign in enumerate(often.reigns):
        own = np.flatnonzero(often.served == number)
        assert (lab.history.event[own] >= pd.Timestamp(reign.since).value // 1000).all()
        some = own[:: max(1, len(own) // 50)]
        model = ws.load(reign.version, ws._trusted)
        said = model.predict_proba(rows.iloc[some][ws.policy.features.all])[:, 1]
        assert np.array_equal(said, often.answers[some])
    ws.db.close()


def test_a_replay_that_was_killed_goes_on_and_ends_the_same(lab: Lab, compared, tmp_path: Path, monkeypatch):
    """Killed in the middle of a look that trains: half a look leaves no trace."""
    from continual.flows import judge

    contender, whole = two()[0], compared[1][0]
    other = replace(lab, folder=tmp_path)
    calls = []

    def dies(ws, key):
        calls.append(key)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return real(ws, key)

    real = judge.judge
    monkeypatch.setattr(judge, "judge", dies)
    with pytest.raises(KeyboardInterrupt):
        other.play(contender)
    again = other.play(contender)
    assert again.decisions == whole.decisions
    assert again.reigns == whole.reigns
    assert np.array_equal(again.answers, whole.answers, equal_nan=True)


def test_policies_share_what_they_train_alike(lab: Lab, compared, monkeypatch):
    """The first model of both policies is one fit; a third that retrains as often trains nothing."""
    from continual.flows import train

    def must_not(*_):
        raise AssertionError("fitted again")

    monkeypatch.setattr(train, "fit", must_not)
    same = patched(loaded(), {"trigger": {"every_days": 7}, "promotion": {"cooldown": "4d"}}, "x.yaml")
    found = lab.play(Contender("again", same))
    assert found.cpu_fits == pytest.approx(compared[1][0].cpu_fits)
    assert found.reigns == compared[1][0].reigns


def test_in_processes_it_is_the_same(lab: Lab, compared, tmp_path: Path):
    said: list[tuple[str, int, int]] = []
    other = replace(lab, folder=tmp_path, end=day(20))
    comparison, played = other.run(
        two(), jobs=2, progress=lambda name, done, total, _: said.append((name, done, total))
    )
    assert {name for name, *_ in said} == {"often", "never"}
    assert ("often", 20, 20) in said
    alone, _ = replace(other, folder=tmp_path / "alone").run(two())
    assert [p.overall for p in comparison.policies] == [p.overall for p in alone.policies]
    assert [p.looks for p in played] == [20, 20]


def test_history_reads_as_the_log_does(history: History, tmp_path: Path):
    """Every reading method of the loop against Iceberg, with corrected and late labels."""
    import pyarrow as pa

    from continual.flows.log_rows import log_table
    from continual.replay.log import HistoryLog
    from continual.replay.serving import Serving
    from continual.stores.log import PredictionLog
    from continual.stores.log_read import FOREVER

    policy = loaded().policy
    (tmp_path / "warehouse").mkdir()
    log = PredictionLog(f"sqlite:///{tmp_path}/catalog.db", f"file://{tmp_path}/warehouse", APP, tmp_path / "keys")
    days, labels = [], []
    for n in range(4):
        frame = applications(n)
        served = frame.drop(columns=["value", "known_at"]).assign(model_version=None, prediction=np.nan)
        days.append(log_table(policy, "predictions", served, f"p{n}", day(n + 1)))
        truth = frame[["record_key", "value", "known_at"]].assign(source="payments")
        fixed = truth.iloc[:30].assign(
            value=1 - truth["value"].iloc[:30], known_at=truth["known_at"] + pd.Timedelta("2D")
        )
        also = truth.iloc[:9].assign(source="agency", value=0.0)
        labels.append(log_table(policy, "labels", pd.concat([truth, fixed, also]), f"l{n}", day(n + 1)))
    log.append_predictions(pa.concat_tables(days), "p")
    log.append_labels(pa.concat_tables(labels), "l")
    made = History.of(log.read_predictions(Window(day(-1), day(9)), FOREVER), log.label_rows(FOREVER))
    made.save(tmp_path / "kept")
    light = HistoryLog(History.load(tmp_path / "kept"), Serving(len(made), policy.label.target), APP)
    for as_of in (day(0.5), day(1), day(2.25), day(3), day(4.1), day(9)):
        for window in (Window(day(0), day(2)), Window(day(0.3), day(9))):
            pd.testing.assert_frame_equal(light.read_predictions(window, as_of), log.read_predictions(window, as_of))
            whole, read = light.read_labelled(window, as_of), log.read_labelled(window, as_of)
            pd.testing.assert_frame_equal(whole, read)
            pd.testing.assert_frame_equal(
                light.read_labelled(window, as_of, ["region"]), log.read_labelled(window, as_of, ["region"])
            )
            table = light.read_arrow(window, as_of, ["record_key", "region"], dictionary=["region"])
            assert sorted(table.to_pylist(), key=str) == sorted(
                log.read_arrow(window, as_of, ["record_key", "region"], dictionary=["region"]).to_pylist(), key=str
            )
        assert light.touched_days(None, as_of) == log.touched_days(None, as_of)
        assert light.touched_days(day(1), as_of) == log.touched_days(day(1), as_of)
    with pytest.raises(StoreError, match="must stay as it is"):
        light.append_labels(pa.concat_tables(labels), "x")


def test_faulty_rows_are_withdrawn_in_the_sandbox_where_the_policy_says_so(lab: Lab, table: pd.DataFrame, tmp_path):
    broken = table.assign(bureau=table["bureau"].where(table["event_time"] < day(26)))
    patch = {"on_data_fault": "withdraw", "detector": {"kind": "jump", "reference_days": 7, "remember_days": 7}}
    policy = patched(loaded(), {**patch, "trigger": {"every_days": 7}}, "x.yaml")
    there = replace(lab, folder=tmp_path, history=history_of(broken, policy.policy, COLUMNS), end=day(32))
    contender = Contender("careful", policy)
    played = there.play(contender)
    assert played.decisions["withdraw"] >= 1 and not played.failed
    ws = there.open(contender)
    left = ws.log.read_predictions(Window(day(26), day(27)), day(32))
    seen = ws.log.read_predictions(Window(day(26), day(27)), day(27))
    ws.db.close()
    assert (len(left), len(seen)) == (0, ROWS)


def test_what_cannot_be_replayed_says_why(lab: Lab, table: pd.DataFrame, tmp_path: Path):
    with pytest.raises(BatchError, match="missing: bureau"):
        history_of(table.drop(columns="bureau"), loaded().policy, COLUMNS)
    starved = patched(loaded(), {"window": {"min_rows": 10**6}}, "x.yaml")
    with pytest.raises(NotEnoughData, match="never a champion: greedy"):
        replace(lab, folder=tmp_path, end=day(15)).run([Contender("greedy", starved)])
    with pytest.raises(NotEnoughData, match="none between"):
        replace(lab, start=day(99)).run(two())
    (tmp_path / "a.yaml").write_text("trigger: {every_days: -1}")
    with pytest.raises(PolicyError, match="every_days"):
        contenders(loaded(), [tmp_path / "a.yaml"])
    (tmp_path / "current.yaml").write_text("seed: 1")
    with pytest.raises(PolicyError, match="twice: current"):
        contenders(loaded(), [tmp_path / "current.yaml"])


def test_the_comparison_is_numbers_for_programs(compared):
    said = json.loads(json.dumps(compared[0].as_dict(), default=str))
    assert said["metric"] == "roc_auc"
    assert {p["name"] for p in said["policies"]} == {"often", "never"}
    assert said["rows"] < said["of"] == DAYS * ROWS
    assert 0 < TURN < DAYS


def test_the_command_replays_a_table_and_its_report_needs_nothing_else(table: pd.DataFrame, tmp_path: Path):
    from typer.testing import CliRunner

    from continual.cli.main import app

    table[table["event_time"] < day(22)].to_parquet(tmp_path / "loans.parquet")
    (tmp_path / f"{APP}.yaml").write_text(POLICY)
    (tmp_path / "never.yaml").write_text("trigger: {every_days: 1000}\n")
    words = [f"{tmp_path}/{APP}.yaml", f"{tmp_path}/never.yaml", "--table", f"{tmp_path}/loans.parquet", "--jobs", "1"]
    words += ["--event-time", "event_time", "--label", "value", "--label-time", "known_at", "--key", "record_key"]
    answer = CliRunner().invoke(app, ["replay", *words, "--json"])
    assert answer.exit_code == 0, answer.output
    said = json.loads(answer.output)
    assert [p["name"] for p in said["policies"]] == [said["best"], "never" if said["best"] == "current" else "current"]
    page = Path(said["report"]).read_text()
    assert page.count("data:image/png;base64,") == 3 + page.count('alt="Returns of')
    assert "http" not in page.replace("http-equiv", "")
    assert "<td>region=east</td>" in page and "<h2>Did retraining pay?</h2>" in page
    by_name = CliRunner().invoke(app, ["replay", APP, *words[1:], "--configs", str(tmp_path), "--json"])
    assert by_name.exit_code == 0 and json.loads(by_name.output) == said
    refused = CliRunner().invoke(app, ["replay", *words[:4], "--label", "value"])
    assert refused.exit_code == 1 and "no --event-time" in refused.output
