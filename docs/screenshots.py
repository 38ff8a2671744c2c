"""Photographs the README's pages: plays the story, then opens Airflow and MLflow in headless Chromium.

Needs Debian's `chromium` (or CHROMIUM=/path/to/it). `make screenshots` installs the rest. With `--running HOME` it
photographs a demo that is already being served from HOME.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Page, sync_playwright

from continual.demo.story import CHAPTERS
from continual.demo.world import APP, World
from continual.local.airflow_api import AirflowClient
from continual.local.home import Home

IMAGES = Path(__file__).parent / "images"
#: Long enough for both single-page applications to draw.
SETTLE_MS = 7000
PATIENCE_MS = 120_000
SIZE = {"width": 1440, "height": 900}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--running", type=Path, help="home of a demo that is being served")
    args = parser.parse_args()
    if args.running:
        ports = json.loads((args.running / "ports.json").read_text())
        shoot(args.running, f"http://127.0.0.1:{ports['airflow']}", f"http://127.0.0.1:{ports['mlflow']}")
        return
    with World(Path("var/screenshots"), print) as world:
        for chapter in CHAPTERS:
            print(chapter.claim, chapter.play(world).held)
        shoot(world.home, world.stack.airflow_url, world.stack.mlflow_uri)


def shoot(home: Path, airflow: str, mlflow: str) -> None:
    """Pictures into docs/images: a blocked retrain and its pages in Airflow, two versions in MLflow."""
    IMAGES.mkdir(exist_ok=True)
    password = Home(home).secrets().admin_password
    client = AirflowClient(airflow, "admin", password)
    rejected = next(r for r in client.runs(f"{APP}.retrain") if _answer(client, r) == "reject")
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=_chromium(), args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport=SIZE, device_scale_factor=1)
        page.set_default_timeout(PATIENCE_MS)
        _login(page, airflow, password)
        run = f"{airflow}/dags/{APP}.retrain/runs/{rejected.run_id}"
        _photograph(page, run, "airflow-retrain", click="Show Graph (Press g)")
        _photograph(page, f"{run}/tasks/judge/xcom", "airflow-judge", click="Show Grid (Press g)")
        _tab(page, f"{run}/plugin/continual-verdict", "airflow-verdict")
        _tab(page, f"{airflow}/dags/{APP}.monitor/plugin/continual-slices", "airflow-slices")
        _tab(page, f"{airflow}/dags/{APP}.monitor/plugin/continual-slices", "airflow-timeline", follow="Timeline")
        _photograph(page, _compare_url(mlflow), "mlflow-compare", click="Close", scroll_to="Metrics")
        _photograph(page, f"{mlflow}/#/models/{APP}/versions/3", "mlflow-version", click="Close")
        browser.close()


def _answer(client: AirflowClient, run: Any) -> str | None:
    try:
        return str(client.xcom(run.dag_id, run.run_id, "judge", key="answer"))
    except Exception:  # a run that was never judged
        return None


def _login(page: Page, airflow: str, password: str) -> None:
    page.goto(airflow)
    page.get_by_label("Username").fill("admin")
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_timeout(3000)


def _compare_url(mlflow: str) -> str:
    """MLflow's run comparison of versions 2 and 3: every slice's metric side by side."""
    from mlflow import MlflowClient

    client = MlflowClient(mlflow)
    runs = [client.get_model_version(APP, version).run_id for version in ("2", "3")]
    experiment = client.get_experiment_by_name(APP)
    quoted = json.dumps(runs, separators=(",", ":")).replace('"', "%22")
    return f"{mlflow}/#/compare-runs?runs={quoted}&experiments=[%22{experiment.experiment_id}%22]"


def _photograph(page: Page, url: str, name: str, click: str, scroll_to: str | None = None) -> None:
    """click: a button's label, pressed if it is there. scroll_to: text to bring to the top."""
    page.goto(url)
    page.wait_for_timeout(SETTLE_MS)
    button = page.get_by_label(click, exact=True)
    if button.count():
        button.first.click()
        page.wait_for_timeout(SETTLE_MS // 2)
    if scroll_to:
        page.get_by_text(scroll_to, exact=True).last.evaluate("e => e.scrollIntoView(true)")
    _keep(page, name)


def _tab(page: Page, url: str, name: str, follow: str | None = None) -> None:
    """One of our own pages in Airflow's frame. follow: a link of its navigation."""
    page.goto(url)
    frame = page.frame_locator("iframe")
    frame.locator("h1").wait_for(timeout=PATIENCE_MS)
    if follow:
        frame.get_by_role("navigation").get_by_role("link", name=follow, exact=True).click()
        frame.locator("a[aria-current]", has_text=follow).wait_for(timeout=PATIENCE_MS)
    page.wait_for_timeout(SETTLE_MS // 2)
    _keep(page, name)


def _keep(page: Page, name: str) -> None:
    """Of few colours: a third of the bytes, and nobody sees it."""
    path = IMAGES / f"{name}.png"
    page.screenshot(path=str(path))
    with Image.open(path) as picture:
        picture.convert("RGB").quantize(128, dither=Image.Dither.NONE).save(path, optimize=True)
    print(f"docs/images/{name}.png, {path.stat().st_size // 1024} kB")


def _chromium() -> str:
    found = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if not found:
        raise SystemExit("Chromium must be installed (Debian: apt-get install chromium), or name it in CHROMIUM.")
    return found


if __name__ == "__main__":
    main()
