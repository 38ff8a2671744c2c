"""`continual policy preview` and `tune` on the small lender's recorded decisions and history."""

from __future__ import annotations

import json
from dataclasses import replace

import pandas as pd
import pytest
from flow_loans import APP, POLICY, applications, day
from test_replay_lab import COLUMNS
from typer.testing import CliRunner

from continual.cli.main import app
from continual.policy.load import LoadedPolicy, parse_policy
from continual.replay.contenders import Contender, patched
from continual.replay.lab import Lab
from continual.replay.preview import preview
from continual.replay.sandbox import Sandbox
from continual.replay.table import history_of
from continual.replay.tune import grid, tune
from continual.settings import Settings

pytestmark = pytest.mark.integration


def base(**changes) -> LoadedPolicy:
    return patched(parse_policy(POLICY, f"{APP}.yaml"), changes, f"{APP}.yaml")


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    root = tmp_path_factory.mktemp("decided")
    home = Settings.from_environment({"CONTINUAL_HOME": str(root / "home"), "CONTINUAL_CONFIGS": str(root)})
    table = pd.concat([applications(n) for n in range(34)], ignore_index=True)
    return Lab(history_of(table, base().policy, COLUMNS), root / "lab", home)


@pytest.fixture(scope="module")
def decided(lab: Lab):
    """A ledger of a month: a look a day, a retrain a week."""
    loaded = base(trigger={"every_days": 7})
    contender = Contender("lived", loaded)
    lab.play(contender)
    ws = Sandbox.at(lab.sandbox(contender), lab.folder / "cache", lab.history, loaded, lab.settings)
    shelf = ws.settings.home / "policies" / APP
    shelf.mkdir(parents=True)
    (shelf / f"{loaded.hash}.yaml").write_text(loaded.text)
    yield ws
    ws.db.close()


def test_a_patch_keeps_what_it_does_not_name():
    edited = base(window={"kind": "expanding"}, trigger={"kind": "label_volume", "at_least": 5}).policy
    assert edited.window == base().policy.window.model_copy(update={"kind": "expanding"})
    assert edited.trigger.model_dump() == {"kind": "label_volume", "at_least": 5}


def test_the_policy_that_decided_would_decide_the_same(decided):
    found = preview(decided, decided.policy, last=1000)
    assert {one.kind for one in found} == {"trigger", "verdict", "monitor"}
    assert [one.changed for one in found] == [False] * len(found)


def test_a_faster_schedule_would_have_retrained_earlier(decided):
    edited = base(trigger={"every_days": 5}).policy
    found = preview(decided, edited, last=1000)
    changed = [one for one in found if one.changed]
    assert changed and {(one.kind, one.was, one.would) for one in changed} == {("trigger", "no retrain", "retrain")}
    assert all("due at 5" in one.why for one in changed)
    recorded = {entry.seq: entry for entry in decided.ledger.entries(kind="trigger")}
    ages = [recorded[one.seq].evidence["evidence"] for one in changed]
    assert all((pd.Timestamp(e["as_of"]) - pd.Timestamp(e["last_retrain"])).days in (5, 6) for e in ages)


def test_a_higher_floor_turns_verdicts_and_a_margin_is_taken_as_edited(decided):
    edited = json.loads(json.dumps(base().policy.model_dump(mode="json")["metrics"]))
    edited[0]["floor"] = 0.99
    found = preview(decided, base(metrics=edited).policy, last=1000)
    turned = [one for one in found if one.kind == "verdict" and one.changed]
    assert turned and {one.would for one in turned} == {"reject"}
    assert all(".990" in one.why for one in turned)


def test_what_the_evidence_does_not_hold_is_left_to_a_replay(decided):
    longer = preview(decided, base(trigger={"every_days": 7}, window={"length": "20d"}).policy, last=1000)
    assert {one.changed for one in longer if one.kind == "verdict"} == {None}
    assert all("`window` was another" in one.why for one in longer if one.kind == "verdict")
    assert {one.changed for one in longer if one.kind == "trigger"} == {False}
    other = preview(decided, base(monitor={"alpha": 0.2}, label={"lag": "2d"}).policy, last=1000)
    assert {one.changed for one in other} == {None}
    more = [*base().policy.model_dump(mode="json", exclude_none=True)["slices"], {"by": "sector"}]
    assert "slices were others" in next(
        o.why for o in preview(decided, base(slices=more).policy) if o.kind == "verdict"
    )


def test_tuning_proposes_what_history_shows_and_says_when_it_does_not(lab: Lab, tmp_path):
    """Retraining hardly ever is dear where the world turns at day 10; then nothing is left to win."""
    lazy = base(trigger={"every_days": 1000}, prices={"retrain": 1.0})
    eager = {"every 4 days": {"trigger": {"every_days": 4}}}
    names = list(grid(lazy.policy))
    assert {"every 28 days", "all rows", "when it pays", "better of two windows"} <= set(names)
    paying = base(trigger={"kind": "cost"}, shadow={"every": "28d"}).policy
    assert not {"when it pays", "when it pays, shadow every 28 days"} & set(grid(paying))  # no policy meets itself
    found = tune_with(replace(lab, folder=tmp_path), lazy, eager)
    assert found.changes == eager["every 4 days"]
    assert found.net is not None and found.net.sure and found.net.days < 14
    dear = tune_with(replace(lab, folder=tmp_path), base(trigger={"every_days": 1000}, prices={"retrain": 1e6}), eager)
    assert dear.changes == {} and "keep the policy" in dear.reason


def tune_with(lab: Lab, loaded: LoadedPolicy, candidates):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("continual.replay.tune.grid", lambda _: candidates)
        return tune(lab, loaded)


def test_the_command_previews_a_patch(decided, tmp_path):
    home = decided.settings.home
    (home / "configs").mkdir(exist_ok=True)
    (home / "configs" / f"{APP}.yaml").write_text(decided.loaded.text)
    (tmp_path / "edited.yaml").write_text("trigger: {every_days: 5}\n")
    answer = CliRunner().invoke(
        app, ["policy", "preview", str(tmp_path / "edited.yaml"), "-n", "60", "--home", str(home)]
    )
    assert answer.exit_code == 0, answer.output
    assert "would have changed here" in answer.output and "due at 5" in answer.output
    assert day(0)
