"""Which rows a window offers, what they weigh, and which of several windows is used."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from continual.core.stats.effective import effective_size
from continual.core.window import Window
from continual.errors import NotEnoughData
from continual.flows.choose_window import Contender, best
from continual.flows.training_pool import TrainingRows, usable, weights
from continual.policy.training_window import TrainingWindow, WindowPolicy

START = datetime(2024, 1, 1, tzinfo=UTC)
WINDOW = Window(START, START + timedelta(days=10))


def _rows(days=10, a_day=20, known=1.0, missing=()):
    time = [START + timedelta(days=d, hours=i) for d in range(days) if d not in missing for i in range(a_day)]
    label = np.where(np.arange(len(time)) % 10 < known * 10, 1.0, np.nan)
    keys = [f"k{i}" for i in range(len(time))]
    frame = pd.DataFrame({"record_key": keys, "event_time": pd.to_datetime(time, utc=True), "label": label})
    told = frame["label"].notna()
    others = frame.loc[~told, "event_time"].to_numpy(dtype="datetime64[us]")
    return TrainingRows(frame[told].reset_index(drop=True), others, ("3 rows left out",))


def _policy(**fields):
    return WindowPolicy(**{"min_rows": 50, "max_hole": "2d", **fields})


def test_s07_too_few_labels_too_small_a_share_and_holes_say_so():
    assert len(usable(_policy(), _rows(), WINDOW)) == 200
    with pytest.raises(NotEnoughData, match=r"100 in .*; 3 rows left out"):
        usable(_policy(min_rows=101), _rows(known=0.5), WINDOW)
    with pytest.raises(NotEnoughData, match=r"50\.0% in"):
        usable(_policy(min_coverage=0.6), _rows(known=0.5), WINDOW)
    with pytest.raises(NotEnoughData, match="max_hole"):
        usable(_policy(), _rows(missing=(4, 5, 6)), WINDOW)


def test_s62_one_source_cannot_fill_a_retrain():
    rows = _rows()
    frame = rows.frame.assign(
        partner=np.where(np.arange(200) < 170, "flood", np.where(np.arange(200) < 190, "a", None))
    )
    cap = {"influence": {"by": "partner", "share": 0.5}, "max_hole": "10d"}
    found = usable(_policy(**cap), TrainingRows(frame), WINDOW)
    assert found["partner"].fillna("(none)").value_counts().to_dict() == {"flood": 30, "a": 20, "(none)": 10}
    assert found.equals(usable(_policy(**cap), TrainingRows(frame), WINDOW))
    with pytest.raises(NotEnoughData, match=r"No source may have more than 50%.*largest with 100%"):
        usable(_policy(**cap), TrainingRows(frame.assign(partner="flood")), WINDOW)


def test_a_row_a_half_life_older_weighs_half():
    rows = _rows().frame.assign(probability=1.0)
    found = weights(_policy(), TrainingWindow(half_life="2d"), rows, WINDOW.end)
    by_day = found.reshape(10, 20).mean(axis=1)
    assert by_day[2] / by_day[0] == pytest.approx(2)
    assert found.mean() == pytest.approx(1)
    assert effective_size(found) < 200
    assert effective_size(np.ones(200)) == 200
    assert effective_size(np.zeros(0)) == 0


def test_rows_weigh_the_same_unless_the_policy_says_so():
    rows = _rows().frame.assign(probability=np.tile([0.1, 0.4], 100))
    assert weights(_policy(), TrainingWindow(), rows, WINDOW.end) is None
    found = weights(_policy(weigh_by_probability=True), TrainingWindow(), rows, WINDOW.end)
    assert found[0] / found[1] == pytest.approx(4)
    assert (
        weights(_policy(weigh_by_probability=True), TrainingWindow(), rows.assign(probability=0.2), WINDOW.end) is None
    )


def test_the_policys_own_window_is_the_first_choice_and_none_is_there_twice():
    policy = _policy(length="14d", candidates=[{"length": "14d"}, {"kind": "expanding", "half_life": "7d"}])
    assert [choice.label for choice in policy.choices] == ["sliding 2w", "expanding, half-life 1w"]


def test_the_best_window_is_used_ties_and_undefined_ones_go_to_the_first():
    def of(*values):
        return [Contender(TrainingWindow(length=timedelta(days=i + 1)), WINDOW, v) for i, v in enumerate(values)]

    assert best(of(0.6, 0.7, 0.7), True).choice.length.days == 2
    assert best(of(0.6, 0.7, None), False).choice.length.days == 1
    assert best(of(None, 0.1), True).choice.length.days == 2
    assert best(of(None, None), True).choice.length.days == 1
