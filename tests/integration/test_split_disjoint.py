"""What trains and what judges never meet, whatever the policy, the instant and the order in which rows came."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from flow_loans import POLICY, applications, day
from flow_world import Stages, World
from hypothesis import given, settings
from hypothesis import strategies as st

from continual.errors import NotEnoughData
from continual.flows.curate import curate
from continual.flows.log_rows import log_table
from continual.flows.logged import labelled_rows
from continual.flows.training_rows import training_rows, unseen
from continual.policy.windows import retrain_windows
from continual.stores.versions import ModelVersion

pytestmark = pytest.mark.integration
DAYS, EVERY = 40, 25
#: From event to label: in time, late, very late; every seventh label is corrected a week later.
DELAYS = (2, 30, 100, 480)
WINDOW = "window: {kind: sliding, length: 8d, evaluation: 4d, min_rows: 500, max_hole: 2d}"
LAG = "label: {name: repaid, lag: 1d}"


@dataclass
class Seen:
    """rows: by record key, event_time. labels: every label ever given. leaked, late, unlabelled: what the examples
    reached, so that the property is not true of nothing."""

    world: World
    rows: pd.DataFrame
    labels: pd.DataFrame
    versions: list[str] = field(default_factory=list)
    leaked: int = 0
    late: int = 0
    unlabelled: int = 0


@pytest.fixture(scope="module")
def seen(stages: Stages) -> Seen:
    """Every fifth row is logged nine days late; all are delivered twice and answered anew by another version."""
    world = stages("empty")
    ws = world.ws()
    rows = pd.concat([applications(n).iloc[::EVERY] for n in range(DAYS)], ignore_index=True)
    number = np.arange(len(rows))
    served = rows.drop(columns=["value", "known_at"]).assign(model_version=None, prediction=np.nan)
    parts = [
        log_table(ws.policy, "predictions", served[(number % 5 == late) & (number // 96 == block)], "b", as_of)
        for block in range(len(rows) // 96 + 1)
        for late, as_of in [(n, day(8 * block + (17 if n == 0 else 8))) for n in range(5)]
    ]
    for commit in ("once", "again"):
        ws.log.append_predictions(pa.concat_tables(parts), commit)
    known = rows["event_time"] + pd.to_timedelta(np.take(DELAYS, number % 4), unit="h")
    first = rows[["record_key", "value"]].assign(known_at=known, source="payments")
    again = first[number % 7 == 0].assign(
        value=lambda f: 1 - f["value"], known_at=lambda f: f["known_at"] + timedelta(days=7)
    )
    labels = pd.concat([first, again], ignore_index=True)
    ws.log.append_labels(log_table(ws.policy, "labels", labels, "l", day(99)), "labels")
    scores = rows[["record_key", "event_time"]].assign(known_at=day(60), model_version="9", prediction=0.5)
    ws.log.append_scores(pa.Table.from_pandas(scores, preserve_index=False), "scores")
    return Seen(world, rows.set_index("record_key"), labels)


windows = st.tuples(
    st.sampled_from(["sliding", "expanding"]),
    st.integers(12, 24 * 20),
    st.integers(1, 24 * 8),
    st.integers(0, 24 * 6),
)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(windows, st.integers(24 * 12, 24 * 45), st.integers(0, 100))
def test_s09_no_row_trains_and_judges(seen: Seen, window: tuple[str, int, int, int], hour: int, pick: int) -> None:
    kind, length, evaluation, lag = window
    text = f"window: {{kind: {kind}, length: {length}h, evaluation: {evaluation}h, min_rows: 1, max_hole: 90d}}"
    policy = POLICY.replace(WINDOW, text).replace(LAG, f"label: {{name: repaid, lag: {lag}h}}")
    policy = policy.replace("    steps:", "    self_training: {max_rows: 20}\n    steps:")
    seen.world.config.write_text(policy)
    ws, as_of = seen.world.ws(), day(hour / 24)
    try:
        split = retrain_windows(ws.policy, as_of)
        dataset = curate(ws, as_of, "test").data["dataset"]
    except NotEnoughData:
        return
    candidate = ws.versions.register(ModelVersion(str(len(seen.versions) + 1), dataset_id=dataset)).version
    champion = seen.versions[pick % len(seen.versions)] if seen.versions else None
    seen.versions.append(candidate)
    trained = training_rows(ws, candidate, champion)
    offered = labelled_rows(ws, split.evaluation, as_of)
    kept = unseen(offered, trained)

    own = trained[0]
    assert own["record_key"].is_unique and offered["record_key"].is_unique
    assert own["event_time"].max() < split.training.end == split.evaluation.start
    assert offered.empty or split.evaluation.start <= offered["event_time"].min()
    assert not set(kept["record_key"]) & {key for rows in trained for key in rows["record_key"]}
    assert set(offered["record_key"]) - set(kept["record_key"]) <= {
        k for rows in trained[1:] for k in rows["record_key"]
    }
    assert split.evaluation.end + timedelta(hours=lag) <= as_of
    known = own["label"].notna()
    _assert_known(seen, own[known], as_of)
    assert not own.loc[~known, "record_key"].isin(_known(seen, as_of).index).any()
    assert (~known).sum() <= 20
    seen.unlabelled += int((~known).sum())
    _assert_known(seen, kept[kept["label"].notna()], as_of)
    seen.leaked += len(offered) - len(kept)
    times = seen.rows["event_time"]
    inside = times.index[(times >= split.training.start) & (times < split.training.end)]
    seen.late += int((~inside.isin(_known(seen, as_of).index)).sum())


def _known(seen: Seen, as_of: object) -> pd.Series:  # type: ignore[type-arg]
    """Label in force at that instant, by record key."""
    by_then = seen.labels[seen.labels["known_at"] <= as_of].sort_values("known_at")
    return by_then.drop_duplicates("record_key", keep="last").set_index("record_key")["value"]


def _assert_known(seen: Seen, rows: pd.DataFrame, as_of: object) -> None:
    """Labels are those in force at the instant, and each row is one that was ever served then."""
    assert rows["label"].tolist() == _known(seen, as_of).reindex(rows["record_key"]).tolist()
    assert (rows["event_time"].to_numpy() == seen.rows["event_time"].reindex(rows["record_key"]).to_numpy()).all()


def test_s09_the_examples_met_what_they_are_about(seen: Seen) -> None:
    """A champion trained on rows of a judging window, labels that came after the instant, rows without any."""
    assert len(seen.versions) >= 10
    assert seen.leaked > 0
    assert seen.late > 0
    assert seen.unlabelled > 0
