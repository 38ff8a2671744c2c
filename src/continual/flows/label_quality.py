"""How far labels of people can be trusted: agreement, noise, what noise does to the last comparison, what to look at
again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from continual.core.estimate import Comparison, Estimate
from continual.core.label_noise import NoiseRate
from continual.core.labelling import Use
from continual.core.stats.denoised import noise_adjusted
from continual.core.stats.noise import MISSING, agreement, review_list, symmetric_noise
from continual.core.stats.review import Anchoring, anchoring
from continual.core.verdict import OVERALL
from continual.errors import Skipped
from continual.flows.label_desk import queue_of, reading_of
from continual.flows.logged import labelled_rows
from continual.flows.serving_check import answers as answers_of
from continual.flows.training_rows import training_rows, unseen
from continual.flows.workspace import Outcome, Workspace
from continual.policy.windows import retrain_windows

if TYPE_CHECKING:
    import pandas as pd

Ints = npt.NDArray[np.int64]
#: Rows a model may have learnt from say nothing about their labels.
REVIEWED = 200


@dataclass(frozen=True)
class Quality:
    """kappa: agreement of all who answered the same rows. noise: rate of wrong labels from rows that a draw gave to two
    people at random (binary). adjusted: the last overall comparison of right/wrong losses without that noise. led:
    whether labels lean to the model's answer where it was shown. people: answers of each."""

    kappa: Estimate
    noise: NoiseRate | None
    adjusted: Comparison | None
    led: Anchoring | None
    people: dict[str, int]
    doubled: int
    disputed: int
    notes: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def quality(ws: Workspace) -> Quality:
    """Of every answer in the queue. Numbers (regression) have no kappa and no noise rate."""
    answers, asked = standing(reading_of(ws).answers()), reading_of(ws).requests(everything=True)
    people = {str(name): int(n) for name, n in answers["annotator"].value_counts().items()}
    disputed = int((asked["state"] == "disputed").sum())
    if ws.policy.label.target.task == "regression":
        none = Estimate.undefined(len(answers), 0, "agreement of numbers is not measured")
        return Quality(none, None, None, None, people, 0, disputed)
    twice = set(asked.loc[asked["needed"] >= 2, "key"])
    blind = set(asked.loc[asked["use"] == Use.EVALUATION, "key"])
    pairs = pairs_of(answers[answers["key"].isin(twice & blind)])
    noise = symmetric_noise(*pairs) if ws.policy.label.target.task == "binary" else None
    adjusted, notes = (None, ()) if noise is None else _adjusted(ws, noise)
    led = _led(ws, answers[answers["key"].isin(twice - blind)], asked)
    return Quality(agreement(_matrix(answers)), noise, adjusted, led, people, len(pairs[0]), disputed, notes)


def standing(answers: pd.DataFrame) -> pd.DataFrame:
    """The newest label of every person on every row, the first given first; adjudications are no second opinion."""
    votes = answers[answers["value"].notna() & ~answers["decides"]]
    return votes.drop_duplicates(["key", "annotator"], keep="last").sort_values(["answered_at", "annotator"])


def _matrix(answers: pd.DataFrame) -> Ints:
    """(rows, people) of classes."""
    if answers.empty:
        return np.full((0, 2), MISSING, dtype=np.int64)
    table = answers.pivot_table(index="key", columns="annotator", values="value", aggfunc="last")
    return np.asarray(table.fillna(MISSING).to_numpy(dtype=np.int64))


def pairs_of(answers: pd.DataFrame) -> tuple[Ints, Ints]:
    """The first two labels of every row that has two; a third came because they differed."""
    order = answers.groupby("key").cumcount()
    first, second = (answers[order == i].set_index("key")["value"] for i in (0, 1))
    both = second.index
    return first.reindex(both).to_numpy(dtype=np.int64), second.to_numpy(dtype=np.int64)


def _adjusted(ws: Workspace, noise: NoiseRate) -> tuple[Comparison | None, tuple[str, ...]]:
    names = [m.name for m in ws.policy.metrics if m.kind == "accuracy"]
    if not names:
        return None, ("no metric of the kind accuracy in the policy: noise is not taken out of other losses",)
    last = ws.ledger.last("evaluation")
    for item in last.evidence["gate"]["slices"] if last else ():
        for found in item["metrics"]:
            if item["slice"] == OVERALL and found["metric"] == names[0] and found["comparison"]:
                return noise_adjusted(Comparison(**found["comparison"]), noise), ()
    return None, ("no candidate was compared with a champion yet",)


