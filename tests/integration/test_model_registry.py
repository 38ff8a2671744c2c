"""The registry and the artifacts of MLflow: what fails closed, and how it says so."""

from __future__ import annotations

import http.server
import pickle
import shutil
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import flow_kill
import pytest
from flow_loans import day, days
from flow_server import Server
from flow_world import Stages, World, refused, verdict_of

from continual.errors import ModelUnavailable
from continual.flows import curate, evaluate, ingest, monitor, promote, roll_back, settle, train, verify
from continual.flows.serving_check import load_version
from continual.models.artifact import load_model
from continual.models.registry import Registry

pytestmark = pytest.mark.integration


def rest_of(world: World) -> dict[str, object]:
    """The dump; the registry is asked through the server that works."""
    load_model.cache_clear()
    return world.dump()


def test_s26_a_dead_server_is_never_no_champion_and_nothing_is_written(stages: Stages) -> None:
    world = stages("judged")
    dead, before = world.without_mlflow(), rest_of(world)
    dataset = world.ws().versions.get("2").dataset_id
    assert dataset is not None
    candidate = evaluate.Trained("2", "boosting", None)
    request = roll_back.RollbackRequest("1", "x")
    flows = {
        "champion": dead.champion,
        "validate": lambda: ingest.validate(dead.ws(), days(24, 25), day(25)),
        "curate": lambda: curate.curate(dead.ws(), day(25), "x"),
        "train": lambda: train.train(dead.ws(), dataset, "boosting"),
        "evaluate": lambda: evaluate.evaluate(dead.ws(), [candidate], day(25)),
        "promote": lambda: promote.promote(dead.ws(), verdict_of(world)),
        "measure": lambda: settle.measure(dead.ws(), days(24, 25), day(25)),
        "roll back": lambda: roll_back.roll_back(dead.ws(), request, day(25)),
        "verify": lambda: verify.verify(dead.ws(), day(25)),
    }
    for name, flow in flows.items():
        error = refused(flow, ModelUnavailable, "must be readable")
        assert "start or repair MLflow" in error.remedy, name
    assert rest_of(world) == before


class _NotMlflow(http.server.BaseHTTPRequestHandler):
    """Another program on MLflow's port, or a proxy that refuses."""

    answer = (404, "<html>not here</html>")

    def do_GET(self) -> None:
        status, body = self.answer
        self.send_response(status)
        self.end_headers()
        self.wfile.write(body.encode())

    do_POST = do_GET  # noqa: N815

    def log_message(self, *arguments: object) -> None:
        """Quiet."""


@pytest.fixture
def other_program() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _NotMlflow)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


@pytest.mark.parametrize(
    "answer", [(404, "<html/>"), (404, '{"detail": "Not Found"}'), (403, "no"), (500, "oops"), (200, "<html/>")]
)
def test_s26_wrong_answers_of_a_server_are_never_no_champion(other_program: str, answer: tuple[int, str]) -> None:
    _NotMlflow.answer = answer
    refused(Registry(other_program, "loans").champion, ModelUnavailable, "must be readable")


@pytest.mark.parametrize("served", ["2.22.1", "3.0.0", "4.0.0"])
def test_s54_a_server_of_another_version_is_named_before_anything_else(other_program: str, served: str) -> None:
    _NotMlflow.answer = (200, served)
    said = refused(Registry(other_program, "loans").champion, ModelUnavailable, "client's major version")
    assert served in said.got and "upgrade the server" in said.remedy


def test_a_model_that_was_never_registered_has_no_champion(mlflow_server: Server) -> None:
    assert Registry(mlflow_server.uri, "unheard_of").champion() is None


@pytest.mark.parametrize("damage", ["deleted", "cut", "text"])
def test_s23_a_champion_that_cannot_be_loaded_is_not_displaced_by_default(stages: Stages, damage: str) -> None:
    world = stages("champion")
    candidate = world.candidate(day(24))
    break_artifact(world, "1", damage)
    before = world.dump()
    refused(lambda: evaluate.evaluate(world.ws(), [candidate], day(24)), ModelUnavailable, "models:/loans/1 must load")
    assert world.dump() == before
    world.check("1")


