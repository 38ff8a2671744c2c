"""Which home, which policies, which services; and errors in three sentences on stderr."""

from __future__ import annotations

import fcntl
import json

import pytest
from typer.testing import CliRunner

from continual.cli.deployment import deployment, stack_runs
from continual.cli.main import app
from continual.cli.options import instant
from continual.cli.output import print_error, shown
from continual.errors import ContinualError


@pytest.fixture
def home(tmp_path, flights_text, monkeypatch):
    for name in ("MLFLOW_TRACKING_URI", "CONTINUAL_AIRFLOW_URL", "CONTINUAL_HOME", "CONTINUAL_CONFIGS"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "flights.yaml").write_text(flights_text)
    return tmp_path


def run(*arguments):
    return CliRunner().invoke(app, [*map(str, arguments)])


def test_policies_lie_in_the_home_unless_said_otherwise(home, monkeypatch):
    assert deployment(home, None).settings.configs == home / "configs"
    assert deployment(home, home).settings.configs == home
    monkeypatch.chdir(home)
    assert deployment(home / "other", None).settings.configs == home / "configs"


def test_an_application_is_found_or_the_nearest_is_suggested(home):
    here = deployment(home, None)
    assert here.applications() == here.applications(["flights"]) == ["flights"]
    assert here.application(None) == "flights"
    with pytest.raises(ContinualError, match=r"'flihgts'.*did you mean flights\? Known: flights"):
        here.application("flihgts")


def test_with_several_applications_one_must_be_named(home):
    (home / "configs" / "bikes.yaml").write_text("")
    with pytest.raises(ContinualError, match=r"bikes, flights.*--app bikes"):
        deployment(home, None).application(None)
    assert deployment(home, None).application("flights") == "flights"


def test_an_application_whose_file_is_gone_is_known_by_its_last_good_policy(home):
    (home / "policies" / "bikes").mkdir(parents=True)
    assert deployment(home, None).applications() == ["bikes", "flights"]


def test_services_are_those_of_the_stack_that_runs_on_this_home(home, monkeypatch):
    (home / "ports.json").write_text(json.dumps({"airflow": 8123, "mlflow": 5123}))
    (home / "stack.lock").touch()
    assert not stack_runs(home)
    assert deployment(home, None).settings.tracking_uri != "http://127.0.0.1:5123"  # may be another home's by now
    with (home / "stack.lock").open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert stack_runs(home)
        assert deployment(home, None).settings.tracking_uri == "http://127.0.0.1:5123"
        assert deployment(home, None).settings.airflow_url == "http://127.0.0.1:8123"
        monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://mlflow.example")
        assert deployment(home, None).settings.tracking_uri == "http://mlflow.example"


@pytest.mark.parametrize(
    "command",
    [
        ["status"],
        ["db", "check"],
        ["ledger", "verify"],
        ["quarantine", "list"],
        ["quarantine", "replay", "abc"],
        ["quarantine", "release", "1", "--reason", "x"],
    ],
    ids=" ".join,
)
def test_a_misspelt_home_is_an_error_and_stays_away(home, command):
    missing = home / "no-such-home"
    answer = run(*command, "--home", missing, "--configs", home / "configs")
    assert answer.exit_code == 1
    assert answer.stdout == ""
    assert [line.split(":")[0].strip() for line in answer.stderr.splitlines()] == ["Error", "Got", "Do"]
    assert "`continual up`" in answer.stderr
    assert not missing.exists()


def test_no_policy_at_all_is_an_error(tmp_path):
    answer = run("check", "--home", tmp_path, "--configs", tmp_path)
    assert answer.exit_code == 1
    assert f"none in {tmp_path}" in answer.stderr


@pytest.mark.parametrize("name", ["retrain", "rollback"])
def test_without_a_local_stack_a_run_is_not_started_but_explained(home, name):
    answer = run(name, "flights", "--reason", "it's late", "--as-of", "2013-08-01", "--home", home)
    assert answer.exit_code == 1
    assert f"airflow dags trigger flights.{name} --conf " in answer.stderr
    assert '"as_of": "2013-08-01T00:00:00+00:00"' in answer.stderr


def test_problems_of_several_fields_take_a_line_each(capsys):
    print_error(ContinualError("All must be [right].", "a | b", "correct a | correct b"))
    assert capsys.readouterr().err.splitlines() == [
        "Error: All must be [right].",
        "  Got: a",
        "       b",
        "  Do: correct a",
        "      correct b",
    ]


def test_instants_without_a_zone_are_utc():
    assert instant("2013-08-01").isoformat() == "2013-08-01T00:00:00+00:00"
    assert instant("2013-08-01T02:00+02:00").isoformat() == "2013-08-01T00:00:00+00:00"


def test_values_are_shown_for_people():
    assert [shown(v) for v in (None, "", 0, 1001, True, instant("2013-08-01"))] == [
        "-", "-", "0", "1,001", "True", "2013-08-01 00:00Z",
    ]  # fmt: skip
