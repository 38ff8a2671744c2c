"""The examples of docs/how-to/connect-data.md are sources, and its Python runs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from continual.sources.base import SOURCES


@pytest.fixture(scope="module")
def page(repository: Path) -> str:
    return (repository / "docs" / "how-to" / "connect-data.md").read_text(encoding="utf-8")


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page, re.DOTALL)


def test_every_policy_shown_is_a_source(page: str) -> None:
    kinds = [SOURCES.build(yaml.safe_load(block)["source"]).kind for block in blocks(page, "yaml")]
    assert kinds == ["folder", "folder", "sql"]


def test_the_program_shown_logs_a_prediction_and_a_label(page: str, tmp_path: Path) -> None:
    (program,) = blocks(page, "python")
    assert program.count('"s3://bank/inbox"') == 1
    exec(program.replace('"s3://bank/inbox"', repr(str(tmp_path))), {})
    streams = sorted(path.parent.name for path in (tmp_path / "loans").rglob("*.parquet"))
    assert streams == ["labels", "predictions"]
