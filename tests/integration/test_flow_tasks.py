"""The whole loop for labels that are classes or numbers: ingest, train, judge, promote, measure, watch, compare."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from flow_server import Server
from flow_tasks import Deployment, day

from continual.api import Application
from continual.core.window import Window
from continual.flows import monitor, settle
from continual.flows.score_files import score_files
from continual.flows.serving_check import answers
from continual.settings import Settings

pytestmark = pytest.mark.integration


@pytest.fixture(params=["weather", "bikes"])
def place(request: pytest.FixtureRequest, tmp_path: Path, mlflow_server: Server) -> Iterator[Deployment]:
    environment = {"CONTINUAL_HOME": str(tmp_path), "CONTINUAL_CONFIGS": str(tmp_path / "configs")}
    settings = replace(Settings.from_environment(environment), tracking_uri=mlflow_server.uri)
    made = Deployment(settings, request.param, str(tmp_path / "landing")).configure()
    yield made
    made.ws().registry.client.delete_registered_model(request.param)  # the server outlives the test


def test_a_model_of_classes_or_numbers_is_judged_promoted_measured_watched_and_compared(place: Deployment) -> None:
    place.play(0, 10)
    place.retrain(day(10))
    assert place.ws().registry.champion() == "1"
    place.play(10, 24)
    place.retrain(day(24))
    assert place.ws().registry.champion() == "2"  # knows `b`
    place.play(24, 30)
    primary = place.ws().policy.primary.name

    measured = settle.measure(place.ws(), Window(day(29), day(30)), day(30))
    assert f"{primary} " in measured.reason and "100% labelled" in measured.reason
    watched = monitor.watch(place.ws(), day(30))
    assert not watched.data.get("alarm"), watched.reason

    app = Application.of(place.ws())
    live = app.metrics(Window(day(12), day(23)), as_of=day(30)).set_index(["slice", "metric"])
    later = app.metrics(Window(day(24), day(29)), as_of=day(30)).set_index(["slice", "metric"])
    assert later.loc[("overall", primary), "value"] < live.loc[("overall", primary), "value"] / 1.3
    assert live.loc[("far_out", primary), "n"] > 100
    app.score("2", Window(day(12), day(23)))
    found = Application.of(place.ws()).compare("2", "1", Window(day(12), day(23)), as_of=day(30))
    found = found[found["slice"] == "overall"].set_index("metric")
    assert found.loc[primary, "low"] > 0  # version 2 would have been better
    scored_in_batches(place)
    weak = app.discover(Window(day(12), day(23)), as_of=day(30))
    assert isinstance(weak, list)


def scored_in_batches(place: Deployment) -> None:
    config = place.settings.configs / f"{place.app}.yaml"
    config.write_text(config.read_text() + "scoring: {source: to-score, target: scored}\n")
    (place.settings.home / "to-score").mkdir()
    rows = place.rows(30)[0].head(20)
    rows.to_parquet(place.settings.home / "to-score" / "x.parquet", index=False)
    score_files(place.ws(), day(31))
    told = pd.read_parquet(place.settings.home / "scored" / "x.parquet").set_index("record_key")
    columns, ws = list(place.ws().policy.label.target.columns), place.ws()
    assert list(told.columns) == ["event_time", "model_version", *columns]
    logged = ws.log.read_predictions(Window(day(30), day(31)), day(31)).set_index("record_key")
    pd.testing.assert_frame_equal(told[columns], logged.loc[told.index, columns])
    np.testing.assert_allclose(answers(ws, "2", rows), ws.policy.label.target.answers(told))


def test_a_live_model_that_goes_bad_raises_the_alarm(place: Deployment) -> None:
    """The truth turns back to what version 1 knows; version 2 is worse from then on."""
    place.play(0, 10)
    place.retrain(day(10))
    place.play(10, 24)
    place.retrain(day(24))
    assert place.ws().registry.champion() == "2"
    rows = Deployment.rows

    def turned(self: Deployment, number: int) -> tuple[pd.DataFrame, pd.Series]:
        frame, _ = rows(self, number)
        _, truth = rows(self, number - 24)  # days 0..6: only `a` tells
        before, _ = rows(self, number - 24)
        return frame.assign(a=before["a"]), truth

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Deployment, "rows", turned)
        place.play(24, 31)
    watched = monitor.watch(place.ws(), day(31))
    assert watched.data.get("alarm"), watched.reason
