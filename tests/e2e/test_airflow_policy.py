"""An invalid edit of a policy is shown by Airflow; the last good policy stays in force, other applications too."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from deployment import NAMES, Deployment
from lender import Lender
from loans import days

pytestmark = pytest.mark.e2e
GOOD, BAD = "floor: 0.6}", "floor: high}"


@pytest.fixture(scope="module")
def lender(deployment: Deployment) -> Lender:
    """Version 1 since day 10."""
    return deployment.lender("edited").past(10)


@pytest.fixture(scope="module")
def error(deployment: Deployment, lender: Lender) -> Iterator[str]:
    """Somebody mistypes the floor; what Airflow shows then."""
    good = lender.config.read_text(encoding="utf-8")
    lender.edit(GOOD, BAD)
    yield deployment.until("the import error", lambda: deployment.airflow.import_errors().get("config_errors.py"))
    lender.config.write_text(good, encoding="utf-8")


def test_s50_airflow_shows_file_line_field_and_remedy(deployment: Deployment, lender: Lender, error: str) -> None:
    assert set(deployment.airflow.import_errors()) == {"config_errors.py"}
    line = lender.config.read_text(encoding="utf-8").splitlines().index(next(_lines_with(lender, BAD))) + 1
    last = error.strip().splitlines()[-1]
    assert f'edited.yaml, line {line}, field metrics.0.floor = "high"' in last
    assert "correct edited.yaml (its last good policy stays in force)" in last


def _lines_with(lender: Lender, text: str) -> Iterator[str]:
    return (line for line in lender.config.read_text(encoding="utf-8").splitlines() if text in line)


def test_s50_the_last_good_policy_acts_and_stands_in_the_ledger(
    deployment: Deployment, lender: Lender, error: str
) -> None:
    before = lender.ws().ledger.last()
    assert before is not None
    lender.deliver(10, 12)
    run = deployment.run("edited.ingest", days(10, 12))
    deployment.idle("edited")
    assert deployment.airflow.xcom(run.dag_id, run.run_id, "validate", "policy") == before.policy_hash
    decided = lender.ws().ledger.last("trigger")
    assert decided is not None
    assert decided.seq > before.seq
    assert decided.policy_hash == before.policy_hash


def test_s50_other_applications_are_not_affected(deployment: Deployment, error: str) -> None:
    steady = deployment.lender("steady")
    steady.deliver(0, 1)
    deployment.run("steady.ingest", days(0, 1))
    assert steady.rows()["predictions"] == 200
    alive = {dag["dag_id"] for dag in deployment.airflow.dags() if not dag["is_paused"]}
    assert alive >= {f"{app}.{name}" for app in deployment.apps for name in NAMES}


def test_s50_after_the_repair_the_error_disappears(deployment: Deployment, lender: Lender, error: str) -> None:
    assert deployment.airflow.import_errors()
    lender.edit(BAD, GOOD)
    deployment.until("no import error", lambda: not deployment.airflow.import_errors())
