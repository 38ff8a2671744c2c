"""Dataset versions: shown, verified against Iceberg, compared, exported, gone back to; inputs of runs in MLflow."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pandas as pd
import pytest
from flow_loans import applications, day, days
from flow_world import Stages, World, refused
from typer.testing import CliRunner

from continual.api import Application
from continual.cli.main import app
from continual.errors import ContinualError, Skipped, StoreError
from continual.flows import curate, dataset_pin, train, withdraw
from continual.flows.dataset_query import effective_size
from continual.flows.log_rows import log_table
from continual.flows.withdrawn_rows import Rows

pytestmark = pytest.mark.integration


def _of(world: World, version: str) -> str:
    found = world.ws().versions.get(version).dataset_id
    assert found is not None
    return found


def _cli(world: World, *arguments: str, code: int = 0) -> str:
    env = {
        "CONTINUAL_HOME": str(world.home),
        "CONTINUAL_CONFIGS": str(world.settings.configs),
        "MLFLOW_TRACKING_URI": world.settings.tracking_uri,
        "COLUMNS": "160",
    }
    answer = CliRunner().invoke(app, [*arguments], env=env)
    assert answer.exit_code == code and "Traceback" not in answer.output, answer.output
    return answer.output


def test_a_dataset_says_how_it_was_made_what_is_in_it_and_what_came_of_it(stages: Stages) -> None:
    world = stages("promoted")
    asked = Application.of(world.ws())
    listed = asked.datasets().set_index("id")
    assert listed["versions"].tolist() == [["1"], ["2"]] and listed["champion"].tolist() == [False, True]
    shown = asked.dataset(_of(world, "2")[:10])
    rows = asked.dataset_rows(_of(world, "2"))
    assert shown["rows"] == len(rows) == shown["effective_sample_size"]  # a uniform draw of all
    by_name = {s["slice"]: s for s in shown["slices"]}
    assert by_name["startups"]["rows"] == (rows["sector"] == "startup").sum()
    assert by_name["overall"]["label_mean"] == pytest.approx(rows["label"].mean())
    per_day = rows["event_time"].dt.dayofyear.value_counts()
    assert {f["batch"]: f["rows"] for f in shown["files"]} == {f"p{d - 1}": n for d, n in per_day.items()}
    assert [v["version"] for v in shown["versions"]] == ["2"]
    assert [(v["version"], v["answer"]) for v in shown["verdicts"]] == [("2", "promote")]
    said = _cli(world, "dataset", "show", _of(world, "2")[:10])
    assert "startups" in said and "2 (champion)" in said
    assert json.loads(_cli(world, "dataset", "list", "--json"))[1]["versions"] == ["2"]
    refused(lambda: asked.dataset("ffffffffffff"), StoreError, "no such dataset version")


def test_drawn_rows_count_for_less_than_their_number() -> None:
    frame = pd.DataFrame({"probability": [1.0, 1.0, 0.1, 0.1]})
    assert effective_size(frame) == pytest.approx(22**2 / 202)
    assert effective_size(frame.assign(sample_weight=2.0)) == pytest.approx(4.0)
    assert effective_size(frame[[]]) == 4.0


def test_the_rows_come_out_of_iceberg_again_whatever_came_since(stages: Stages) -> None:
    world = stages("promoted")
    dataset, asked = _of(world, "2"), Application.of(world.ws())
    assert asked.dataset_verify(dataset).data["reproduced"]
    ws = world.ws()  # a correction that says it was known long ago, and the rows withdrawn: neither was seen then
    row = asked.dataset_rows(dataset).iloc[0]
    late = pd.DataFrame(
        {"record_key": [row["record_key"]], "value": [1 - row["label"]], "source": ["a"], "known_at": [day(20)]}
    )
    ws.log.append_labels(log_table(ws.policy, "labels", late, "late", day(20)), "late")
    withdraw.withdraw(ws, withdraw.find(ws, Rows(window=days(12, 16))), "broken", "ann")
    assert asked.dataset_verify(dataset).data["reproduced"]
    assert "reproduced" in _cli(world, "dataset", "show", dataset[:8], "--verify")


def test_a_log_that_was_changed_behind_its_back_is_noticed(stages: Stages) -> None:
    world = stages("promoted")
    dataset, ws = _of(world, "2"), world.ws()
    rows = ws.datasets.load(dataset)
    spec = ws.datasets.get(dataset).spec
    forged = rows.assign(income=rows["income"].where(rows.index != 3, 9.0))
    other = ws.datasets.save(spec, forged)
    found = Application.of(ws).dataset_verify(other.id)
    assert not found.data["reproduced"] and found.data["differing"] == {"income": 1}
    assert "NOT reproduced" in _cli(world, "dataset", "show", other.id[:10], "--verify", code=1)


def test_two_datasets_differ_by_rows_labels_and_distributions(stages: Stages, tmp_path: Path) -> None:
    world = stages("promoted")
    first, second = _of(world, "1"), _of(world, "2")
    asked, ws = Application.of(world.ws()), world.ws()
    found = asked.dataset_diff(first, second)
    keys = [set(asked.dataset_rows(d)["record_key"]) for d in (first, second)]
    assert (found.added, found.removed) == (len(keys[1] - keys[0]), len(keys[0] - keys[1]))
    rows = ws.datasets.load(second)
    turned = rows.assign(label=rows["label"].where(rows.index > 4, 1 - rows["label"]), income=rows["income"] + 3)
    other = ws.datasets.save(ws.datasets.get(second).spec, turned.iloc[:-7])
    found = asked.dataset_diff(second, other.id)
    assert (found.added, found.removed, found.relabelled, found.changed) == (0, 7, 5, len(rows) - 7)
    drift = found.drift[found.drift["distance"] == "l1"].set_index("column")
    assert drift.loc["income", "low"] > 1 and drift.loc["bureau", "value"] < 0.05
    picture = tmp_path / "d.png"
    said = _cli(world, "dataset", "diff", second[:10], other.id[:10], "--plot", str(picture))
    assert "relabelled" in said and "moved" in said and picture.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("form", ["parquet", "csv"])
def test_an_export_is_whole_described_and_safe_to_repeat(stages: Stages, tmp_path: Path, form: str) -> None:
    world = stages("promoted")
    dataset, out = _of(world, "2"), tmp_path / "out"
    _cli(world, "dataset", "export", dataset[:10], "--out", str(out), "--format", form)
    assert sorted(os.listdir(out)) == ["manifest.json", f"rows.{form}"] and os.listdir(tmp_path) == ["out"]
    manifest = json.loads((out / "manifest.json").read_text())
    read = pd.read_csv if form == "csv" else pd.read_parquet
    assert len(read(out / f"rows.{form}")) == manifest["rows"] and manifest["dataset"] == dataset
    before = (out / "manifest.json").stat().st_mtime_ns
    _cli(world, "dataset", "export", dataset[:10], "--out", str(out), "--format", form)
    assert (out / "manifest.json").stat().st_mtime_ns == before
    (out / f"rows.{form}").write_bytes(b"other")
    asked = Application.of(world.ws())
    refused(lambda: asked.dataset_export(dataset, out, form), ContinualError, "holds something else")  # type: ignore[arg-type]


def test_going_back_to_a_dataset_gives_the_same_candidate_and_once(stages: Stages) -> None:
    world = stages("promoted")
    first = _of(world, "1")
    dataset_pin.pin(world.ws(), first, "July was broken", "ann")
    assert dataset_pin.pin(world.ws(), first[:9], "again", "ann").data["why"] == "July was broken"
    assert Application.of(world.ws()).datasets()["pinned"].tolist() == [True, False]
    made = curate.curate(world.ws(), day(25), "test")
    assert made.data["dataset"] == first and "pinned by ann" in made.reason
    again = train.train(world.ws(), first, made.data["trainers"][0])
    assert again.data["version"] == "1" and "trained on this dataset already" in again.reason
    assert curate.curate(world.ws(), day(25), "test").data == made.data
    assert curate.curate(world.ws(), day(26), "test").data["dataset"] != first
    kinds = [e.kind for e in world.ws().ledger.entries(newest_first=True, limit=3)]
    assert kinds == ["retrain", "retrain", "dataset_pin"]


def test_a_pin_can_be_taken_back_and_is_refused_where_rows_are_out_of_use(stages: Stages) -> None:
    world = stages("promoted")
    first, second = _of(world, "1"), _of(world, "2")
    dataset_pin.pin(world.ws(), first, "why", "ann")
    dataset_pin.unpin(world.ws(), "not needed", "ben")
    assert curate.curate(world.ws(), day(25), "test").data["dataset"] not in (first, second)
    refused(lambda: dataset_pin.unpin(world.ws(), "again", "ben"), Skipped, "none waits")
    dataset_pin.pin(world.ws(), second, "why", "ann")
    ws = world.ws()
    made = withdraw.withdraw(ws, withdraw.find(ws, Rows(window=days(12, 13))), "broken", "ann").data
    refused(lambda: curate.curate(world.ws(), day(27), "test"), Skipped, "are withdrawn")
    refused(lambda: dataset_pin.pin(world.ws(), second, "why", "ann"), Skipped, "are withdrawn")
    withdraw.restore(world.ws(), made["withdrawal"], "right", "ann")
    assert curate.curate(world.ws(), day(27), "test").data["dataset"] == second


def test_mlflow_shows_the_dataset_as_input_by_its_own_digest(stages: Stages) -> None:
    world = stages("promoted")
    version, dataset = world.registry.version("2"), _of(world, "2")
    (found,) = world.registry.client.get_run(version.run_id).inputs.dataset_inputs
    tags = {tag.key: tag.value for tag in found.tags}
    assert dataset.startswith(found.dataset.digest) and len(found.dataset.digest) >= 8
    assert found.dataset.name == f"loans-{dataset[:8]}" and tags["mlflow.data.context"] == "training"
    assert tags["continual.dataset"] == dataset and "predictions" in tags["continual.snapshots"]
    assert json.loads(found.dataset.source)["uri"].endswith(f"{dataset}.parquet")
    columns = [c["name"] for c in json.loads(found.dataset.schema)["mlflow_colspec"]]
    assert {"income", "label"} <= set(columns) and applications(0).columns[0] in columns
