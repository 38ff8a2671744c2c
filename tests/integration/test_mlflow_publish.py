"""What a person finds in MLflow after a verdict, read through MLflow's own client."""

from __future__ import annotations

from pathlib import Path

import pytest
from flow_loans import APP, day
from flow_world import Stages, World

from continual.flows import judge, verify
from continual.flows.publish import report_page

pytestmark = pytest.mark.integration
RUN = "loans.retrain manual__2024-01-24T00:00:00+00:00 judge"


@pytest.fixture
def world(stages: Stages) -> World:
    made = stages("champion")
    found = made.judged(day(24))
    judge.judge(made.ws(RUN), found["verdict"].removeprefix("verdict:"))
    return made


def test_a_judged_version_says_all_of_it_and_links_to_the_run(world: World) -> None:
    version = world.registry.version("2")
    tags, known = version.tags, world.ws().versions.get("2")
    assert tags["continual.verdict"] in ("promote", "reject", "need_labels")
    assert tags["continual.reason"] and tags["continual.judged_against"] == "1"
    assert tags["continual.dataset"] == known.dataset_id
    assert tags["continual.window"] == str(known.trained)
    assert tags["continual.policy"] == tags["continual.judging_policy"] == world.ws().loaded.hash
    link = "http://127.0.0.1:8080/dags/loans.retrain/runs/manual__2024-01-24T00%3A00%3A00%2B00%3A00"
    assert tags["continual.airflow_run"] == link
    assert version.description.startswith("## ") and f"]({link})" in version.description


def test_the_report_is_there_as_text_page_and_picture(world: World) -> None:
    client, run = world.registry.client, world.registry.version("2").run_id
    files = {f.path: f.file_size for f in client.list_artifacts(run)}
    assert {"gate_report.md", "gate_report.html", "gate_report.png"} <= set(files)
    page = client.download_artifacts(run, "gate_report.html")
    text = Path(page).read_text(encoding="utf-8")
    assert "<table>" in text and 'src="data:image/png;base64,' in text and "<script" not in text
    assert Path(client.download_artifacts(run, "gate_report.png")).read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


def test_text_of_the_data_stays_text_in_the_report() -> None:
    page = report_page("<b>", "| slice |\n|---|\n| <img src=x onerror=alert(1)> [a](javascript:alert(1)) |", None)
    assert "<img" not in page and "&lt;img" in page and "<title>&lt;b&gt;" in page
    assert 'href="javascript' not in page


def test_slices_have_metrics_of_one_name_in_every_version(world: World) -> None:
    client = world.registry.client
    names = [set(client.get_run(world.registry.version(v).run_id).data.metrics) for v in ("1", "2")]
    assert "roc_auc/overall" in names[0] and names[0] == names[1]
    assert any("=" not in name and "region" in name for name in names[0])


def test_champions_are_a_metric_over_reigns_written_once(world: World) -> None:
    client = world.registry.client
    for _ in range(2):
        verify.verify(world.ws(), day(24))
    experiment = client.get_experiment_by_name(APP)
    [run] = client.search_runs([experiment.experiment_id], "tags.`continual.history` = 'champion history'")
    points = client.get_metric_history(run.info.run_id, "champion_version")
    assert [(p.step, p.value) for p in points] == [(r.seq, float(r.version)) for r in world.ws().champions.read()]
    [auc] = client.get_metric_history(run.info.run_id, "champion_roc_auc")
    assert 0.5 < auc.value <= 1
