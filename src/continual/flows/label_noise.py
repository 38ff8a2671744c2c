"""How often the labels are wrong that judge a candidate: what the gate reads where the policy asks for it."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from continual.core.label_noise import LabelNoise
from continual.core.labelling import Use
from continual.core.stats.denoised import of_majority
from continual.core.stats.noise import symmetric_noise
from continual.core.window import utc
from continual.flows.label_desk import reading_of, served_answers
from continual.flows.label_quality import led_by, pairs_of, standing
from continual.flows.workspace import Workspace

if TYPE_CHECKING:
    import pandas as pd


def label_noise(ws: Workspace, as_of: datetime) -> LabelNoise:
    """From the rows that a draw gave to two people and that judge: what was answered by `as_of`.

    People who answer them see no prediction. Where the first label leans to what the serving version said, somebody saw
    it all the same, and the labels may not judge.
    """
    answers, asked = _by(ws, utc(as_of))
    rate = of_majority(symmetric_noise(*pairs_of(answers)), ws.policy.labelling.annotators)
    second = answers[answers.groupby("key").cumcount() == 1]["key"]
    led = led_by(answers, served_answers(ws, asked[asked["key"].isin(set(second))]))
    return LabelNoise(rate, led.reason if led.anchored else "")


def _by(ws: Workspace, as_of: datetime) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Standing answers to rows that judge and were to be answered twice, and the requests for these rows."""
    import pandas as pd

    reading = reading_of(ws)
    asked, answers = reading.requests(everything=True), reading.answers()
    wanted = (asked["needed"] >= 2) & (asked["use"] == Use.EVALUATION)
    asked = asked[wanted]
    known = pd.to_datetime(answers["answered_at"], utc=True) <= as_of
    return standing(answers[known & answers["key"].isin(set(asked["key"]))]), asked
