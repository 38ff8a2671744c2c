"""`continual serve` as a process: real MLflow, real HTTP, kill -9, promotion and rollback under traffic."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import requests
from flow_loans import applications, day, days
from flow_server import free_port
from flow_world import Stages, World, refused, verdict_of
from hypothesis import given, settings
from hypothesis import strategies as st

from continual.errors import ModelUnavailable, PolicyError
from continual.flows import promote, verify
from continual.flows.serving_check import load_version
from continual.models.artifact import score
from continual.serving.server import Server, ServerOptions
from continual.serving.spool import read

pytestmark = pytest.mark.integration
KEY = "secret-of-the-test"
FEATURES = ["sector", "income", "bureau"]


@dataclass
class Process:
    """The command, and a client with its key."""

    world: World
    port: int
    child: subprocess.Popen[bytes]
    log: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def call(self, method: str, path: str, key: str | None = KEY, **kwargs: Any) -> requests.Response:
        headers = {"X-API-Key": key} if key else {}
        return requests.request(method, self.url + path, headers=headers, timeout=30, **kwargs)

    def predict(self, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        answer = self.call("POST", "/predict", json={"rows": rows})
        assert answer.status_code == 200, answer.text
        return list(answer.json()["predictions"])

    def kill(self) -> None:
        self.child.send_signal(signal.SIGKILL)
        self.child.wait()

    def stop(self) -> None:
        self.child.send_signal(signal.SIGINT)
        self.child.wait(60)


def start(world: World, *options: str, port: int | None = None) -> Process:
    port = port or free_port()
    command = [sys.executable, "-m", "continual.cli", "serve", "loans", "--port", str(port), "--home", str(world.home)]
    env = {**os.environ, "MLFLOW_TRACKING_URI": world.settings.tracking_uri, "CONTINUAL_SERVING_API_KEY": KEY}
    log = world.home.parent / "serve.log"
    with log.open("wb") as out:
        child = subprocess.Popen([*command, "--poll-seconds", "0.3", *options], env=env, stdout=out, stderr=out)
    process = Process(world, port, child, log)
    deadline = time.monotonic() + 120
    while True:
        try:
            if requests.get(f"{process.url}/healthz", timeout=2).ok:
                return process
        except requests.RequestException:
            assert child.poll() is None and time.monotonic() < deadline, log.read_text()
            time.sleep(0.2)


def reads_the_inbox(world: World) -> World:
    text = world.config.read_text()
    for stream in ("predictions", "labels"):
        text = text.replace(f"landing/{stream}", f"landing/loans/{stream}")
        (world.home / "landing" / "loans" / stream).mkdir(parents=True)
    world.config.write_text(text)
    return world


@pytest.fixture
def world(stages: Stages) -> World:
    return reads_the_inbox(stages("judged"))


@pytest.fixture
def served(world: World) -> Iterator[Process]:
    process = start(world, "--ship-seconds", "0.2")
    yield process
    process.kill()


def rows_of(number: int, count: int = 20) -> list[dict[str, Any]]:
    frame = applications(number).head(count)
    rows = frame[["record_key", "region", *FEATURES]].astype(object).where(frame.notna(), None).to_dict("records")
    return [{**row, "event_time": day(number + 0.5).isoformat()} for row in rows]


def expected(world: World, version: str, rows: list[dict[str, Any]]) -> np.ndarray:
    return score(load_version(world.ws(), version), pd.DataFrame(rows), FEATURES)


def until(what: str, check: Any, seconds: float = 30) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := check()):
        assert time.monotonic() < deadline, what
        time.sleep(0.1)
    return found


def test_answers_are_the_champions_and_become_rows_of_the_log(served: Process) -> None:
    world, rows = served.world, rows_of(24)
    answers = served.predict(rows)
    np.testing.assert_allclose([a["prediction"] for a in answers], expected(world, "1", rows))
    assert {a["model_version"] for a in answers} == {"1"}
    labels = [{"record_key": row["record_key"], "value": 1, "known_at": day(25).isoformat()} for row in rows]
    assert served.call("POST", "/feedback", json={"labels": labels}).json() == {"taken": len(rows)}
    landed = world.home / "landing" / "loans"
    until("shipped", lambda: list(landed.glob("labels/*.parquet")) and list(landed.glob("predictions/*.parquet")))
    until("the spool is empty", lambda: served.call("GET", "/version").json()["spool_bytes"] == 0)
    world.ingest(24, 26)
    logged = world.ws().log.read_labelled(days(24, 25), day(26)).set_index("record_key")
    assert sorted(logged.index) == sorted(row["record_key"] for row in rows)
    assert (logged["label"] == 1).all() and (logged["model_version"] == "1").all()
    said = {a["record_key"]: a["prediction"] for a in answers}
    np.testing.assert_allclose(logged["prediction"], [said[key] for key in logged.index])


def test_s37_a_promotion_is_confirmed_by_the_process_that_answers(served: Process) -> None:
    world, rows = served.world, rows_of(24)
    with world.config.open("a") as policy:
        policy.write(f"serving: {{url: '{served.url}', wait: 20s}}\n")
    os.environ["CONTINUAL_SERVING_API_KEY"] = KEY
    try:
        promote.promote(world.ws(), verdict_of(world))
        said = verify.verify(world.ws(), day(24)).reason
        assert f"{served.url} answers with it" in said
        assert served.call("GET", "/version").json()["version"] == "2"
        np.testing.assert_allclose([a["prediction"] for a in served.predict(rows)], expected(world, "2", rows))
        world.roll_back("2", day(25))
        assert "version 1 is champion" in verify.verify(world.ws(), day(25)).reason
        assert {a["model_version"] for a in served.predict(rows)} == {"1"}
        served.kill()
        world.config.write_text(world.config.read_text().replace("wait: 20s", "wait: 1s"))
        refused(lambda: verify.verify(world.ws(), day(25)), ModelUnavailable, "must answer with version 1 within 1 s")
    finally:
        del os.environ["CONTINUAL_SERVING_API_KEY"]


def test_a_reload_under_traffic_answers_every_request_with_one_whole_version(served: Process) -> None:
    world, rows = served.world, rows_of(24, 5)
    truth = {version: expected(world, version, rows) for version in ("1", "2")}
    with ThreadPoolExecutor(8) as pool:
        asks = [pool.submit(served.predict, rows) for _ in range(60)]
        promote.promote(world.ws(), verdict_of(world))
        until("version 2 answers", lambda: served.call("GET", "/version").json()["version"] == "2")
        asks += [pool.submit(served.predict, rows) for _ in range(20)]
        answers = [ask.result() for ask in asks]
    for answer in answers:
        (version,) = {a["model_version"] for a in answer}
        np.testing.assert_allclose([a["prediction"] for a in answer], truth[version])
    assert answers[-1][0]["model_version"] == "2"


def test_s59_nothing_that_was_answered_is_lost_when_it_is_killed(world: World) -> None:
    """kill -9 under traffic, ten times; then every acknowledged key is in the log once."""
    acknowledged: list[str] = []
    port = free_port()
    for life in range(4):
        process = start(world, "--ship-seconds", "0.3", port=port)
        with ThreadPoolExecutor(4) as pool:
            asks = [pool.submit(_ask, process, f"{life}-{n}") for n in range(60)]
            until("some answers", lambda a=asks: sum(x.done() for x in a) >= 15)
            process.kill()
            acknowledged += [key for ask in asks for key in ask.result()]
    last = start(world, "--ship-seconds", "0.3", port=port)
    until("the spool is empty", lambda: last.call("GET", "/version").json()["spool_bytes"] == 0)
    last.stop()
    world.ingest(24, 26)
    logged = list(world.ws().log.read_predictions(days(24, 25), day(26))["record_key"])
    assert len(logged) == len(set(logged))
    assert len(acknowledged) >= 60 and set(acknowledged) <= set(logged)
    assert len(set(logged) - set(acknowledged)) <= 4 * 4  # in flight at a kill: kept, but never answered


def _ask(process: Process, name: str) -> list[str]:
    row = {**rows_of(24, 1)[0], "record_key": name}
    try:
        return [a["record_key"] for a in process.predict([row])]
    except (requests.RequestException, AssertionError):
        return []


def test_the_store_may_be_away_while_rows_are_answered_and_loses_nothing(served: Process) -> None:
    """The inbox cannot be written: answers go on, wait in the spool, and arrive when it is back."""
    folder = served.world.home / "landing" / "loans"
    aside = folder.rename(folder.with_name("away"))
    folder.write_text("in the way")
    rows = rows_of(24)
    assert len(served.predict(rows)) == len(rows)
    until("a failed attempt", lambda: "continual_serving_ship_failures 0.0" not in served.call("GET", "/metrics").text)
    assert served.call("GET", "/version").json()["spool_bytes"] > 0
    folder.unlink()
    aside.rename(folder)
    until("shipped", lambda: list(folder.glob("predictions/*.parquet")))
    until("the spool is empty", lambda: served.call("GET", "/version").json()["spool_bytes"] == 0)


def test_a_full_spool_refuses_what_it_could_not_keep(world: World) -> None:
    (world.home / "landing" / "loans").rename(world.home / "landing" / "away")
    (world.home / "landing" / "loans").write_text("in the way")
    options = ServerOptions((KEY,), ship_seconds=0.1, spool_bytes=4_000, poll_seconds=60)
    from fastapi.testclient import TestClient

    with Server(world.ws(), options) as server, TestClient(server.app) as client:
        codes = []
        for n in range(6):
            rows = [{**row, "record_key": f"{n}-{i}"} for i, row in enumerate(rows_of(24, 10))]
            answer = client.post("/predict", json={"rows": rows}, headers={"X-API-Key": KEY})
            codes.append(answer.status_code)
        assert codes[0] == 200 and codes[-1] == 503
        assert "must have room" in answer.json()["detail"] and answer.headers["Retry-After"]
        kept = [e for s in (server.spool.rotate(now=True), *server.spool.ready()) if s for e in read(s)]
        assert len(kept) == 10 * codes.count(200)


def test_a_champion_that_does_not_load_leaves_the_old_one_answering(served: Process) -> None:
    world, rows = served.world, rows_of(24, 3)
    (world.artifact("2") / "model.skops").write_text("broken")
    world.registry.set_alias("champion", "2")
    until("degraded", lambda: served.call("GET", "/healthz").json()["status"] == "degraded")
    assert "models:/loans/2 must load" in served.call("GET", "/healthz").json()["problem"]
    assert {a["model_version"] for a in served.predict(rows)} == {"1"}


def test_the_challenger_shadows_and_a_canary_share_of_keys_sticks(world: World) -> None:
    world.registry.set_alias("challenger", "2")
    rows = [{**rows_of(24, 1)[0], "record_key": f"k{n}"} for n in range(400)]
    process = start(world, "--canary", "0.25", "--ship-seconds", "0.2")
    try:
        first, again = process.predict(rows), process.predict(rows)
        assert [a["model_version"] for a in first] == [a["model_version"] for a in again]
        share = np.mean([a["model_version"] == "2" for a in first])
        assert abs(share - 0.25) < 0.09  # 4 standard errors
        until("the spool is empty", lambda: process.call("GET", "/version").json()["spool_bytes"] == 0)
        shadow = world.ws().log.read_scores(days(24, 25), "2", day(3000))
        assert set(shadow["record_key"]) == {a["record_key"] for a in first if a["model_version"] == "1"}
        np.testing.assert_allclose(shadow["prediction"], expected(world, "2", rows[:1])[0])
    finally:
        process.kill()


def test_s60_every_path_but_health_needs_a_key(served: Process) -> None:
    paths = served.call("GET", "/openapi.json").json()["paths"]
    methods = {(method, path) for path, item in paths.items() for method in item}
    assert ("post", "/predict") in methods and ("post", "/v2/models/loans/infer") in methods
    for method, path in methods:
        for key in (None, "", "wrong", KEY[:-1]):
            status = served.call(method.upper(), path, key, json={}).status_code
            assert status == (200 if "health" in path else 401), (method, path, key)
    bearer = {"Authorization": f"Bearer {KEY}"}
    assert requests.get(f"{served.url}/version", headers=bearer, timeout=10).ok


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (b"{", 400, "must be JSON"),
        (b"[]", 400, "JSON object"),
        (b'{"rows": []}', 422, "at least one"),
        (b'{"rows": [{"income": NaN}]}', 400, "must be JSON"),
        (b'{"rows": [{"incme": 1}]}', 422, "did you mean"),
        (json.dumps({"rows": [{}] * 2001}).encode(), 413, "at most 2,000 rows"),
        (b'{"rows": "' + b"x" * (4 << 20) + b'"}', 413, "at most 4,194,304 bytes"),
    ],
)
def test_bad_requests_get_a_sentence_and_are_not_kept(served: Process, body: bytes, status: int, words: str) -> None:
    answer = served.call("POST", "/predict", data=body)
    assert answer.status_code == status and words in answer.json()["detail"]
    assert served.call("GET", "/version").json()["spool_bytes"] == 0


def test_the_v2_protocol_gives_the_same_answers(served: Process) -> None:
    rows = rows_of(24, 4)
    columns = {name: [row[name] for row in rows] for name in FEATURES}
    about = served.call("GET", "/v2/models/loans").json()
    kinds = {item["name"]: item["datatype"] for item in about["inputs"]}
    assert kinds == {"sector": "BYTES", "income": "FP64", "bureau": "FP64"}
    tensors = [{"name": n, "datatype": kinds[n], "shape": [4], "data": data} for n, data in columns.items()]
    answer = served.call("POST", "/v2/models/loans/infer", json={"id": "7", "inputs": tensors}).json()
    found = {item["name"]: item["data"] for item in answer["outputs"]}
    np.testing.assert_allclose(found["prediction"], expected(served.world, "1", rows))
    assert (answer["id"], answer["model_version"], len(set(found["record_key"]))) == ("7", "1", 4)
    ragged = [*tensors[:2], {**tensors[2], "data": [1.0]}]
    assert "one length" in served.call("POST", "/v2/models/loans/infer", json={"inputs": ragged}).json()["detail"]


def test_a_source_that_would_not_read_what_is_written_is_refused_at_start(stages: Stages) -> None:
    said = refused(lambda: Server(stages("champion").ws(), ServerOptions((KEY,))), PolicyError, "must read")
    assert "landing/loans/predictions" in said.remedy


def test_without_a_champion_nothing_is_served(stages: Stages) -> None:
    world = reads_the_inbox(stages("logged"))
    refused(lambda: Server(world.ws(), ServerOptions((KEY,))).__enter__(), ModelUnavailable, "must have a champion")


HOSTILE: list[Any] = [
    10**400, -(10**400), 1e308, "\ud800", "\x00", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", {}, [[]],
    "x" * 300, "'; DROP TABLE predictions; --", "../../etc/passwd", True, None, "NaN", 2**63,
]  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.sampled_from(HOSTILE),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
NAMES = st.sampled_from(["record_key", "event_time", "region", "value", "source", "known_at", *FEATURES])
ROWS = st.lists(st.dictionaries(NAMES, JSON | st.sampled_from(HOSTILE), max_size=4), max_size=3)
V2 = st.fixed_dictionaries(
    {}, optional={n: JSON for n in ("id", "inputs", "parameters", "outputs")}
) | st.fixed_dictionaries(
    {"inputs": st.lists(st.fixed_dictionaries({}, optional={n: JSON for n in ("name", "shape", "datatype", "data")}))}
)


def test_s61_no_body_whatever_is_an_error_of_the_server(served: Process) -> None:
    """Any bytes and any JSON, near and far from what is asked for: 200 or 4xx with a sentence, and it goes on."""
    good = rows_of(24, 1)[0]
    paths = st.sampled_from(["/predict", "/feedback", "/v2/models/loans/infer"])
    change = st.dictionaries(NAMES, JSON | st.sampled_from(HOSTILE), min_size=1, max_size=2)
    bodies = (
        st.binary(max_size=60)
        | (JSON | V2 | st.fixed_dictionaries({}, optional={"rows": ROWS | JSON, "labels": ROWS | JSON})).map(_encoded)
        | change.map(lambda c: _encoded({"rows": [{**good, **c}]}))
        | change.map(lambda c: _encoded({"labels": [{"record_key": "k", "value": 1, **c}]}))
    )

    def send(path: str, body: bytes) -> None:
        answer = served.call("POST", path, data=body)
        assert answer.status_code == 200 or 400 <= answer.status_code < 500, (path, body, answer.text)
        assert answer.ok or answer.json()["detail"]

    for value in HOSTILE:
        for name in ("record_key", "event_time", "income", "sector"):
            send("/predict", _encoded({"rows": [{**good, name: value}]}))
        for name in ("record_key", "value", "source", "known_at"):
            send("/feedback", _encoded({"labels": [{"record_key": "k", "value": 1, name: value}]}))
    settings(max_examples=100, deadline=None, derandomize=True, database=None)(given(paths, bodies)(send))()
    assert served.predict([good])[0]["model_version"] == "1"


def _encoded(value: Any) -> bytes:
    return json.dumps(value).encode()
