"""A person with a browser: real Chromium in front of the deployment's Airflow and MLflow."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.sync_api import Browser, FrameLocator, Page, expect, sync_playwright

Theme = Literal["light", "dark"]
#: Both user interfaces fetch what they show; on a crowded machine that takes a while.
PATIENCE = 60_000
expect.set_options(timeout=PATIENCE)
SIZE = {"width": 1440, "height": 1000}
#: Text and background of every visible text of a document whose contrast is under WCAG's 4.5 (3 for large text).
PALE = """() => {
  const parts = c => (c.match(/[\\d.]+/g) || []).map(Number);
  const shine = ([r, g, b]) => [r, g, b].map(v => (v /= 255) <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
  const ground = node => {
    for (let n = node; n; n = n.parentElement) {
      const c = parts(getComputedStyle(n).backgroundColor);
      if (c.length === 3 || c[3] > .99) return c;
      if (c[3] > 0) return null;
    }
    return matchMedia('(prefers-color-scheme: dark)').matches ? [18, 18, 18] : [255, 255, 255];
  };
  const pale = [];
  for (const node of document.querySelectorAll('body *')) {
    const own = [...node.childNodes].some(n => n.nodeType === 3 && n.textContent.trim());
    const style = getComputedStyle(node), box = node.getBoundingClientRect();
    if (!own || style.visibility === 'hidden' || !box.width || !box.height || node.closest('svg')) continue;
    if (node.matches('.skip') || style.clipPath !== 'none') continue;
    const back = ground(node);
    if (!back) continue;
    const [a, b] = [shine(parts(style.color)), shine(back)].sort((x, y) => y - x);
    const need = parseFloat(style.fontSize) >= 24 ? 3 : 4.5;
    const ratio = (a + .05) / (b + .05), text = node.textContent.trim().slice(0, 40);
    if (ratio < need) pale.push(`${node.tagName}.${node.className}: ${text} ${ratio.toFixed(2)}`);
  }
  return pale;
}"""


@dataclass
class Person:
    """One browser window. problems: what its pages' scripts and requests complained about."""

    page: Page
    airflow: str
    theme: Theme
    problems: list[str] = field(default_factory=list)

    def log_in(self, password: str) -> None:
        self.page.goto(self.airflow)
        self.page.get_by_label("Username").fill("admin")
        self.page.get_by_label("Password").fill(password)
        self.page.get_by_role("button", name="Sign in").click()
        self.page.wait_for_url(f"{self.airflow}/", timeout=PATIENCE)

    def tab(self, path: str) -> FrameLocator:
        """A page of ours inside Airflow's frame."""
        self.page.goto(f"{self.airflow}{path}")
        frame = self.page.frame_locator("iframe")
        frame.locator("main").wait_for(timeout=PATIENCE)
        return frame

    def open(self, path: str) -> Page:
        """A page of ours by itself."""
        answer = self.page.goto(f"{self.airflow}{path}")
        assert answer is not None and answer.status == 200, f"{path}: {answer and answer.status}"
        return self.page

    def pale(self) -> list[str]:
        found: list[str] = self.page.evaluate(PALE)
        return found

    def photograph(self, name: str) -> None:
        """Into the folder of CONTINUAL_SCREENSHOTS, if somebody wants to look."""
        folder = os.environ.get("CONTINUAL_SCREENSHOTS")
        if folder:
            Path(folder).mkdir(parents=True, exist_ok=True)
            self.page.screenshot(path=str(Path(folder) / f"{name}.png"))


@contextmanager
def browser() -> Iterator[Browser]:
    """Skips where there is no Chromium: `make test` installs Debian's where it can, and says so where it cannot."""
    found = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if not found:
        pytest.skip("nobody looked at the pages: no Chromium here; `make browser`, or name one in CHROMIUM")
    with sync_playwright() as play:
        made = play.chromium.launch(executable_path=found, args=["--no-sandbox", "--disable-gpu"])
        yield made
        made.close()


def sit_down(browser: Browser, airflow: str, theme: Theme) -> Person:
    context = browser.new_context(color_scheme=theme, viewport=SIZE)
    context.set_default_timeout(PATIENCE)
    person = Person(context.new_page(), airflow, theme)
    person.page.on("pageerror", lambda error: person.problems.append(str(error)))
    person.page.on("console", lambda said: _note(person, said))
    return person


def _note(person: Person, said: Any) -> None:
    """Only of our own pages: Airflow's own warnings are Airflow's."""
    if said.type == "error" and "/continual" in (said.location or {}).get("url", ""):
        person.problems.append(said.text)
