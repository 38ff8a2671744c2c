"""A table of a user's own becomes a valid policy and deliverable days; what cannot be guessed is asked for by name."""

from __future__ import annotations

import json
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from typer.testing import CliRunner

from continual.cli.main import app
from continual.core.target import Target
from continual.errors import ContinualError
from continual.flows.deliver import deliver, rows_of
from continual.flows.new_policy import facts_of, policy_text
from continual.flows.table import guess_columns, read_table
from continual.policy.load import parse_policy

START = datetime(2024, 1, 1, tzinfo=UTC)
ROWS = 600
TRUTHS = {
    "binary": lambda rng: rng.choice(["no", "yes"], ROWS),
    "multiclass": lambda rng: rng.choice(["calm", "storm", "very bad"], ROWS),
    "regression": lambda rng: rng.normal(10, 3, ROWS).round(2),
}


def loans(task: str) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    asked = [START + timedelta(hours=6 * i) for i in range(ROWS)]
    frame = pd.DataFrame({"loan_id": range(ROWS), "asked_at": asked, "income": rng.normal(size=ROWS)})
    frame["home town"] = rng.choice(["east: far", "west"], ROWS)
    frame["new"] = rng.random(ROWS) < 0.5
    frame["outcome"] = TRUTHS[task](rng)
    return frame.assign(closed_at=[t + timedelta(hours=30) for t in asked])


def run(*arguments: str) -> tuple[int, str, str]:
    answer = CliRunner().invoke(app, arguments)
    return answer.exit_code, answer.stdout, answer.stderr


@pytest.mark.parametrize("task", TRUTHS)
def test_what_is_what_is_guessed_and_the_policy_loads(tmp_path: Path, task: str) -> None:
    loans(task).to_parquet(tmp_path / "loans.parquet")
    table = read_table(str(tmp_path / "loans.parquet"))
    found = guess_columns(table, {})
    assert (found.time, found.label, found.known, found.key) == ("asked_at", "outcome", "closed_at", "loan_id")
    assert (found.task, found.lag) == (task, timedelta(hours=30))
    assert (found.numeric, found.categorical) == (("income", "new"), ("home town",))
    text = policy_text(
        "loans", "o'neill: risk # 1", found, facts_of(table, found), "a: b.parquet", START + timedelta(days=150)
    )
    policy = parse_policy(text, "loans.yaml").policy
    assert policy.owner == "o'neill: risk # 1"
    assert policy.features.all == ["home town", "income", "new"]
    assert [s.by for s in policy.slices] == ["home town"]
    assert policy.label.task == task and policy.label.lag == timedelta(hours=30)
    assert policy.primary.floor is not None
    assert policy.active.end is None


def test_a_table_that_ended_long_ago_has_no_scheduled_runs(tmp_path: Path) -> None:
    """A run of today would take all of its history in as known today."""
    loans("binary").to_parquet(tmp_path / "loans.parquet")
    table = read_table(str(tmp_path / "loans.parquet"))
    found = guess_columns(table, {})
    text = policy_text("loans", "me", found, facts_of(table, found), "x", START + timedelta(days=900))
    assert parse_policy(text, "loans.yaml").policy.active.end == START + timedelta(days=150)


def test_the_floor_of_a_regression_is_the_error_of_a_constant(tmp_path: Path) -> None:
    loans("regression").to_csv(tmp_path / "loans.csv", index=False)
    table = read_table(str(tmp_path / "loans.csv"))
    truth = loans("regression")["outcome"]
    scale = (truth - truth.median()).abs().mean()
    assert facts_of(table, guess_columns(table, {})).scale == pytest.approx(scale)


