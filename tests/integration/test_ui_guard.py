"""Who may see the pages, asked of Airflow's own API application with its own tokens and an auth manager that denies."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from flow_loans import APP
from ui_world import BASE, fill, settings_of

from continual.local.environment import build_environment
from continual.local.home import Home
from continual.local.ports import Ports

pytestmark = pytest.mark.integration
HERE = Path(__file__).parent
ROOT = HERE.parents[1]
OWN = [
    f"{BASE}/slices", f"{BASE}/slices/history", f"{BASE}/verdict", f"{BASE}/timeline?window=2024-01-01..2024-01-13",
    f"{BASE}/ledger", f"{BASE}/ledger/1", f"{BASE}/ledger/1/evidence.json", f"{BASE}/run?dag_id=loans.retrain&run_id=r",
    "/continual/tab/slices?dag_id=loans.monitor", "/continual/tab/run?dag_id=loans.retrain&run_id=run-1",
]  # fmt: skip
ROWS = f"{BASE}/slices/rows?window=2024-01-01..2024-01-02"
HOME = "/continual/"
FOREIGN = "/continual/tab/slices?dag_id=other.dag"
UNKNOWN = "/continual/apps/nobody/slices"
GUARDED = [*OWN, ROWS, HOME, FOREIGN, UNKNOWN]
Answers = dict[str, dict[str, list[object]]]


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Answers:
    root = tmp_path_factory.mktemp("guard")
    fill(settings_of(root))
    home = Home(root)
    home.create()
    env = build_environment(home, Ports(8080, 5000), ROOT / "dags", None, root / "configs")
    env |= {
        "PYTHONPATH": os.pathsep.join([env["PYTHONPATH"], str(HERE)]),
        "AIRFLOW__CORE__AUTH_MANAGER": "ui_guard.SelectiveAuthManager",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": "viewer:viewer,stranger:viewer,clerk:viewer",
    }
    _run([sys.executable, "-m", "airflow", "db", "migrate"], env)
    said = _run([sys.executable, str(HERE / "ui_guard.py"), *GUARDED, "/continual/static/pages.css"], env)
    _check_none_forgotten(json.loads(said.rpartition("ROUTES ")[2].splitlines()[0]))
    found: Answers = json.loads(said.rpartition("ANSWERS ")[2])
    return found


def _check_none_forgotten(routes: list[str]) -> None:
    """Every route of the application is asked for by every kind of user."""
    asked = [path.partition("?")[0].removeprefix("/continual") for path in GUARDED]
    free = [route for route in routes if not any(re.match(route, path) for path in asked)]
    assert free == ["^/static/(?P<name>[^/]+)$"]


def _run(command: list[str], env: dict[str, str]) -> str:
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
    return done.stdout


def _status(answers: Answers, user: str, paths: list[str]) -> dict[str, object]:
    return {path: answers[user][path][0] for path in paths}


def test_s60_without_a_login_there_is_no_page(answers: Answers) -> None:
    assert _status(answers, "nobody", GUARDED) == dict.fromkeys(GUARDED, 401)
    assert set(_status(answers, "forger", GUARDED).values()) <= {401, 403}


def test_s60_a_browser_without_a_login_is_sent_there_and_comes_back(answers: Answers) -> None:
    for path in GUARDED:
        status, location, leaks = answers["browser"][path]
        assert (status, leaks) == (303, False), path
        assert str(location).startswith("/auth/login?next=http%3A%2F%2F127.0.0.1%3A8080%2Fcontinual%2F")


def test_s60_a_user_who_may_see_the_dags_sees_the_pages(answers: Answers) -> None:
    assert _status(answers, "viewer", [*OWN, ROWS, HOME, FOREIGN]) == dict.fromkeys([*OWN, ROWS, HOME, FOREIGN], 200)
    assert answers["viewer"][HOME][2]


def test_s60_who_may_not_see_one_dag_of_an_application_sees_none_of_its_pages(answers: Answers) -> None:
    assert _status(answers, "stranger", [*OWN, ROWS]) == dict.fromkeys([*OWN, ROWS], 403)
    assert answers["stranger"][HOME][:1] + answers["stranger"][HOME][2:] == [200, False]


def test_s60_the_rows_need_the_right_to_read_data(answers: Answers) -> None:
    assert answers["clerk"][ROWS][0] == 403
    assert _status(answers, "clerk", OWN) == dict.fromkeys(OWN, 200)


def test_s60_an_application_without_dags_is_nobodys(answers: Answers) -> None:
    assert {answers[user][UNKNOWN][0] for user in ("viewer", "stranger", "clerk")} == {403}
    assert APP not in UNKNOWN
