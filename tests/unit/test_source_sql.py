"""What the `sql` source accepts in a policy; it reads databases in tests/integration."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from continual.core.window import utc
from continual.errors import BatchError
from continual.sources.base import SOURCES, SourceUnavailable
from continual.sources.sql import Sql

TABLE = {"table": "bank.answers", "watermark": "asked_at"}
GOOD: dict[str, Any] = {"kind": "sql", "url_env": "LOANS_URL", "predictions": TABLE, "labels": TABLE}


def built(**fields: Any) -> Sql:
    source = SOURCES.build({**GOOD, **fields})
    assert isinstance(source, Sql)
    return source


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"url_env": None}, "either 'url_env' or 'url_file'"),
        ({"url_file": "x"}, "either 'url_env' or 'url_file'"),
        ({"url_env": "postgresql://me:pw@host/db"}, "url_env"),
        ({"url": "postgresql://me:pw@host/db"}, "Extra inputs"),
        ({"labels": {"watermark": "t"}}, "either 'table' or 'query'"),
        ({"labels": {**TABLE, "query": "SELECT 1"}}, "either 'table' or 'query'"),
        ({"labels": {**TABLE, "table": 'x"; DROP TABLE y'}}, "must be a table's name"),
        ({"labels": {**TABLE, "table": "a.b.c.d"}}, "must be a table's name"),
        ({"labels": {**TABLE, "watermark": 'a" OR 1=1'}}, "column names hold no quotes"),
        ({"labels": {**TABLE, "columns": {"value": "x\x00"}}}, "column names hold no quotes"),
        ({"lag": "soon"}, "a number and a unit"),
        ({"lag": "-3h"}, "a number and a unit"),
        ({"lag": "99999999w"}, "at most a hundred years"),
    ],
)
def test_s61_unsound_policies_are_refused(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        built(**fields)


@pytest.mark.parametrize(
    "query",
    [
        "DELETE FROM answers",
        "SELECT 1; SELECT 2",
        "SELECT 1; DROP TABLE answers",
        "SELECT * INTO copy FROM answers",
        "WITH gone AS (DELETE FROM answers RETURNING *) SELECT * FROM gone",
        "SELECT * FROM answers FOR UPDATE",
        "PRAGMA writable_schema = 1",
        "VACUUM",
        "SELECT FROM WHERE (",
        "",
    ],
)
def test_s61_statements_that_may_write_are_refused(query: str) -> None:
    with pytest.raises(ValidationError, match="must be one SELECT"):
        built(labels={"query": query, "watermark": "t"})


def test_a_select_may_join_and_have_a_with() -> None:
    query = "WITH a AS (SELECT * FROM x) SELECT a.*, y.z FROM a JOIN y ON a.k = y.k UNION ALL SELECT 1, 2;"
    assert built(labels={"query": query, "watermark": "t"}).labels.query == query.rstrip(";")


def test_the_lag_is_spelled_as_everywhere_and_written_back() -> None:
    source = built(lag="90m", look_back="14d")
    assert (source.lag, source.look_back) == (timedelta(minutes=90), timedelta(days=14))
    written = source.model_dump(mode="json")
    assert (written["lag"], written["look_back"]) == ("90m", "2w")
    assert SOURCES.build(written) == source


def test_the_url_comes_from_environment_or_file_and_is_never_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    until = utc("2024-01-01T00:00:00Z")
    monkeypatch.delenv("LOANS_URL", raising=False)
    with pytest.raises(BatchError, match=r"LOANS_URL holds nothing.*export LOANS_URL"):
        built().batches("labels", until, tmp_path)
    from_file = built(url_env=None, url_file="secrets/url")
    with pytest.raises(BatchError, match=r"url holds nothing.*chmod 600"):
        from_file.batches("labels", until, tmp_path)
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "url").write_text("postgres me:s3cret no url\n")
    with pytest.raises(BatchError, match="must be one of SQLAlchemy") as caught:
        from_file.batches("labels", until, tmp_path)
    assert "s3cret" not in str(caught.value)
    (tmp_path / "secrets" / "url").write_text(f"sqlite:///{tmp_path}/none.db\n")
    with pytest.raises(SourceUnavailable, match="is no file"):
        from_file.batches("labels", until, tmp_path)
    monkeypatch.setenv("LOANS_URL", "oracle+nodriver://me:s3cret@host/db")
    with pytest.raises(BatchError, match="must be installed") as caught:
        built().batches("labels", until, tmp_path)
    assert "s3cret" not in str(caught.value)
