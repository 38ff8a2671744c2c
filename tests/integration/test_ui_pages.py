"""The pages over a real store: what they show, what hostile text can do, what they say when there is nothing."""

from __future__ import annotations

import json
import re
import sqlite3
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import pytest
from fastapi.routing import APIRoute
from flow_loans import APP, POLICY, day, days
from starlette.testclient import TestClient
from ui_world import AS_OF, BASE, HOSTILE, HOSTILE_POLICY, Read, client, fill, say, settings_of

from continual.flows import store_query
from continual.flows.workspace import Workspace
from continual.settings import Settings
from continual.stores.ledger_pages import LedgerPages, Wanted
from continual.stores.retrain_tables import retrain_result
from continual.ui.pages import Pages, router, rows_router
from continual.ui.site import Site

pytestmark = pytest.mark.integration
REGION = f"region={HOSTILE}"
WINDOW = "window=2024-01-01..2024-01-13"
PAGES = {
    "applications": "/continual/",
    "slices": f"{BASE}/slices?{WINDOW}",
    "slices searched": f"{BASE}/slices?{WINDOW}&q={quote(HOSTILE)}&sort=worst",
    "history": f"{BASE}/slices/history?{WINDOW}&slice={quote(REGION)}",
    "rows": f"{BASE}/slices/rows?{WINDOW}&slice={quote(REGION)}",
    "verdict": f"{BASE}/verdict",
    "run": f"{BASE}/run?dag_id={APP}.retrain&run_id=run-1",
    "run of nobody": f"{BASE}/run?dag_id={quote(HOSTILE)}&run_id={quote(HOSTILE)}",
    "timeline": f"{BASE}/timeline?{WINDOW}",
    "ledger": f"{BASE}/ledger",
    "ledger searched": f"{BASE}/ledger?q={quote(HOSTILE)}&kind=trigger",
    **{f"entry {seq}": f"{BASE}/ledger/{seq}" for seq in range(1, 8)},
}
#: Requests that are answered with a sentence; each repeats what it was asked.
REFUSED = {
    f"{BASE}/slices?window={quote(HOSTILE)}": 400,
    f"{BASE}/slices?as_of={quote(HOSTILE)}": 400,
    f"{BASE}/slices?metric={quote(HOSTILE)}": 400,
    f"{BASE}/slices/history?{WINDOW}&version={quote(HOSTILE)}": 404,
    f"{BASE}/slices/history?{WINDOW}&slice={quote(HOSTILE)}": 404,
    f"{BASE}/slices/rows?{WINDOW}&after={quote(HOSTILE)}": 400,
    f"{BASE}/ledger?before={quote(HOSTILE)}": 400,
    f"{BASE}/ledger/99": 404,
    f"{BASE}/verdict?seq=1": 404,
    f"{BASE}/run?dag_id={quote(HOSTILE)}": 400,
}


