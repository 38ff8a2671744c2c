"""Great Expectations' page of every batch: what it shows, how long it stays, and who gets it from Airflow."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from flow_loans import day
from flow_world import Stages, World

from continual.errors import BatchError, StoreError
from continual.flows import data_docs, erase
from continual.flows.data_docs import DataDocs

pytestmark = pytest.mark.integration
HOSTILE = "\"'><script>alert(1)</script><img src=x onerror=alert(2)>{{ 7*7 }}</title>"
IN_SET = "    - expect_column_values_to_be_in_set: {column: sector, value_set: [startup, shop, farm]}\n"
BETWEEN = "{column: income, min_value: -10, max_value: 10}"


class Tags(HTMLParser):
    """Names of the tags, attributes that do something, and addresses."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.handlers: list[str] = []
        self.addresses: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.handlers += [name for name, _ in attrs if name.startswith("on")]
        self.addresses += [value or "" for name, value in attrs if name in ("href", "src")]


def _deliver(stages: Stages) -> World:
    """Day 0 passes, of day 1 some rows are set aside, day 2 is refused and holds hostile text."""
    world = stages("empty")
    world.edit(BETWEEN, f"{BETWEEN}\n      severity: row\n{IN_SET}".rstrip("\n"))
    world.deliver(0)
    world.deliver(1, rows=world.served(1).assign(income=lambda f: f["income"].where(f.index > 4, 999.0)))
    world.deliver(2, rows=world.served(2).assign(sector=HOSTILE))
    with pytest.raises(BatchError, match="sector"):
        world.ingest(0, 3)
    return world


@pytest.fixture
def world(stages: Stages) -> World:
    stages.add("documented", lambda: _deliver(stages) and None)
    return stages("documented")


def _docs(world: World) -> DataDocs:
    return DataDocs(world.home, "loans")


def _text(world: World, verdict: str) -> str:
    (found,) = [doc for doc in _docs(world).list() if doc.verdict == verdict]
    text = _docs(world).read(found.batch)
    assert text is not None
    return text


def test_every_batch_has_a_page_with_its_verdict(world: World) -> None:
    found = {doc.name: (doc.stream, doc.verdict, doc.as_of) for doc in _docs(world).list()}
    as_of = day(3).isoformat()
    assert found == {
        "2024-01-01.parquet": ("predictions", "passed", as_of),
        "2024-01-02.parquet": ("predictions", "partly", as_of),
        "2024-01-03.parquet": ("predictions", "refused", as_of),
    }


def test_a_page_shows_what_was_expected_what_came_and_the_verdict(world: World) -> None:
    passed, partly, refused = (_text(world, verdict) for verdict in ("passed", "partly", "refused"))
    assert "300 rows passed" in passed and 'class="fas fa-times' not in passed
    assert "5 of 300 rows set aside" in partly and "999.0" in partly and 'class="fas fa-times' in partly
    assert "batch refused" in refused and "values must belong to this set" in refused


@pytest.mark.parametrize("verdict", ["passed", "partly", "refused"])
def test_s61_a_page_runs_nothing_and_asks_nobody(world: World, verdict: str) -> None:
    page = Tags(_text(world, verdict))
    assert page.tags.isdisjoint({"script", "img", "link", "iframe", "form", "base", "object"})
    assert page.handlers == []
    assert [a for a in page.addresses if not a.startswith(("#", "./"))] == []


def test_s61_hostile_values_are_shown_as_text(world: World) -> None:
    assert "&lt;script&gt;alert(1)&lt;/script&gt;&lt;img src=x onerror=alert(2)&gt;{{ 7*7 }}" in _text(world, "refused")