def break_artifact(world: World, version: str, damage: str) -> None:
    folder = world.artifact(version)
    if damage == "deleted":
        shutil.rmtree(folder)
    elif damage == "cut":
        content = (folder / "model.skops").read_bytes()
        (folder / "model.skops").write_bytes(content[: len(content) // 2])
    else:
        (folder / "model.skops").write_text("not a zip file")
    load_model.cache_clear()


def test_s23_a_champion_deleted_in_mlflow_is_a_clear_error(stages: Stages) -> None:
    from continual.errors import StoreError

    world = stages("judged")
    world.registry.client.delete_model_version("loans", "1")
    refused(lambda: promote.promote(world.ws(), verdict_of(world)), StoreError, "ledger says version 1")
    assert world.history() == [("bootstrap", "1")]


def test_s30_an_old_version_that_cannot_be_loaded_does_not_stop_the_gate(stages: Stages) -> None:
    world = stages("promoted")
    break_artifact(world, "1", "deleted")
    world.log(24, 34)
    world.edit("max_iter: 30", "max_iter: 33")
    assert world.judged(day(34))["version"] == "3"
    refused(lambda: monitor.watch(world.ws(), day(34)), ModelUnavailable, "models:/loans/1 must load")


def test_s30_a_previous_version_deleted_in_mlflow_leaves_nothing_to_watch_against(stages: Stages) -> None:
    world = stages("promoted")
    world.registry.client.delete_model_version("loans", "1")
    assert monitor.watch(world.ws(), day(34)).reason == "nothing to compare with: no previous version"
    world.check("2")


def test_s31_registering_twice_gives_the_first_version(stages: Stages) -> None:
    world = stages("champion")
    source = world.registry.version("1")
    key = source.tags["continual.candidate"]
    assert world.registry.register(key, source.source, source.run_id, {}) == "1"
    assert world.registry.version_of(key) == "1" and world.registry.version_of("another") is None


def test_s53_a_failed_upload_leaves_no_version_and_the_retry_makes_one(stages: Stages) -> None:
    world = stages("champion")
    made = curate.curate(world.ws(), day(24), "x").data
    models = world.artifact("1").parents[1]
    aside = models.rename(models.with_name("aside"))
    models.write_text("the disk is full")  # no folder can be made here any more
    before = world.ws().ledger.entries()
    refused(lambda: train.train(world.ws(), made["dataset"], "boosting"), ModelUnavailable, "start or repair MLflow")
    assert [str(v.version) for v in world.registry.client.search_model_versions("name = 'loans'")] == ["1"]
    assert [v.version for v in world.ws().versions.versions()] == ["1"]
    assert world.ws().ledger.entries() == before
    models.unlink()
    aside.rename(models)
    assert train.train(world.ws(), made["dataset"], "boosting").data["version"] == "2"
    experiment = world.registry.client.get_experiment_by_name("loans")
    # one of the finished ones is `champion history`
    statuses = sorted(r.info.status for r in world.registry.client.search_runs([experiment.experiment_id]))
    assert statuses == ["FAILED", "FINISHED", "FINISHED", "FINISHED"]


def test_s53_mlflow_dies_while_training_and_the_retry_finishes(stages: Stages, mlflow_server: Server) -> None:
    world = stages("champion")
    made = curate.curate(world.ws(), day(24), "x").data
    (world.home / "dataset").write_text(made["dataset"])
    try:
        assert flow_kill.run(_train_on_a_dying_server, world, mlflow_server.process.pid) == 0
    finally:
        mlflow_server.stop()
        mlflow_server.start()
    assert [v.version for v in world.ws().versions.versions()] == ["1"]
    assert train.train(world.ws(), made["dataset"], "boosting").data["version"] == "2"
    experiment = world.registry.client.get_experiment_by_name("loans")
    # one of the finished ones is `champion history`
    statuses = sorted(r.info.status for r in world.registry.client.search_runs([experiment.experiment_id]))
    assert statuses == ["FINISHED", "FINISHED", "FINISHED", "KILLED"]


def _train_on_a_dying_server(world: World, pid: int) -> None:
    import os
    import signal

    import mlflow

    real = mlflow.log_params

    def last_call(params: dict[str, object]) -> object:
        done = real(params)
        os.kill(pid, signal.SIGKILL)
        return done

    mlflow.log_params = last_call
    dataset = (world.home / "dataset").read_text()
    refused(lambda: train.train(world.ws(), dataset, "boosting"), ModelUnavailable, "MLflow must be readable")


class _Burglar:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return Path.touch, (Path("burgled"),)  # type: ignore[return-value]


def test_s57_a_pickle_in_the_artifact_is_never_read(
    stages: Stages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when the MLmodel file says that the model is a pickle."""
    monkeypatch.chdir(tmp_path)
    world = stages("champion")
    folder = world.artifact("1")
    (folder / "model.skops").unlink()
    (folder / "model.pkl").write_bytes(pickle.dumps(_Burglar()))
    note = (folder / "MLmodel").read_text()
    (folder / "MLmodel").write_text(note.replace("model.skops", "model.pkl").replace("skops", "pickle"))
    load_model.cache_clear()
    refused(lambda: load_version(world.ws(), "1"), ModelUnavailable, "no model.skops in the artifact")
    assert not (tmp_path / "burgled").exists()


@pytest.mark.parametrize("trusting", [False, True])
def test_s57_a_skops_file_with_an_untrusted_type_refuses_to_load(
    stages: Stages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trusting: bool
) -> None:
    """trusting: the artifact's own MLmodel file was edited to trust it; only our tables count."""
    import skops.io
    from sklearn.preprocessing import FunctionTransformer

    monkeypatch.chdir(tmp_path)
    world = stages("champion")
    folder = world.artifact("1")
    skops.io.dump(FunctionTransformer(func=os_system), folder / "model.skops")
    retarget(folder / "model.skops")
    if trusting:
        note = (folder / "MLmodel").read_text()
        assert "skops_trusted_types:" in note
        edited = note.replace("skops_trusted_types:\n", "skops_trusted_types:\n    - posix.system\n    - os.system\n")
        (folder / "MLmodel").write_text(edited)
    load_model.cache_clear()
    refused(lambda: load_version(world.ws(), "1"), ModelUnavailable, "trusted types only.*os.system")
    refused(lambda: verify.verify(world.ws(), day(24)), ModelUnavailable, "treat it as an attack")


def os_system(command: str) -> int:
    """Stands in the file until its module and name are overwritten."""
    return len(command)


def retarget(path: Path) -> None:
    """Let the skops file name os.system instead."""
    with zipfile.ZipFile(path) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    schema = content["schema.json"].decode()
    assert '"os_system"' in schema
    schema = schema.replace('"os_system"', '"system"').replace(f'"{__name__}"', '"os"')
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in content.items():
            archive.writestr(name, schema if name == "schema.json" else data)


def test_models_load_from_the_server_they_were_asked_from(stages: Stages) -> None:
    """Whatever the process looked at before."""
    import mlflow

    world = stages("champion")
    load_model.cache_clear()
    mlflow.set_tracking_uri("http://127.0.0.1:9")
    assert hasattr(load_version(world.ws(), "1"), "predict_proba")