@pytest.fixture(scope="module")
def ws(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return fill(settings_of(tmp_path_factory.mktemp("pages"), HOSTILE_POLICY))


@pytest.fixture(scope="module")
def web(ws: Workspace) -> TestClient:
    return client(ws.settings)


def _read(web: TestClient, url: str, status: int = 200) -> Read:
    answer = web.get(url)
    assert answer.status_code == status, (url, answer.text[:2000])
    return Read(answer.text)


# --- s61: hostile text stays text ---


@pytest.mark.parametrize("name", PAGES)
def test_s61_hostile_text_stays_text_on_every_page(web: TestClient, name: str) -> None:
    page = _read(web, PAGES[name])
    assert page.dangers() == []
    assert "Nothing to show" not in page.text
    if name not in ("entry 5", "run of nobody"):
        assert HOSTILE[:30] in page.text
    assert "49" not in page.text.replace("7*7", "") or "{{ 7*7 }}" in page.text


def test_s61_no_page_is_left_out(ws: Workspace) -> None:
    """Every route that makes a page is asked for with hostile text; evidence is a file, sent as JSON."""
    pages = Pages(Site(ws.settings), lambda _, names: list(names))
    asked = [url.partition("?")[0].removeprefix("/continual") for url in PAGES.values()]
    routes = [*router(pages).routes, *rows_router(pages).routes]
    left = [r.path for r in routes if isinstance(r, APIRoute) and not any(map(r.path_regex.match, asked))]
    assert left == ["/apps/{application}/ledger/{seq}/evidence.json"]


@pytest.mark.parametrize("url", REFUSED)
def test_s61_a_hostile_request_is_answered_with_a_sentence(web: TestClient, url: str) -> None:
    page = _read(web, url, REFUSED[url])
    assert page.dangers() == []
    assert "Got:" in page.text and "Do:" in page.text


@pytest.mark.parametrize("name", PAGES)
def test_s61_every_page_forbids_what_is_not_its_own(web: TestClient, name: str) -> None:
    headers = web.get(PAGES[name]).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy and "frame-ancestors 'self'" in policy
    assert "unsafe" not in policy and "http" not in policy
    assert (headers["x-content-type-options"], headers["cache-control"]) == ("nosniff", "no-store")


def test_s61_static_files_are_four_and_no_path_leads_elsewhere(web: TestClient) -> None:
    assert web.get("/continual/static/pages.css").headers["content-type"].startswith("text/css")
    for icon in ("icon.svg", "icon-dark.svg"):
        answer = web.get(f"/continual/static/{icon}")
        assert answer.headers["content-type"] == "image/svg+xml" and "default-src 'none'" in str(answer.headers)
    for name in ("../pages.py", "..%2Fpages.py", "%2e%2e/site.py", "pages.css/../../pages.py"):
        assert web.get(f"/continual/static/{name}").status_code == 404


@pytest.mark.parametrize("name", PAGES)
def test_every_page_can_be_read_without_seeing_and_used_without_a_mouse(web: TestClient, name: str) -> None:
    page = _read(web, PAGES[name])
    assert page.of("html")[0]["lang"] == "en"
    assert page.of("a")[0] == {"class": "skip", "href": "#main"}
    assert page.of("main")[0]["id"] == "main"
    assert len(page.of("h1")) == 1
    assert all(th.get("scope") for th in page.of("th"))
    named = all(
        (svg.get("role") == "img" and svg.get("aria-label")) or svg.get("aria-hidden") for svg in page.of("svg")
    )
    assert named
    assert all("tabindex" in d for d in page.of("div") if d.get("class") == "scroll" and d.get("role"))
    labelled = len(page.of("label"))
    shown = [i for i in page.of("input") if i.get("type") != "hidden"]
    assert labelled == len(shown) + len(page.of("select"))
    assert all(a.get("rel") == "noopener" for a in page.of("a") if a.get("target"))


# --- what they show ---


def test_the_heat_map_shows_the_stores_own_numbers(ws: Workspace, web: TestClient) -> None:
    page = web.get(f"{BASE}/slices?{WINDOW}&version=champion&metric=roc_auc").text
    window = Workspace.open(APP, settings=ws.settings)
    found = store_query.metrics(window, days(0, 12), AS_OF, ["2"], kinds=["roc_auc"])
    assert len(found) > 4
    for row in found.itertuples():
        if row.value == row.value:
            assert f"<b>{row.value:.3f}</b><small>{row.low:.3f} to {row.high:.3f}</small>" in page
    assert "4 of 12 days" in page


def test_three_versions_stand_side_by_side_and_say_where_their_numbers_come_from(web: TestClient) -> None:
    text = " ".join(_read(web, PAGES["slices"]).text.split())
    assert "champion: version 2 , 4 of 12 days" in text
    assert "candidate: version 3 , as its gate judged it, 2024-01-09..2024-01-13" in text
    assert "previous: version 1 , 8 of 12 days" in text
    assert "harm" in text and "proven" in text


def test_the_past_is_shown_as_it_was_known(web: TestClient) -> None:
    text = " ".join(_read(web, f"{BASE}/slices?window=2024-01-01..2024-01-05&as_of=2024-01-06").text.split())
    assert "champion: version 1" in text
    assert "version 2" not in text and "version 3" not in text


def test_slices_are_ordered_searched_and_paged(web: TestClient) -> None:
    rows = [th for th in _read(web, f"{BASE}/slices?{WINDOW}&q=region%3Deast").of("th") if th.get("scope") == "row"]
    assert len(rows) == 1
    assert "No slice has" in _read(web, f"{BASE}/slices?{WINDOW}&q=nowhere").text


def test_a_history_has_a_picture_a_table_and_leads_to_its_rows(web: TestClient) -> None:
    page = _read(web, f"{BASE}/slices/history?{WINDOW}&slice=startups&version=live")
    assert len([th for th in page.of("th") if th.get("scope") == "row"]) == 12
    assert len(page.of("circle")) == 12
    assert any("slices/rows?slice=startups&window=2024-01-03..2024-01-04" in (a["href"] or "") for a in page.of("a"))


def test_rows_are_those_of_the_slice_page_by_page_and_each_once(ws: Workspace, web: TestClient) -> None:
    url, keys = f"{BASE}/slices/rows?{WINDOW}&slice=startups", []
    for _ in range(30):
        page = web.get(url).text
        keys += [
            line.split("<")[0] for line in page.split('<td class="num">') if line[3:4] == "-" and line[:3].isdigit()
        ]
        following = [a["href"] for a in Read(page).of("a") if a.get("rel") == "next"]
        if not following:
            break
        url = str(following[0])
    frame = ws.log.read_predictions(days(0, 12), AS_OF)
    assert keys == sorted(frame["record_key"][frame["sector"] == "startup"])


def test_rows_carry_only_the_labels_known_then(web: TestClient) -> None:
    evening = f"{BASE}/slices/rows?window=2024-01-04..2024-01-05&after=2024-01-04|003-0249"
    now, then = web.get(evening).text, web.get(f"{evening}&as_of=2024-01-05").text
    assert now.count(">003-0") == then.count(">003-0") == 50
    known = re.compile(r">2024-01-05 (?!00:00:00)\d\d:\d\d:\d\d<")  # the predictions themselves: at midnight
    assert len(known.findall(now)) == 50
    assert not known.findall(then)


def test_the_verdict_names_who_gains_who_pays_and_what_labels_would_settle(web: TestClient) -> None:
    text = " ".join(_read(web, f"{BASE}/verdict").text.split())
    assert "reject version 3 against version 2" in text
    assert "credit-risk roc_auc" in text
    assert "500 in" in text and "decided against the candidate" in text
    assert "2.00% of 5.00% is left; this decision took 1.000%" in text
    assert "does not hold" in text


def test_a_verdict_leads_to_mlflow_and_to_its_run(web: TestClient) -> None:
    links = [a["href"] for a in _read(web, f"{BASE}/verdict").of("a") if a.get("target") == "_blank"]
    assert "http://127.0.0.1:5000/#/models/loans/versions/3" in links
    assert "/dags/loans.retrain/runs/run-1" in links


def test_the_timeline_marks_what_happened(web: TestClient) -> None:
    page = web.get(f"{BASE}/timeline?{WINDOW}").text
    for kind in ("promotion", "alarm", "fault"):
        assert f'class="sign {kind}"' in page
    assert page.count('class="dot"') == 12


def test_todays_rollback_is_on_the_timeline_before_the_labels_of_its_day(tmp_path: Path) -> None:
    ws = fill(settings_of(tmp_path))
    line = say(ws, "champion", "rollback:1", 16, "roll back from version 2 to 1", {"target": "1"})
    ws.champions.append("1", "rollback", day(16), line.key)
    web = client(ws.settings)
    assert 'class="sign rollback"' in web.get(f"{BASE}/timeline").text
    assert 'class="sign rollback"' not in web.get(f"{BASE}/timeline?{WINDOW}").text


def test_history_that_is_not_measured_is_told_apart_from_labels_that_are_to_come(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    fill(settings)
    with sqlite3.connect(tmp_path / "store" / "continual.db") as connection:
        connection.execute("DELETE FROM cell")  # as after an upgrade that has another form of them
    assert "start loans.store to measure history" in " ".join(_read(client(settings), f"{BASE}/timeline").text.split())


def test_the_overview_says_what_waits_for_people(web: TestClient) -> None:
    text = " ".join(_read(web, "/continual/").text.split())
    assert "7 rows in 1 open items" in text
    assert "champion version 2 since 2024-01-09" in text
    assert "waits for you" in text
    assert "0.700 95% 0.600 to 0.800" in text


# --- the ledger ---


def test_the_ledger_is_searched_and_paged_by_key(tmp_path: Path) -> None:
    ws = Workspace.open(APP, settings=settings_of(tmp_path))
    for number in range(120):
        say(ws, "even" if number % 2 == 0 else "odd", f"k{number}", number, f"100% of {number}_x", {"n": number})
    pages = LedgerPages(ws.db, APP)
    first = pages.page(Wanted())
    assert [line.seq for line in first] == list(range(120, 70, -1))
    assert [line.seq for line in pages.page(Wanted(before=first[-1].seq))] == list(range(70, 20, -1))
    assert [line.seq for line in pages.page(Wanted(after=70))] == list(range(120, 70, -1))
    assert [line.seq for line in pages.page(Wanted(after=20), 5)] == [25, 24, 23, 22, 21]
    assert [line.seq for line in pages.page(Wanted(("odd",), "K11"))] == [120, 118, 116, 114, 112, 12]
    assert [line.seq for line in pages.page(Wanted(words="of 7_X"))] == [8]
    assert pages.page(Wanted(words="%%")) == []
    assert pages.kinds() == {"even": 60, "odd": 60}
    assert [line.seq for line in pages.page(Wanted(since=day(117), until=day(118)))] == [119, 118]
    web = client(ws.settings)
    assert "older →" in web.get(f"{BASE}/ledger").text
    assert "all 120 hashes" in web.get(f"{BASE}/ledger?verify=1").text
    assert "0 of 120 hashes" in " ".join(Read(client(ws.settings).get(f"{BASE}/ledger").text).text.split())


def test_what_a_run_wrote_is_found_by_its_name_and_no_others(tmp_path: Path) -> None:
    ws = Workspace.open(APP, settings=settings_of(tmp_path))
    for run in ("a.retrain run-1 judge", "a.retrain run-1 promote", "a.retrain run-10 judge", "a.retrain run judge"):
        ws.ledger.append("verdict", run, day(1), "r", {}, "p", run)
    found = LedgerPages(ws.db, APP).of_run("a.retrain run-1")
    assert [line.run for line in found] == ["a.retrain run-1 judge", "a.retrain run-1 promote"]


def test_an_altered_entry_is_seen_in_the_list_and_on_its_page(tmp_path: Path) -> None:
    ws = Workspace.open(APP, settings=settings_of(tmp_path))
    for number in range(4):
        say(ws, "trigger", f"k{number}", number, "no retrain", {"n": number})
    with sqlite3.connect(tmp_path / "store" / "continual.db") as connection:
        connection.execute("UPDATE decision SET reason = 'retrain' WHERE seq = 3")
    web = client(ws.settings)
    assert "The chain is broken" in web.get(f"{BASE}/ledger").text
    assert "first broken at seq 3" in web.get(f"{BASE}/ledger").text
    assert "This entry was altered" in web.get(f"{BASE}/ledger/3").text
    assert "Its hash is that of its content" in web.get(f"{BASE}/ledger/2").text


def test_evidence_comes_whole_as_json(ws: Workspace, web: TestClient) -> None:
    answer = web.get(f"{BASE}/ledger/7/evidence.json")
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["content-disposition"].startswith("attachment")
    assert json.loads(answer.text) == LedgerPages(ws.db, APP).entry(7).evidence


# --- nothing there, or nobody answers ---


def test_before_anything_came_every_page_is_a_sentence(tmp_path: Path) -> None:
    web = client(settings_of(tmp_path))
    for name in ("slices", "verdict", "timeline", "ledger"):
        assert "the evaluation store is empty" in _read(web, f"{BASE}/{name}").text
    assert "the evaluation store is empty" in _read(web, "/continual/").text


def test_without_a_champion_a_verdict_or_cells_every_page_is_a_sentence(tmp_path: Path) -> None:
    ws = Workspace.open(APP, settings=settings_of(tmp_path))
    ws.db.upgrade()
    web = client(ws.settings)
    assert "There is no champion" in _read(web, f"{BASE}/slices").text
    assert "none was judged yet" in _read(web, f"{BASE}/verdict").text
    assert "none is measured" in _read(web, f"{BASE}/timeline").text
    assert "The ledger is empty" in _read(web, f"{BASE}/ledger").text
    assert "It has written nothing" in _read(web, f"{BASE}/run?dag_id=a.b&run_id=c").text
    assert "none yet" in _read(web, "/continual/").text
    assert "No row of this slice" in _read(web, f"{BASE}/slices/rows?{WINDOW}").text


def test_a_store_that_does_not_answer_is_a_sentence_and_looking_changes_nothing(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    away = replace(settings, database_url="postgresql://nobody@127.0.0.1:9/none")
    page = _read(client(away), f"{BASE}/slices", 503)
    assert "The evaluation store must answer" in page.text
    assert "The evaluation store must answer" in _read(client(away), "/continual/").text
    assert not (tmp_path / "policies").exists()


def test_an_invalid_policy_leaves_the_last_good_one_and_says_so(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    web = client(settings)
    (tmp_path / "configs" / f"{APP}.yaml").write_text("application: loans\nowner: <b>x</b>\n")
    page = _read(web, f"{BASE}/slices", 503)
    assert page.dangers() == []
    assert "policy invalid" in _read(web, "/continual/").text
    (tmp_path / "configs" / f"{APP}.yaml").write_text(POLICY)
    assert _read(web, f"{BASE}/slices").text


def test_a_schema_of_another_release_is_a_sentence(tmp_path: Path) -> None:
    settings: Settings = settings_of(tmp_path)
    Workspace.open(APP, settings=settings).db.upgrade()
    with sqlite3.connect(tmp_path / "store" / "continual.db") as connection:
        connection.execute("UPDATE continual_schema SET version_num = '0001'")
    assert "continual db upgrade" in _read(client(settings), f"{BASE}/slices", 503).text


def test_the_card_says_what_a_retrain_would_bring_and_what_retrains_brought(ws: Workspace, web: TestClient) -> None:
    row = dict.fromkeys(c.name for c in retrain_result.columns if c.name != "app")
    row |= {"as_of": day(9), "unit": "point-days", "labels": 0, "cost": 20.0, "n": 0, "scored_as_of": day(16)}
    rejected = {"retrain_key": "r1", "outcome": "rejected", "gain": 0.0, "reason": "nothing was promoted"}
    ws.retrains.put_result({**row, **rejected})
    promoted = {"retrain_key": "r2", "outcome": "promoted", "gain": 70.0, "as_of": day(10), "reason": HOSTILE}
    ws.retrains.put_result({**row, **promoted})
    ws.retrains.put_result({**row, "retrain_key": "r0", "outcome": "open", "as_of": day(2), "reason": "not yet"})
    text = Read(web.get("/continual/").text).text
    assert "would bring 12 point-days (95% 4 to 20) over 21 days and cost 5 point-days: net +7; 9 matured days" in text
    assert "3, 1 not settled yet; net 10 point-days. Last, 2024-01-11:" in text