def test_every_row_is_delivered_once_and_what_was_served_stays(tmp_path: Path) -> None:
    path = tmp_path / "loans.parquet"
    loans("binary").to_parquet(path)
    table = read_table(str(path))
    columns = guess_columns(table, {})
    frame = rows_of(table, columns, Target())
    assert frame["value"].sum() == (loans("binary")["outcome"] == "yes").sum()
    noted: list[str] = []
    half, end = START + timedelta(days=75), START + timedelta(days=400)
    first = deliver(frame, tmp_path / "in", Target(), half, None, lambda *a: noted.append(a[2]))
    again = deliver(frame, tmp_path / "in", Target(), half, None, lambda *a: None)
    rest = deliver(frame, tmp_path / "in", Target(), end, lambda rows: (np.full(len(rows), 0.5), "7"), lambda *a: None)
    assert (first.rows, again.files, rest.rows) == (300, 0, 300)
    assert len(noted) == first.files
    served = pd.concat(pd.read_parquet(f) for f in sorted((tmp_path / "in" / "predictions").glob("*.parquet")))
    assert served["record_key"].is_unique and len(served) == ROWS
    assert served["model_version"].isna().sum() == 300 and set(served["model_version"].dropna()) == {"7"}
    labels = pd.concat(pd.read_parquet(f) for f in sorted((tmp_path / "in" / "labels").glob("*.parquet")))
    assert set(labels["record_key"]) == set(served["record_key"])
    joined = served.merge(labels, on="record_key")
    assert ((joined["known_at"] - joined["event_time"]) == timedelta(hours=30)).all()


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"label": "outcom"}, "did you mean outcome?"),
        ({"time": "income", "known": "closed_at"}, "closed_at is before income"),
        ({"task": "regression"}, "use another --task"),
        ({"task": "multiclass", "label": "income"}, "use --task regression"),
        ({"drop": ["income", "home town", "new"]}, "add numbers or names"),
    ],
)
def test_a_table_that_does_not_fit_is_refused(tmp_path: Path, given: dict[str, object], named: str) -> None:
    path = tmp_path / "loans.parquet"
    frame = loans("binary")
    if given.get("time") == "income":
        frame["income"] = frame["closed_at"] + timedelta(days=1)
    frame.to_parquet(path)
    with pytest.raises(ContinualError) as caught:
        guess_columns(read_table(str(path)), given)
    assert named in str(caught.value)


def test_init_from_a_database_writes_policy_and_history_and_never_replaces_a_policy(tmp_path: Path) -> None:
    frame = loans("multiclass")
    stamped = {name: frame[name].dt.strftime("%Y-%m-%dT%H:%M:%S+00:00") for name in ("asked_at", "closed_at")}
    with sqlite3.connect(tmp_path / "bank.db") as connection:
        frame.assign(**stamped).to_sql("loans", connection, index=False)
    here = ["--home", str(tmp_path / "home"), "--configs", str(tmp_path / "configs"), "--yes", "--json"]
    url = f"sqlite:///{tmp_path / 'bank.db'}"
    code, out, err = run("init", "loans", "--from", url, "--table", "loans", "--until", "2024-02-01", *here)
    assert code == 0, err
    assert json.loads(out)["delivered"]["rows"] == 31 * 4
    policy = yaml.safe_load((tmp_path / "configs" / "loans.yaml").read_text())
    assert policy["label"]["classes"] == ["calm", "storm", "very bad"]
    assert "#" in (tmp_path / "configs" / "loans.yaml").read_text()
    code, _, err = run("init", "loans", "--from", url, "--table", "loans", *here)
    assert code == 1 and "--force" in err
    code, _, err = run("init", "rent", "--from", url, "--table", "rents", *here)
    assert code == 1 and "check URL, name and rights" in err


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["init", "Loans", "--from", "x.csv"], "a small letter"),
        (["init", "loans", "--from", "nowhere.csv"], "no such file"),
        (["init", "loans", "--from", "sqlite://"], "add --table"),
        (["init", "loans", "--from", "x.csv", "--lag", "soon"], "must be a number and a unit"),
    ],
)
def test_what_a_new_user_may_mistype_is_named(tmp_path: Path, arguments: list[str], named: str) -> None:
    code, _, err = run(*arguments, "--yes", "--home", str(tmp_path), "--configs", str(tmp_path / "c"))
    assert code in (1, 2) and named in err
    assert "Traceback" not in err
    assert not (tmp_path / "c").exists()