def _led(ws: Workspace, answers: pd.DataFrame, asked: pd.DataFrame) -> Anchoring | None:
    """Where the model's answer was shown to the first of two people."""
    if not len(pairs_of(answers)[0]) or ws.policy.label.target.task != "binary":
        return None
    from continual.flows.label_desk import shown_answers

    return led_by(answers, shown_answers(ws, asked[asked["key"].isin(set(answers["key"]))]))


def led_by(answers: pd.DataFrame, said: Mapping[str, float]) -> Anchoring:
    """Whether the first of two labels leans to what a model said. answers: of `standing`; said: key -> answer 0/1."""
    first, second = pairs_of(answers)
    keys = answers[answers.groupby("key").cumcount() == 1]["key"].tolist()
    known = np.array([key in said for key in keys], dtype=bool)
    answer = np.array([said.get(key, 0.0) for key in keys], dtype=np.int64)
    return anchoring(first[known], second[known], answer[known])


def suspects(ws: Workspace, as_of: datetime, limit: int = REVIEWED) -> pd.DataFrame:
    """Labels of people that the champion finds unlikely, the most suspicious first: record_key, given, likely,
    probability (of the given label), judges (its row is in the present judging window).

    Confident learning on rows the champion was not trained on. For another look only: rows leave no evaluation.

    Raises
    ------
    Skipped: numbers have no classes, or there is no champion.
    """
    import pandas as pd

    champion, target = ws.registry.champion(), ws.policy.label.target
    if champion is None or target.task == "regression":
        raise Skipped(
            "A review needs classes and a champion.",
            "no champion yet." if champion is None else "labels are numbers.",
            "come back after the first promotion." if champion is None else "nothing.",
        )
    rows = _labelled_by_people(ws, as_of, champion)
    if rows.empty:
        return pd.DataFrame(columns=["record_key", "given", "likely", "probability", "judges"])
    score = answers_of(ws, champion, rows)
    chance = score if score.ndim == 2 else np.stack([1 - score, score], axis=1)
    given = rows["label"].to_numpy(dtype=np.int64)
    top = review_list(given, chance).positions[:limit]
    end = retrain_windows(ws.policy, as_of).evaluation
    times = rows["event_time"].iloc[top]
    return pd.DataFrame(
        {
            "record_key": rows["record_key"].iloc[top].to_numpy(),
            "given": [ws.policy.question.say(float(v)) for v in given[top]],
            "likely": [ws.policy.question.say(float(v)) for v in chance[top].argmax(axis=1)],
            "probability": chance[top, given[top]],
            "judges": (times >= end.start).to_numpy(),
        }
    )


def _labelled_by_people(ws: Workspace, as_of: datetime, champion: str) -> pd.DataFrame:
    asked = reading_of(ws).requests(everything=True)
    asked = asked[asked["state"] == "answered"]
    if asked.empty:
        return asked
    from continual.core.window import Window

    start, end = asked["window_start"].min().to_pydatetime(), asked["window_end"].max().to_pydatetime()
    frame = labelled_rows(ws, Window(start, end), as_of)
    frame = frame[frame["record_key"].isin(set(asked["key"])) & frame["label"].notna()].reset_index(drop=True)
    return unseen(frame, training_rows(ws, champion, None)).reset_index(drop=True)


def review(ws: Workspace, as_of: datetime, limit: int = REVIEWED) -> Outcome:
    """Ask one more person about `suspects` that no longer judge; the others are only named.

    Asking again only where the champion disagrees would mend its losses and leave a rival's: such labels must not
    judge the two.
    """
    found = suspects(ws, as_of, limit)
    again = found.loc[~found["judges"].astype(bool), "record_key"].tolist()
    asked = queue_of(ws).second_opinion(again)
    kept = int(found["judges"].sum()) if len(found) else 0
    reason = (
        f"{asked:,} labels go to one more person; {kept:,} suspicious ones judge models now and are left as they are"
    )
    return Outcome(reason, {"asked": asked, "judging": kept})
