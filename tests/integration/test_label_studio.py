"""Label Studio itself: projects, pre-annotations, annotations that come back, skips, changed minds, its webhook.

`make test` installs it first. Elsewhere: `make label-studio`.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from studio_server import PROGRAM, USER, StudioServer

from continual.core.labelling import Question, Task, Use
from continual.errors import LabelerError
from continual.labelers.base import Desk
from continual.labelers.label_studio import LabelStudio

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(not PROGRAM.exists(), reason="no Label Studio: run `make label-studio`"),
]
QUESTION = Question("repaid <b>?", (("not repaid", 0.0), ("repaid", 1.0)))
TASKS = [
    Task("k0", {"income": 0.5, "sector": "a<i>", "none": None}),
    Task("k1", {"income": 1.5, "sector": "b"}, Use.TRAINING, guess=1.0),
    Task("k2", {"income": 2.5, "sector": "c"}),
    Task("k3", {"income": 3.5, "sector": "d"}, needed=2),
]


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StudioServer]:
    server = StudioServer(tmp_path_factory.mktemp("studio"))
    yield server
    server.stop()


class Heard(HTTPServer):
    """What Label Studio's webhook says."""

    def __init__(self) -> None:
        self.said: list[tuple[str, str | None, Any]] = []
        self.one = threading.Event()
        super().__init__(("127.0.0.1", 0), _Ear)


class _Ear(BaseHTTPRequestHandler):
    server: Heard

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.said.append((self.path, self.headers["Authorization"], body))
        self.send_response(202)
        self.end_headers()
        self.server.one.set()

    def log_message(self, *_: Any) -> None:
        """Quiet."""


@pytest.fixture
def heard() -> Iterator[Heard]:
    server = Heard()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()


def test_rows_go_out_and_answers_come_back(
    studio: StudioServer, heard: Heard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LABEL_STUDIO_TOKEN", studio.token)
    monkeypatch.setenv("CONTINUAL_WEBHOOK_SECRET", "only-we-know")
    hook = f"http://127.0.0.1:{heard.server_port}/hooks/label-studio"
    labeler, memory = LabelStudio(url=studio.url, webhook=hook), {}

    def desk() -> Desk:
        return Desk("loans", QUESTION, tmp_path, memory)

    offered = labeler.offer(desk(), TASKS)
    assert offered.said.startswith("4 tasks pushed")
    assert labeler.offer(desk(), TASKS).memory == offered.memory  # killed before it could remember: found by title
    memory |= offered.memory
    assert labeler.offer(desk(), TASKS).said.startswith("0 tasks pushed")
    found = {
        name: studio.tasks(int(memory[f"project.{name}"])) for name in ("evaluation.1", "training.1", "evaluation.2")
    }
    assert [t["total_predictions"] for tasks in found.values() for t in tasks] == [0, 0, 1, 0]
    assert found["evaluation.2"][0]["overlap"] == 2
    assert found["evaluation.1"][0]["data"]["row"] == {"income": 0.5, "sector": "a<i>", "none": "-"}

    first, second = (t["id"] for t in found["evaluation.1"])
    studio.annotate(first, "repaid")
    studio.annotate(second, None)
    assert heard.one.wait(30)
    path, secret, body = heard.said[0]
    assert (path, secret) == ("/hooks/label-studio/loans", "Bearer only-we-know")
    assert body["action"] == "ANNOTATION_CREATED" and "annotation" not in body
    came = labeler.fetch(desk())
    assert {(a.key, a.annotator, a.value) for a in came.answers} == {("k0", USER, 1.0), ("k2", USER, None)}
    memory |= came.memory
    assert {a.id for a in labeler.fetch(desk()).answers} <= {a.id for a in came.answers}
    (note,) = studio.session.get(f"{studio.url}/api/tasks/{first}").json()["annotations"]
    studio.change(note["id"], "not repaid")
    assert ("k0", 0.0) in {(a.key, a.value) for a in labeler.fetch(desk()).answers}
    gone = labeler.offer(desk(), TASKS[:1])
    assert gone.said.endswith("2 that nobody needs removed")  # not k2, which somebody touched

    monkeypatch.setenv("LABEL_STUDIO_TOKEN", "guessed")
    with pytest.raises(LabelerError, match="personal access token"):
        labeler.fetch(desk())
    with pytest.raises(LabelerError, match="must answer"):
        LabelStudio(url="http://127.0.0.1:9").offer(desk(), TASKS)
