"""The commands of the evaluation store as people type them, on a real log, store and MLflow: what they print is what
the API answers."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pandas as pd
import pytest
from cli_world import cli, env_of
from flow_loans import ROWS, day, days
from flow_world import Stages, World

from continual.api import Application
from continual.core.estimate import Estimate
from continual.core.window import Window
from continual.flows import settle
from continual.stores.evaluations import Evaluation

pytestmark = pytest.mark.integration
WINDOW = ("--window", "2024-01-13..2024-01-23")
PNG, SVG = b"\x89PNG", b"<?xml"


GUIDES = Path(__file__).parents[2] / "docs" / "how-to"


def _blocks(name: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (GUIDES / name).read_text(encoding="utf-8"), re.S)


def data(world: World, *arguments: str) -> Any:
    return json.loads(cli(world, *arguments, "--json").stdout)


def refused(world: World, *arguments: str) -> str:
    answer = cli(world, *arguments, code=1)
    assert [line.split(":")[0].strip() for line in answer.stderr.splitlines()] == ["Error", "Got", "Do"]
    assert answer.stdout == ""
    return answer.stderr


def _api(world: World) -> Application:
    return Application.of(world.ws())


def _same(printed: list[dict[str, Any]], frame: pd.DataFrame) -> None:
    """Printed JSON holds the frame: the same columns, rows and numbers."""
    found = pd.DataFrame(printed, columns=list(frame.columns))
    numbers = frame.select_dtypes("number").columns
    words = [name for name in frame.columns if name not in numbers]
    pd.testing.assert_frame_equal(found[numbers].astype(float), frame[numbers].astype(float), rtol=1e-12)
    assert found[words].astype(str).values.tolist() == frame[words].astype(str).values.tolist()


def test_metrics_are_those_of_the_api_in_json_and_in_the_table(stages: Stages) -> None:
    world = stages("judged")
    frame = _api(world).metrics(days(12, 22))
    _same(data(world, "metrics", "loans", *WINDOW), frame)
    shown = cli(world, "metrics", *WINDOW, "--slice", "startups", "--metric", "brier").stdout
    value = frame.set_index(["slice", "metric"])["value"]["startups", "brier"]
    assert f"{value:.3f}" in shown and "startups" in shown and "roc_auc" not in shown
    assert "2024-01-13..2024-01-23Z" in shown


def test_a_day_by_itself_is_that_of_the_api(stages: Stages) -> None:
    world = stages("judged")
    frame = _api(world).daily(days(12, 15), slices=["overall"], metrics=["brier"])
    found = data(world, "metrics", "--daily", "-w", "2024-01-13..2024-01-16", "-m", "brier")
    _same(found, frame)
    assert [row["day"] for row in found] == ["2024-01-13", "2024-01-14", "2024-01-15"]


def test_the_default_window_is_the_last_matured_days_of_what_is_known(stages: Stages) -> None:
    """History that is played back is asked as it was known: nothing here is of the day the test runs."""
    world = stages("judged")
    newest = _api(world).as_of
    assert newest == day(24)
    assert "as known 2024-01-25 00:00Z" in cli(world, "metrics", "-w", "5d", "-s", "overall").stdout
    earlier = cli(world, "labels", "-w", "5d", "--as-of", "2024-01-20").stdout
    assert earlier.startswith("loans, 2024-01-14..2024-01-19Z, as known 2024-01-20 00:00Z")


def test_two_versions_are_scored_and_compared(stages: Stages) -> None:
    world = stages("judged")
    window = ("--window", "2024-01-20..2024-01-24")
    assert "continual score" in refused(world, "compare", "2", "1", *window)
    assert data(world, "score", "2", *window)["rows"] == 4 * ROWS
    assert data(world, "score", "2", *window)["rows"] == 0
    found = data(world, "compare", "2", "1", *window)
    _same(found, _api(world).compare("2", "1", days(19, 23)))
    plot = world.home / "forest.svg"
    shown = cli(world, "compare", "2", "1", *window, "-m", "brier", "--plot", str(plot)).stdout
    gain = next(row["gain"] for row in found if (row["slice"], row["metric"]) == ("overall", "brier"))
    assert f"{gain:+.3f}" in shown and gain > 0
    assert plot.read_bytes().startswith(SVG)
    assert "--metric" in cli(world, "compare", "2", "1", *window, "--plot", str(plot), code=2).stderr


def test_slices_labels_and_drift_are_those_of_the_api(stages: Stages) -> None:
    world = stages("judged")
    api = _api(world)
    _same(data(world, "slices", "list", *WINDOW), api.slices(days(12, 22)).astype({"parent": object}))
    told = data(world, "labels", *WINDOW)
    _same(told["slices"], api.labels(days(12, 22)))
    assert told["delay"]["depends"] is api.label_delay(days(12, 22)).depends
    reference = "2024-01-03..2024-01-08"
    found = data(world, "drift", *WINDOW, "--reference", reference, "-c", "income", "-d", "ks", "-s", "startups")
    kinds = {"columns": ["income"], "distances": ["ks"], "slice_name": "startups"}
    _same(found, api.drift(days(12, 22), reference, **kinds))
    assert "against 2024-01-03..2024-01-08Z" in cli(world, "drift", *WINDOW, "--reference", reference).stdout


def test_a_weak_slice_is_found_and_can_be_pasted_into_the_policy(stages: Stages) -> None:
    """Before `bureau` told anything, startups whose sign is turned afterwards are what the model gets wrong."""
    world = stages("judged")
    found = data(world, "slices", "discover", *WINDOW, "--literals", "1")
    again = _api(world).discover(days(12, 22), literals=1)
    assert [item["predicate"] for item in found] == [item.predicate for item in again]
    weak = next(item for item in found if item["confirmed"])
    assert weak["low"] > 0 and "bureau" in weak["predicate"]
    world.edit("slices:\n", "slices:\n  " + weak["yaml"].replace("\n", "\n  ").rstrip() + "\n")
    assert weak["name"] in {row["slice"] for row in data(world, "metrics", *WINDOW)}


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (["metrics"], "heat.png"),
        (["metrics", "--daily", "--metric", "brier"], "days.png"),
        (["labels"], "lag.svg"),
        (["drift", "--reference", "2024-01-03..2024-01-13", "--distance", "l1"], "drift.png"),
    ],
    ids=["metrics", "daily", "labels", "drift"],
)
def test_pictures_are_drawn_and_json_stays_json(stages: Stages, arguments: list[str], name: str) -> None:
    world = stages("judged")
    path = world.home / "plots" / name
    data(world, *arguments, *WINDOW, "--plot", str(path))
    assert path.read_bytes().startswith(PNG if path.suffix == ".png" else SVG)
    assert path.stat().st_size > 5_000


def test_what_cannot_be_answered_says_what_can(stages: Stages) -> None:
    world = stages("judged")
    nowhere = refused(world, "metrics", "--window", "2025-01-01..2025-02-01")
    assert "there are rows of 2024-01-01 to 2024-01-24" in nowhere
    proposed = re.search(r"--window (\S+)\.\n?$", nowhere)
    assert proposed is not None
    cli(world, "metrics", "--window", proposed[1])
    for command in ("labels", "drift"):
        assert "there are rows of 2024-01-01" in refused(world, command, "--window", "2025-01-01..2025-02-01")
    assert "2023-12" in refused(world, "drift", "--window", "2024-01-01..2024-01-05")  # nothing to compare with
    assert "not one row of loans was known" in refused(world, "slices", "list", "--as-of", "2023-01-01")
    assert "Known kinds: earth_mover, ks" in refused(world, "drift", *WINDOW, "-d", "mars")
    assert "roc_auc, brier" in refused(world, "metrics", *WINDOW, "-m", "f2")
    assert "startups" in refused(world, "metrics", *WINDOW, "-s", "mars")
    assert "none of 9" in refused(world, "metrics", *WINDOW, "-v", "9")
    assert "28d" in refused(world, "metrics", "--window", "a while")
    assert "did you mean loans" in refused(world, "metrics", "laons")


def test_cells_are_built_ahead_once(stages: Stages) -> None:
    world = stages("judged")
    window = ("--window", "2024-01-13..2024-01-15")
    assert data(world, "cells", "build", *window)["days"] == ["2024-01-13", "2024-01-14"]
    assert "up to date" in cli(world, "cells", "build", *window).stdout


def test_erased_rows_leave_the_numbers_and_mark_those_made_before(stages: Stages, tmp_path: Path) -> None:
    world, window = stages("judged"), days(12, 14)
    ws = world.ws()
    then = Estimate(0.2, 0.1, 0.3, 2 * ROWS, 2 * ROWS, "by hand")
    ws.evaluations.write(
        [Evaluation("monitor", w, day(20), "live", "overall", "brier", then) for w in (window, days(14, 16))]
    )
    (tmp_path / "keys").write_text("012-0000\n012-0001\n\n")
    request = ("data", "erase", "loans", "--keys", str(tmp_path / "keys"), "--reason", "request 7")
    foretold = data(world, *request, "--dry-run")
    assert (foretold["rows"]["predictions"], foretold["days"]) == (2, {"2024-01-13": 2})
    assert data(world, "data", "list") == []
    assert "deleted 2 predictions" in cli(world, *request).stdout
    (listed,) = data(world, "data", "list", "loans")
    assert (listed["day"], listed["n_rows"], listed["kind"]) == ("2024-01-13", 2, "erase")
    after = _api(world).metrics(window)
    assert set(after["erased"]) == {2}
    assert after.set_index("slice")["n"]["overall"].tolist() == [2 * ROWS - 2] * 2
    daily = _api(world).daily(window, slices=["overall"], metrics=["brier"])
    assert daily[["day", "erased"]].values.tolist() == [[date(2024, 1, 13), 2], [date(2024, 1, 14), 0]]
    assert "2 rows of this window were erased" in cli(world, "metrics", "-w", "2024-01-13..2024-01-15").stdout
    marked = _api(world).evaluations(purpose="monitor")
    assert marked["erased"].tolist() == [2, 0]
    assert marked["value"].tolist() == [0.2, 0.2]
    assert "no row of loans" in refused(world, "data", "erase", "--key", "nobody", "--reason", "x")
    assert "012-0000" not in cli(world, "ledger", "show", "--json").stdout


def test_expired_days_count_back_from_what_is_known_and_their_cells_are_built_before_they_go(stages: Stages) -> None:
    world = stages("judged")  # known until day 24
    asked = Window(day(3), day(8))
    request = ("data", "expire", "loans", "--older-than", "18", "--reason", "retention")
    assert "on 6 days" in cli(world, *request, "--dry-run").stdout
    assert "on 6 days" in cli(world, *request).stdout
    assert {row["kind"] for row in data(world, "data", "list")} == {"retention"}
    found = _api(world).metrics(asked, metrics=["brier"], slices=["overall"])
    assert found[["n", "erased"]].values.tolist() == [[5 * ROWS, 0]]
    with_slice = world.config.read_text().replace("slices:\n", "slices:\n  - {name: rich, where: income > 60}\n", 1)
    world.config.write_text(with_slice)  # of which no cell of the old days knows
    later = _api(world).metrics(asked, metrics=["brier"], slices=["overall"])
    assert later[["n", "erased"]].values.tolist() == [[2 * ROWS, 3 * ROWS]]


def test_the_exporter_answers_a_scrape_and_ends_on_an_interrupt(stages: Stages) -> None:
    world = stages("judged")
    command = [sys.executable, "-m", "continual.cli", "exporter", "loans", "--port", "0"]
    process = subprocess.Popen(
        command, env={**os.environ, **env_of(world)}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        first = process.stdout.readline()
        found = re.search(r"http://127\.0\.0\.1:\d+/metrics", first)
        assert found is not None, first
        with urlopen(found[0], timeout=20) as answer:
            text = answer.read().decode()
        assert 'app="loans"' in text or 'application="loans"' in text
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
        assert process.stderr is not None and "Traceback" not in process.stderr.read()
    finally:
        process.kill()


def test_a_taken_port_is_said(stages: Stages) -> None:
    world = stages("judged")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert "--port" in refused(world, "exporter", "--port", port)


def test_the_python_session_and_the_query_of_the_guide_work_as_written(
    stages: Stages, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    world = stages("judged")
    for name, value in env_of(world).items():
        monkeypatch.setenv(name, value)
    ws = world.ws()
    settle.measure(ws, days(23, 24), day(24))
    [code], said = _blocks("metrics.md", "python"), dict[str, Any]()
    exec(compile(code, "metrics.md", "exec"), said)
    assert "startups" in capsys.readouterr().out
    assert len(said["frame"]) == 4
    assert said["known_then"]["n_labelled"][0] < said["known_now"]["n_labelled"][0]
    assert len(said["by_day"]) and len(said["on_record"]) and said["moved"]["value"].notna().all()
    [query] = _blocks("metrics.md", "sql")
    with sqlite3.connect(world.home / "store" / "continual.db") as connection:
        rows = pd.read_sql_query(query, connection)
    assert {"roc_auc", "brier"} == set(rows["metric"])
    assert not rows.duplicated(["window_start", "window_end", "slice", "metric"]).any()
