"""The same flows with nothing that matters on the machine's disk: PostgreSQL, object storage, any worker."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import boto3
import pandas as pd
import pytest
from flow_server import Server
from flow_tasks import ROWS, Deployment, day

from continual.api import Application
from continual.core.window import Window
from continual.flows import rebuild, settle
from continual.settings import Settings

pytestmark = pytest.mark.integration
pytest_plugins = ["postgres", "s3_server"]


def test_ingest_retrain_measure_and_ask_on_postgresql_and_s3(
    tmp_path: Path, mlflow_server: Server, new_postgres: Callable[[], str], s3: str
) -> None:
    bucket = boto3.client("s3")
    homes = {"CONTINUAL_HOME": str(tmp_path / "a"), "CONTINUAL_CONFIGS": str(tmp_path / "configs")}
    settings = replace(
        Settings.from_environment(homes),
        tracking_uri=mlflow_server.uri,
        database_url=new_postgres(),
        catalog_uri=new_postgres(),
        warehouse="s3://bank/warehouse",
    )
    place = Deployment(settings, "bikes", "s3://bank/landing").configure()
    try:
        place.play(0, 10)
        place.retrain(day(10))
        place.play(10, 14)
        measured = settle.measure(place.ws(), Window(day(13), day(14)), day(14))
        assert "mae" in measured.reason and "100% labelled" in measured.reason
        window = Window(day(10), day(13))
        found = Application.of(place.ws()).metrics(window, as_of=day(14))
        assert (found.loc[found["slice"] == "overall", "n"] == 3 * ROWS).all()

        # another machine: its home is empty, what is known lies in the database and the bucket
        elsewhere = replace(place, settings=replace(settings, home=tmp_path / "b"))
        assert rebuild.survey(elsewhere.ws(), None, day(14)).data["groups"] == []
        pd.testing.assert_frame_equal(Application.of(elsewhere.ws()).metrics(window, as_of=day(14)), found)
        kept = [item["Key"] for item in bucket.list_objects_v2(Bucket="bank")["Contents"]]
        assert sum(key.endswith(".parquet") and key.startswith("warehouse/") for key in kept) >= 14
        assert not list((tmp_path / "b").rglob("*.parquet"))
    finally:
        place.ws().registry.client.delete_registered_model("bikes")
