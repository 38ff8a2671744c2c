"""Every page of the product in real Airflow and MLflow, in Chromium, light and dark, with mouse and keyboard."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from urllib.parse import quote

import pytest
from deployment import Deployment
from people import Person, Theme, browser, sit_down
from playwright.sync_api import Browser, expect
from viewed import APP, Viewed

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1200)]
WINDOW = "window=2024-01-11..2024-01-24&as_of=2024-01-25"
OWN = f"/continual/apps/{APP}"
PAGES = {
    "applications": "/continual/",
    "slices": f"{OWN}/slices?{WINDOW}",
    "history": f"{OWN}/slices/history?{WINDOW}&slice=overall",
    "rows": f"{OWN}/slices/rows?{WINDOW}&slice=startups",
    "verdict": f"{OWN}/verdict",
    "timeline": f"{OWN}/timeline?{WINDOW}",
    "ledger": f"{OWN}/ledger",
    "entry": f"{OWN}/ledger/1",
}


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as made:
        yield made


@pytest.fixture(scope="module", params=["light", "dark"])
def person(
    request: pytest.FixtureRequest, chromium: Browser, deployment: Deployment, viewed: Viewed
) -> Iterator[Person]:
    yield from _signed_in(chromium, deployment, request.param)


def _signed_in(chromium: Browser, deployment: Deployment, theme: Theme) -> Iterator[Person]:
    made = sit_down(chromium, deployment.stack.airflow_url, theme)
    made.log_in(deployment.stack.home.secrets().admin_password)
    yield made
    made.page.context.close()


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_whole_and_every_text_of_it_readable(person: Person, name: str) -> None:
    person.problems.clear()
    page = person.open(PAGES[name])
    expect(page.locator("h1")).to_be_visible()
    person.photograph(f"{name}-{person.theme}")
    assert person.problems == []
    assert person.pale() == []
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 0, "the page is wider than the window"


def test_a_dag_has_the_tab_slices_and_a_run_the_tab_verdict(person: Person, viewed: Viewed) -> None:
    slices = person.tab(f"/dags/{APP}.monitor/plugin/continual-slices")
    expect(slices.get_by_text("startups").first).to_be_visible()
    person.photograph(f"tab-slices-{person.theme}")
    verdict = person.tab(f"/dags/{viewed.run.dag_id}/runs/{quote(viewed.run.run_id, safe='')}/plugin/continual-verdict")
    expect(verdict.get_by_text("version 2", exact=False).first).to_be_visible()
    person.photograph(f"tab-verdict-{person.theme}")


def test_a_person_without_a_mouse_reaches_a_number_s_history(person: Person) -> None:
    """Tab to the first cell, Enter, and every stop on the way shows where it is."""
    page = person.open(PAGES["slices"])
    for _ in range(200):
        page.keyboard.press("Tab")
        here = page.evaluate(
            "() => { const e = document.activeElement, s = getComputedStyle(e);"
            " return [e.tagName, e.getAttribute('href') || '', s.outlineStyle != 'none' || s.boxShadow != 'none'] }"
        )
        assert here[0] == "BODY" or here[2], f"nothing shows that {here[:2]} has the focus"
        if "/slices/history" in here[1]:
            break
    else:
        raise AssertionError("no cell was reached in 200 steps")
    page.keyboard.press("Enter")
    page.wait_for_url("**/slices/history**")
    expect(page.locator("h1")).to_be_visible()


def test_nobody_who_is_not_logged_in_sees_a_page(chromium: Browser, deployment: Deployment, viewed: Viewed) -> None:
    stranger = sit_down(chromium, deployment.stack.airflow_url, "light")
    stranger.page.goto(f"{stranger.airflow}{PAGES['slices']}")
    expect(stranger.page.get_by_label("Password")).to_be_visible()
    stranger.page.context.close()


@pytest.mark.parametrize("page", ["verdict", "timeline", "ledger"])
def test_other_pages_open_inside_the_tab(person: Person, page: str) -> None:
    frame = person.tab(f"/dags/{APP}.monitor/plugin/continual-slices")
    frame.get_by_role("navigation").get_by_role("link", name=page.capitalize(), exact=True).click()
    expect(frame.locator("a[aria-current]")).to_have_text(page.capitalize())
    expect(frame.locator("h1")).to_be_visible()
    person.photograph(f"tab-{page}-{person.theme}")


def test_the_navigation_has_all_applications(person: Person) -> None:
    frame = person.tab("/plugin/continual-applications")
    expect(frame.get_by_role("link", name=APP, exact=True)).to_be_visible()
    person.photograph(f"tab-applications-{person.theme}")


def test_a_frame_is_as_dark_as_airflow_around_it(person: Person) -> None:
    frame = person.tab(f"/dags/{APP}.monitor/plugin/continual-slices")
    look = "e => getComputedStyle(e).colorScheme"
    assert person.page.locator("html").evaluate(look) == frame.locator("html").evaluate(look) == person.theme


# --- forms ---


@pytest.fixture(scope="module")
def clerk(chromium: Browser, deployment: Deployment) -> Iterator[Person]:
    yield from _signed_in(chromium, deployment, "light")


def _form(clerk: Person, dag: str, *titles: str) -> None:
    """Trigger's dialog, with every field's title and what it is for."""
    clerk.page.goto(f"{clerk.airflow}/dags/{dag}")
    clerk.page.get_by_role("button", name="Trigger", exact=False).first.click()
    dialog = clerk.page.get_by_role("dialog")
    for title in titles:  # a star follows those that must be filled in
        expect(dialog.get_by_text(re.compile(rf"^\s*{title}\s*\*?\s*$")).first).to_be_visible()
    clerk.photograph(f"form-{dag}")


def test_the_form_of_retrain(clerk: Person) -> None:
    _form(clerk, f"{APP}.retrain", "As of", "Reason")


def test_the_form_of_replay(clerk: Person) -> None:
    _form(clerk, f"{APP}.replay", "Policies", "From", "Until", "Every", "Jobs")


def test_the_form_of_rollback_proposes_the_versions_there_are(
    clerk: Person, deployment: Deployment, viewed: Viewed
) -> None:
    assert viewed.lender.champion() == "2", "there must be one to go back to"
    details = f"/dags/{APP}.rollback/details"
    field = deployment.until(
        "the form knows version 1",
        lambda: deployment.airflow.http.get(details)["params"]["to"]["schema"].get("examples"),
    )
    assert field == ["1"]
    _form(clerk, f"{APP}.rollback", "Version to leave", "To version", "Reason")


def test_the_form_of_label_is_there_where_people_are_asked(clerk: Person, deployment: Deployment) -> None:
    deployment.airflow.wait_for_dags(["surveyed.label"], timeout=120)
    _form(clerk, "surveyed.label", "Labels", "Reason", "Slice")


# --- MLflow ---


def test_mlflow_shows_the_verdict_on_the_page_of_a_version(
    chromium: Browser, deployment: Deployment, viewed: Viewed
) -> None:
    person = sit_down(chromium, deployment.stack.airflow_url, "light")
    person.page.goto(f"{deployment.stack.mlflow_uri}/#/models/{APP}/versions/2")
    expect(person.page.get_by_text("Who gains, who pays").first).to_be_visible()
    expect(person.page.get_by_text("continual.verdict").first).to_be_visible()
    person.photograph("mlflow-version")
    person.page.context.close()


def test_mlflow_compares_two_versions_slice_by_slice(chromium: Browser, deployment: Deployment, viewed: Viewed) -> None:
    client = viewed.lender.ws().registry.client
    versions = [client.get_model_version(APP, version) for version in ("1", "2")]
    runs = quote(json.dumps([v.run_id for v in versions], separators=(",", ":")))
    experiment = client.get_run(versions[0].run_id).info.experiment_id
    person = sit_down(chromium, deployment.stack.airflow_url, "light")
    person.page.goto(f"{deployment.stack.mlflow_uri}/#/compare-runs?runs={runs}&experiments=[%22{experiment}%22]")
    expect(person.page.get_by_text("Metrics", exact=True).last).to_be_visible()
    metric = person.page.get_by_text("roc_auc/startups", exact=True).last
    metric.scroll_into_view_if_needed()
    expect(metric).to_be_visible()
    person.photograph("mlflow-compare")
    person.page.context.close()
