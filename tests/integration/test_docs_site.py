"""The documentation site builds without a warning and fetches nothing; its reading copy tells its story."""

from __future__ import annotations

import os
import re
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.integration
ROOT = Path(__file__).parents[2]
MINI = ROOT / "docs" / "tutorial" / "minicontinual.py"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(out)]
    env = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return out


def test_every_page_of_the_folder_is_on_the_site(site: Path) -> None:
    written = {p.relative_to(ROOT / "docs").with_suffix(".html") for p in (ROOT / "docs").rglob("*.md")}
    made = {p.relative_to(site) for p in site.rglob("*.html")}
    renamed = {p.with_name("index.html") if p.name == "README.html" else p for p in written}
    assert renamed <= made


def test_the_reference_is_made_from_schema_and_commands(site: Path) -> None:
    policy = (site / "reference" / "policy.html").read_text(encoding="utf-8")
    commands = (site / "reference" / "commands.html").read_text(encoding="utf-8")
    assert "yearly_alpha" in policy and "e_detector" in policy
    assert "continual quarantine release" in commands and "--detach" in commands
    python = (site / "reference" / "python.html").read_text(encoding="utf-8")
    assert "Application.explain" in python and "Why a version (default: the champion) is live" in python


def test_nothing_is_fetched_from_elsewhere(site: Path) -> None:
    pattern = re.compile(
        r'(?:src|href)="(https?:)?//([^"/]+)[^"]*"[^>]*(?:rel="stylesheet"|rel="preconnect")|<script src="https?://'
    )
    assert [p.name for p in site.rglob("*.html") if pattern.search(p.read_text(encoding="utf-8"))] == []


@pytest.fixture(scope="module")
def mini() -> Any:
    return runpy.run_path(str(MINI))


@pytest.fixture(scope="module")
def played(mini: Any) -> Any:
    return mini["play"](MINI.parent / "bikes.parquet")


def test_the_reading_copy_is_short() -> None:
    assert len(MINI.read_text(encoding="utf-8").splitlines()) < 300


def test_it_blocks_the_candidate_that_is_broken_on_weekends(played: Any) -> None:
    [said] = [e["reason"] for e in played.ledger.entries if e["as_of"] == "2012-06-17"]
    assert said.startswith("reject 3: weekend would err")


def test_it_rolls_back_the_version_that_breaks_when_it_is_live(played: Any) -> None:
    [back] = [e for e in played.ledger.entries if e["kind"] == "rollback"]
    assert back["reason"].startswith("back from 4 to 2") and "2012-08-13" < back["as_of"] < "2012-09-30"


def test_a_changed_entry_is_seen(played: Any) -> None:
    assert played.ledger.verify()
    reason = played.ledger.entries[2]["reason"]
    played.ledger.entries[2]["reason"] = "promote 3"
    assert not played.ledger.verify()
    played.ledger.entries[2]["reason"] = reason


def test_what_was_not_known_yet_is_not_seen(mini: Any, played: Any) -> None:
    rows = played.log.rows
    start, end = rows["ts"].min(), rows["ts"].min() + 2 * mini["DAY"]
    seen = played.log.labelled(start, end, start + mini["DAY"])
    assert 0 < len(seen) < len(played.log.labelled(start, end, end + mini["DAY"])) == 48
