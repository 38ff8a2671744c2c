"""The labelling page over real HTTP: a token opens it, rows come one by one, hostile text stays text."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import requests
import uvicorn
from flow_server import free_port

from continual.core.labelling import Question, Task, Use
from continual.core.window import Window
from continual.desk import seat
from continual.desk.app import COOKIE, make_desk
from continual.policy.labelling import Labelling
from continual.stores.database import open_database
from continual.stores.label_queue import LabelQueue
from continual.stores.label_reading import LabelReading
from continual.stores.requests import Draw, DrawnRows, RequestStore

pytestmark = pytest.mark.integration
NOW = datetime(2024, 3, 1, tzinfo=UTC)
HOSTILE = "<script>alert(1)</script>"
ROWS = {
    "k1": Task("k1", {"income": 1 / 3, "note": HOSTILE}),
    "k2": Task("k2", {"income": 2.5, "note": None}, Use.TRAINING, guess=1.0),
    "k3": Task("k3", {"income": 3.5, "note": ""}),
}


@pytest.fixture
def page(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[SimpleNamespace]:
    """The real page, queue and database; the log's columns and the writing to it are the flows' tests."""
    db = open_database(f"sqlite:///{tmp_path}/s.db")
    db.upgrade()
    window = Window(NOW - timedelta(days=7), NOW)
    uses, order = [task.use.value for task in ROWS.values()], [-float(i) for i in range(len(ROWS))]
    asked = DrawnRows(list(ROWS), np.full(len(ROWS), 0.5), use=uses, priority=order)
    RequestStore(db, "loans").add(Draw(window, NOW, "uniform"), asked)
    monkeypatch.setattr(seat, "tasks_of", lambda ws, requests: [ROWS[key] for key in requests["key"]])
    monkeypatch.setattr(seat, "write_labels", lambda ws: None)
    policy = SimpleNamespace(labelling=Labelling(), question=Question("repaid?", (("no", 0.0), ("yes", 1.0))))
    room = seat.Room(SimpleNamespace(db=db, app="loans", policy=SimpleNamespace(**vars(policy), labeler=None)))
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(make_desk({"loans": room}), port=port, log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    yield SimpleNamespace(db=db, room=room, url=f"http://127.0.0.1:{port}/loans")
    server.should_exit = True
    thread.join()
    db.close()


def _session(page: SimpleNamespace, name: str = "anna") -> requests.Session:
    session = requests.Session()
    entered = session.post(f"{page.url}/enter", data={"token": page.room.annotators.add(name)})
    assert entered.ok and name in entered.text
    return session


def test_s60_nobody_sees_a_row_without_a_token(page: SimpleNamespace) -> None:
    first = requests.get(f"{page.url}/")
    assert first.ok and "access token" in first.text and ">k1<" not in first.text
    assert requests.post(f"{page.url}/enter", data={"token": "guessed"}).status_code == 403
    assert requests.post(f"{page.url}/answer", data={"key": "k1", "label": "yes"}).status_code == 401
    assert requests.get(f"{page.url}/", cookies={COOKIE: "guessed"}).text.count(">k1<") == 0
    session = _session(page)
    page.room.annotators.remove("anna")
    assert "access token" in session.get(f"{page.url}/").text
    assert requests.post(f"{page.url}/../hooks/label-studio/loans").status_code == 403


def test_s61_what_a_row_holds_is_text_and_a_foreign_page_sends_nothing(page: SimpleNamespace) -> None:
    session = _session(page)
    shown = session.get(f"{page.url}/")
    assert HOSTILE not in shown.text and "&lt;script&gt;alert(1)" in shown.text
    policy = shown.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy
    cookie = session.post(f"{page.url}/enter", data={"token": page.room.annotators.add("eve")}, allow_redirects=False)
    assert {"HttpOnly", "SameSite=strict", "Path=/loans/"} <= set(cookie.headers["Set-Cookie"].split("; "))
    foreign = session.post(
        f"{page.url}/answer", data={"key": "k1", "label": "yes"}, headers={"Origin": "https://evil.example"}
    )
    assert foreign.status_code == 403
    assert requests.get(f"{page.url}/", headers={"Host": "evil.example"}).status_code == 400
    assert LabelReading(page.db, "loans").answers().empty


def test_rows_come_one_by_one_and_a_suggestion_stands_on_rows_that_train_only(page: SimpleNamespace) -> None:
    session, url = _session(page), page.url
    first = session.get(f"{url}/").text
    assert ">k1<" in first and ">0.333333333<" in first and "The model says" not in first and 'data-key="2"' in first
    assert ">k1<" in session.get(f"{url}/").text  # a reload keeps the row
    assert ">k2<" in _session(page, "ben").get(f"{url}/").text  # somebody else gets another
    assert session.post(f"{url}/answer", data={"key": "k1", "label": "maybe"}).status_code == 422
    after = session.post(f"{url}/answer", data={"key": "k1", "label": "yes"}).text
    assert ">k3<" in after and "you answered 1" in after
    again = session.post(f"{url}/back").text
    assert ">k1<" in again and "answered this row already" in again
    session.post(f"{url}/answer", data={"key": "k1", "label": "no"})
    session.post(f"{url}/answer", data={"key": "k3", "label": "?"})
    LabelQueue(page.db, "loans").release("ben", ["k2"])
    trains = session.get(f"{url}/").text
    assert ">k2<" in trains and "The model says" in trains and "only trains" in trains
    done = session.post(f"{url}/answer", data={"key": "k2", "label": "yes"}).text
    assert "Nothing to label" in done
    answers = LabelReading(page.db, "loans").answers()
    assert answers[answers["key"] == "k1"]["value"].tolist() == [1.0, 0.0]  # both are kept, the newer counts
    assert LabelReading(page.db, "loans").counts()["answered"] == 2
    assert session.post(f"{url}/answer", data={"key": "nobody", "label": "yes"}).status_code == 422