def test_a_batch_judged_again_has_one_page_and_the_oldest_pages_go(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    docs = _docs(world)
    world.deliver(3)
    monkeypatch.setattr(data_docs, "KEEP", 2)
    world.ingest(3, 4)
    assert [doc.name for doc in docs.list()] == ["2024-01-04.parquet", "2024-01-03.parquet"]
    assert [doc.name for doc in docs.list(day(4).isoformat())] == ["2024-01-04.parquet"]
    assert sorted(path.suffix for path in docs.folder.iterdir()) == [".html", ".html", ".json", ".json"]


def test_a_page_that_cannot_be_written_stops_no_ingest(world: World) -> None:
    docs = _docs(world)
    for path in docs.folder.iterdir():
        path.unlink()
    docs.folder.rmdir()
    docs.folder.write_text("in the way")
    world.deliver(3)
    assert world.ingest(3, 4)
    assert docs.list() == []


def test_erasing_people_and_old_days_drops_pages(world: World) -> None:
    docs = _docs(world)
    erase.expire(world.ws(), day(1), "kept for a day", day(4))
    assert len(docs.list()) == 3  # all were judged later
    erase.erase(world.ws(), ["001-0100"], "asked", day(4))
    assert list(docs.folder.iterdir()) == []


@pytest.mark.parametrize("batch", ["", "..", "../../secret", "x" * 32, "A" * 32, "0" * 32 + ".html", "0" * 31 + "/"])
def test_what_is_no_batch_names_no_file(world: World, batch: str) -> None:
    assert _docs(world).read(batch) is None


@pytest.mark.parametrize("app", ["..", "a/b", "", ".hidden"])
def test_what_is_no_application_names_no_folder(world: World, app: str) -> None:
    with pytest.raises(StoreError):
        DataDocs(world.home, app)


def test_airflow_shows_pages_to_those_who_may_see_what_tasks_hand_on(world: World, tmp_path: Path) -> None:
    (world.home / "data_docs" / "secret").write_text("SECRET")
    (refused,) = [doc.batch for doc in _docs(world).list() if doc.verdict == "refused"]
    found = _visits(world, tmp_path, refused)
    status = {visit: answer[0] for visit, answer in found.items()}
    shown = ("loans.ingest/", f"loans.ingest/{refused}", "loans.ingest/?as_of=2020-01-01")
    for who, expected in {"nobody": 401, "forger": 403, "clerk": 403, "visitor": 403}.items():
        assert [status[f"{who} {path}"] for path in shown] == [expected] * 3
        assert {s for visit, s in status.items() if visit.startswith(who) and "rent" not in visit} == {expected, 404}
    assert (status["ann loans.ingest/"], status[f"ann loans.ingest/{refused}"]) == (200, 200)
    others = {v: s for v, s in status.items() if v.startswith("ann ") and "loans.ingest/" not in v}
    assert others.pop("ann rent.ingest/") == 200  # an application without a page
    assert set(others.values()) == {404}
    assert {s for v, s in status.items() if v.startswith("ann ") and ("%2F" in v or ".html" in v)} == {404}
    assert not [visit for visit, (_, _, text) in found.items() if "SECRET" in text]
    _, headers, listed = found["ann loans.ingest/"]
    assert "2024-01-03.parquet" in listed and "{{ 7*7 }}" in listed and Tags(listed).tags.isdisjoint({"script", "img"})
    assert f'href="{refused}"' in listed
    assert "No batch" in found["ann loans.ingest/?as_of=2020-01-01"][2]
    for one in (headers, found[f"ann loans.ingest/{refused}"][1]):
        assert "default-src 'none'" in one["content-security-policy"] and one["cache-control"] == "private, no-store"


def _visits(world: World, folder: Path, batch: str) -> dict[str, Any]:
    """Visitor and path -> status, headers, text."""
    here = Path(__file__).parent
    environment = {
        **{k: v for k, v in os.environ.items() if not k.startswith(("AIRFLOW", "CONTINUAL", "COV"))},
        "AIRFLOW_HOME": str(folder / "airflow"),
        "AIRFLOW__CORE__AUTH_MANAGER": "docs_visitors.Picky",
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__API_AUTH__JWT_SECRET": "s" * 64,
        "PYTHONPATH": str(here),
        "CONTINUAL_HOME": str(world.home),
        "OMP_NUM_THREADS": "1",
    }
    program = [sys.executable, str(here / "docs_visitors.py"), batch]
    done = subprocess.run(program, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("RESULT")]
    found: dict[str, Any] = json.loads(line.removeprefix("RESULT"))
    return found
