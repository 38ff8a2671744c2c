"""Batch scoring: files in, answers out, every row in the log once, whatever happens in between."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import flow_kill
import numpy as np
import pandas as pd
import pytest
from flow_loans import applications, day, days
from flow_world import Stages, World, refused

from continual.errors import BatchError, Skipped
from continual.flows import promote, score_input
from continual.flows.score_files import score_files
from continual.flows.serving_check import load_version
from continual.models.artifact import score
from continual.models.registry import CHALLENGER

pytestmark = pytest.mark.integration
FEATURES = ["income", "bureau", "sector"]
AT = day(25)


def scoring(world: World) -> World:
    text = world.config.read_text()
    world.config.write_text(text + "scoring: {source: to-score, target: scored}\n")
    (world.home / "to-score").mkdir()
    return world


def hand_in(world: World, number: int, name: str = "new.parquet", count: int = 50, **columns: object) -> pd.DataFrame:
    rows = applications(number)[["record_key", "event_time", *FEATURES, "region"]].head(count).assign(**columns)
    path = world.home / "to-score" / name
    rows.to_csv(path, index=False) if name.endswith(".csv") else rows.to_parquet(path, index=False)
    return rows


def answered(world: World, name: str = "new.parquet") -> pd.DataFrame:
    path = world.home / "scored" / name
    return pd.read_csv(path) if name.endswith(".csv") else pd.read_parquet(path)


def expected(world: World, version: str, rows: pd.DataFrame) -> np.ndarray:
    return score(load_version(world.ws(), version), rows, FEATURES)


def do_score(world: World) -> None:
    score_files(world.ws("loans.score scheduled__25 score"), AT)


def left(world: World) -> list[Path]:
    return [path for path in (world.home / "scoring").rglob("*") if path.is_file()]


def test_s38_answers_are_the_champions_not_the_newest_versions_and_logged_once(stages: Stages) -> None:
    world = scoring(stages("judged"))
    rows = hand_in(world, 24)
    before = world.logged()[0]
    outcome = score_files(world.ws(), AT)
    assert outcome.reason == "50 rows of 1 files scored; new.parquet: 50 rows by version 1"
    found = answered(world)
    assert list(found.columns) == ["record_key", "event_time", "model_version", "prediction"]
    assert found["record_key"].tolist() == rows["record_key"].tolist()
    np.testing.assert_allclose(found["prediction"], expected(world, "1", rows))
    logged = world.ws().log.read_predictions(days(24, 25), AT)
    assert len(logged) == 50
    assert set(logged["region"]) == set(rows["region"])
    assert world.ws().log.read_predictions(days(24, 25), AT - timedelta(seconds=1)).empty
    refused(lambda: score_files(world.ws(), day(26)), Skipped, "nothing new in to-score")
    assert world.logged()[0] == before + 50
    assert left(world) == []
    (world.home / "scored" / "new.parquet").unlink()  # taken away by its user: not made again
    refused(lambda: score_files(world.ws(), day(26)), Skipped, "nothing new")


def test_s59_killed_after_any_write_the_next_run_finishes_with_the_same_version(stages: Stages) -> None:
    """Also when another version was promoted in between: who was told something is told the same again."""

    def stage() -> World:
        world = scoring(stages("judged"))
        hand_in(world, 24, income=[None] + [0.5] * 49, record_key=[" "] + [f"k{n}" for n in range(49)])
        return world

    def after(world: World, writes: int) -> None:
        if writes:  # before the first, nothing says yet which version is meant
            promote.promote(world.ws(), (world.home / "verdict").read_text())
        before = world.logged()[0]
        try:
            score_files(world.ws("loans.score scheduled__26 score"), day(26))
        except Skipped:
            assert writes == WRITES
        found = answered(world)
        assert set(found["model_version"].astype(str)) == {"1"}
        assert len(found) == 49
        logged = world.ws().log.read_predictions(days(24, 25), day(26))
        assert sorted(logged["record_key"]) == sorted(found["record_key"])
        assert world.logged()[0] in (before, before + 49)
        assert len(world.ws().batches.items()) == 1
        assert left(world) == []
        world.ws().ledger.verify()

    assert flow_kill.kill_everywhere(stage, do_score, after) == WRITES


#: Ledger, quarantine table, its item, log, record.
WRITES = 5


def test_the_challenger_answers_for_the_log_alone_and_may_fail(stages: Stages) -> None:
    world = scoring(stages("judged"))
    world.registry.set_alias(CHALLENGER, "2")
    rows = hand_in(world, 24)
    score_files(world.ws(), AT)
    shadow = world.ws().log.read_scores(days(24, 25), "2", AT)
    np.testing.assert_allclose(np.sort(shadow["prediction"]), np.sort(expected(world, "2", rows)))
    assert set(answered(world)["model_version"].astype(str)) == {"1"}
    (world.artifact("2") / "model.skops").write_bytes(b"broken")
    from continual.models.artifact import load_model

    load_model.cache_clear()
    hand_in(world, 25, "more.csv")
    outcome = score_files(world.ws(), day(26))
    assert "challenger 2 failed" in outcome.reason
    assert len(answered(world, "more.csv")) == 50


def test_a_large_file_goes_through_in_parts(stages: Stages, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(score_input, "PART", 30)
    world = scoring(stages("champion"))
    rows = hand_in(world, 24, count=100)
    sizes = [
        len(part) for part in score_input.parts(score_input.input_files(world.ws().policy.scoring, world.home)[0], [])
    ]
    assert sizes == [25, 25, 25, 25]
    score_files(world.ws(), AT)
    np.testing.assert_allclose(answered(world)["prediction"], expected(world, "1", rows))
    assert len(world.ws().log.read_predictions(days(24, 25), AT)) == 100


def test_rows_without_keys_times_and_tags_get_them_and_the_same_at_every_try(stages: Stages) -> None:
    world = scoring(stages("champion"))
    applications(24)[FEATURES].head(3).to_csv(world.home / "to-score" / "bare.csv", index=False)
    score_files(world.ws(), AT)
    found = answered(world, "bare.csv")
    assert [key.rpartition("-")[2] for key in found["record_key"]] == ["0", "1", "2"]
    logged = world.ws().log.read_predictions(days(25, 26), AT)
    assert set(logged["record_key"]) == set(found["record_key"])
    assert logged["region"].isna().all()


def test_a_file_that_cannot_be_scored_is_named_and_the_others_are_done(stages: Stages) -> None:
    world = scoring(stages("champion"))
    hand_in(world, 24, "good.parquet")
    folder = world.home / "to-score"
    applications(24)[["income"]].to_parquet(folder / "a.parquet")
    (folder / "b.parquet").write_bytes(b"PAR1 no")
    hand_in(world, 23, "c.parquet", income="text")
    hand_in(world, 23, "d.parquet", count=0)
    before = world.logged()[0]
    refused(
        lambda: score_files(world.ws(), AT),
        BatchError,
        "1 files scored, 4 refused: a.parquet: a.parquet has no sector, bureau.*"
        "b.parquet.*c.parquet: .*income.*d.parquet",
    )
    assert world.logged()[0] == before + 50
    assert [path.name for path in (world.home / "scored").iterdir()] == ["good.parquet"]
    (folder / "notes.txt").write_text("x")
    refused(lambda: score_files(world.ws(), AT), BatchError, "notes.txt in to-score")


def test_a_key_that_was_answered_before_is_not_answered_otherwise(stages: Stages) -> None:
    world = scoring(stages("champion"))
    hand_in(world, 24, "first.parquet", count=10)
    score_files(world.ws(), AT)
    hand_in(world, 24, "again.parquet", count=12, income=9.0)
    outcome = score_files(world.ws(), day(26))
    assert "10 contradict logged rows and are not answered" in outcome.reason
    assert len(answered(world, "again.parquet")) == 2


def test_without_a_section_or_a_champion_there_is_a_sentence(stages: Stages) -> None:
    refused(lambda: score_files(stages("champion").ws(), AT), Skipped, "no section scoring")
    world = scoring(stages("logged"))
    hand_in(world, 24)
    refused(lambda: score_files(world.ws(), AT), Skipped, "has none yet")
