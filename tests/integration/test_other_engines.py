"""Engines that know nothing of continual read the log: DuckDB's own Iceberg reader, on real tables."""

from __future__ import annotations

import importlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from flow_loans import ROWS
from flow_world import Stages

from continual.core.window import Window

pytestmark = pytest.mark.integration


def _duckdb() -> Any:
    """With the Iceberg reader from its wheel: nothing is downloaded at run time."""
    import duckdb

    connection = duckdb.connect()
    for name in ("avro", "iceberg"):
        package = importlib.import_module(f"duckdb_extension_{name}")
        found = next(Path(str(package.__file__)).parent.rglob("*.duckdb_extension"))
        connection.execute(f"LOAD '{found}'")
    return connection


def test_duckdb_reads_predictions_and_labels_as_of_an_instant(stages: Stages) -> None:
    """The same join as `read_labelled`, in SQL: the newest label of a key that was known by then."""
    world = stages("champion")
    as_of = datetime(2024, 1, 12, tzinfo=UTC)
    catalog = world.ws().log._catalog
    tables = {name: catalog.load_table((world.ws().app, name)).metadata_location for name in ("predictions", "labels")}
    query = f"""
        WITH label AS (
          SELECT record_key, value, row_number() OVER (PARTITION BY record_key ORDER BY known_at DESC) AS age
          FROM iceberg_scan('{tables["labels"]}') WHERE known_at <= TIMESTAMPTZ '{as_of.isoformat()}')
        SELECT count(*), count(value), avg(value)
        FROM iceberg_scan('{tables["predictions"]}') AS p LEFT JOIN label ON p.record_key = label.record_key AND age = 1
        WHERE p.known_at <= TIMESTAMPTZ '{as_of.isoformat()}'
    """
    rows, labelled, mean = _duckdb().execute(query).fetchone()
    ours = world.ws().log.read_labelled(Window(datetime(2024, 1, 1, tzinfo=UTC), as_of), as_of)
    assert rows == len(ours) == 11 * ROWS  # a day is known at its end
    assert labelled == ours["label"].notna().sum() > 0
    assert mean == pytest.approx(ours["label"].mean())
