"""What a replay's report and a preview say in sentences, and what a sandbox keeps for them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from continual.cli.policy import _summary
from continual.replay.outcome import Played
from continual.replay.report import _paid


def played(returns: tuple[dict[str, object], ...]) -> Played:
    numbers = {"looks": 9, "retrains": 2, "promotions": 1, "rollbacks": 0, "labels": 5, "cpu_fits": 1.0}
    empty = {"decisions": {}, "reigns": (), "fits": (), "shadows": (), "failed": {}}
    served, answers = np.array([-1, 0]), np.array([np.nan, 0.5])
    return Played("weekly", "hash", **numbers, cpu_looks=2.0, **empty, served=served, answers=answers, returns=returns)


def row(outcome: str, gain: float | None) -> dict[str, object]:
    told = {"forecast": 4.0, "forecast_low": 1.0, "forecast_high": 7.0}
    got = {"gain": gain, "gain_low": gain, "gain_high": gain}
    return {"as_of": "2024-01-02T00:00:00+00:00", "unit": "EUR", "outcome": outcome, "cost": 2.0, **told, **got}


def test_the_report_says_whether_retrains_paid_and_draws_it():
    said = _paid(played((row("promoted", 5.0), row("rejected", 0.0))))
    assert "measured gain 5, cost 4, net +1 EUR" in said and "data:image/png" in said


def test_without_a_promotion_there_is_no_picture():
    assert "no retrain was judged" in _paid(played(()))
    said = _paid(played((row("rejected", 0.0),)))
    assert "1 rejected" in said and "data:image" not in said


def test_a_sandbox_keeps_what_its_retrains_brought(tmp_path: Path):
    one = played((row("promoted", 5.0),))
    one.save(tmp_path)
    assert Played.load(tmp_path).returns == one.returns


def test_a_preview_does_not_count_what_it_cannot_tell_as_unchanged():
    assert _summary(0, 14, 14) == "Of the last 14 decisions none can be told."
    assert _summary(1, 4, 10) == "1 of the last 10 decisions would have changed here, of 6 that can be told."
    assert _summary(0, 0, 10) == "0 of the last 10 decisions would have changed here."
    assert _summary(0, 0, 0) == "No decision is recorded yet."
