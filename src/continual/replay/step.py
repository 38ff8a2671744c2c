"""One look of the loop at one instant: the flows in the order in which the DAGs call them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from continual.core.verdict import Answer
from continual.core.window import Window, utc
from continual.errors import ContinualError, Skipped
from continual.flows.workspace import Outcome, Workspace

#: Who answers for the person that `promotion.mode: approve` asks.
ANSWERED_BY = "replay, as if approved"


@dataclass
class Look:
    """What one look did. said: flow -> its one line, in order. failed: flow -> why it could not."""

    as_of: datetime
    said: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)

    def call(self, name: str, flow: Callable[[], Outcome]) -> dict[str, Any] | None:
        """Data of a flow's outcome; None when it skipped or failed: what depends on it does not run."""
        try:
            outcome = flow()
        except Skipped as error:
            self.said[name] = f"skipped: {error}"
            return None
        except ContinualError as error:
            self.failed[name] = str(error)
            return None
        self.said[name] = outcome.reason
        return outcome.data


def look(ws: Workspace, window: Window, measure: bool = False) -> Look:
    """The DAGs `monitor`, then `rollback` and `retrain` when they are asked for, at the window's end.

    measure: also write the live metrics of every window. Of the decisions only a trigger that counts bad looks reads
    them: otherwise a replay measures once, at its end.
    """
    from continual.flows import monitor, settle, trigger
    from continual.flows.withdraw_faults import answer

    as_of = utc(window.end)
    done = Look(as_of)
    if measure or ws.policy.trigger.needs.looks:
        done.call("measure", lambda: settle.measure(ws, window, as_of))
    watched = done.call("watch", lambda: answer(ws, monitor.watch(ws, as_of)))
    if watched is None:
        return done
    alarm = watched.get("alarm")
    decided = done.call("decide", lambda: trigger.decide(ws, as_of, alarmed=bool(alarm)))
    if alarm:
        _roll_back(ws, alarm, done)
    if decided and decided["retrain"]:
        _retrain(ws, decided["cause"], done)
    return done


def _roll_back(ws: Workspace, alarm: dict[str, Any], done: Look) -> None:
    from continual.flows import roll_back, verify

    at = utc(alarm["as_of"])
    if done.call("roll_back", lambda: roll_back.roll_back(ws, roll_back.request_for(ws, alarm, {}), at)):
        done.call("verify", lambda: verify.verify(ws, at))


def _retrain(ws: Workspace, cause: str, done: Look) -> None:
    from continual.flows import judge, promote, verify

    at = done.as_of
    evaluated = _evaluated(ws, cause, done)
    judged = done.call("judge", lambda: judge.judge(ws, evaluated["evaluation"])) if evaluated else None
    if judged is None:
        return
    _approve(ws, judged)
    if done.call("promote", lambda: promote.promote(ws, judged["verdict"])):
        done.call("verify", lambda: verify.verify(ws, at))


def _evaluated(ws: Workspace, cause: str, done: Look) -> dict[str, Any] | None:
    """Of an old version that wins already, or of what was trained."""
    from continual.flows import curate, evaluate, zoo

    at = done.as_of
    again = done.call("zoo", lambda: zoo.zoo(ws, at, cause))
    if again is None or again["evaluation"]:
        return again
    curated = done.call("curate", lambda: curate.curate(ws, at, cause))
    trained = _train(ws, curated, done) if curated else []
    return done.call("evaluate", lambda: evaluate.evaluate(ws, trained, at)) if trained else None


def _train(ws: Workspace, curated: dict[str, Any], done: Look) -> list[Any]:
    """Candidates; [] when a trainer failed: then the run fails, as in Airflow. One that skips is left out."""
    from continual.flows import train
    from continual.flows.evaluate import Trained

    found = []
    for name in curated["trainers"]:
        made = done.call(f"train {name}", lambda n=name: train.train(ws, curated["dataset"], n))  # type: ignore[misc]
        if made is not None:
            found.append(Trained(made["version"], made["trainer"], made["validation"]))
        elif f"train {name}" in done.failed:
            return []
    return found


def _approve(ws: Workspace, judged: dict[str, Any]) -> None:
    """What a person would have answered is unknown; yes is what the gate said."""
    from continual.flows.approve import record_answer

    if ws.policy.promotion.mode == "approve" and judged["answer"] == Answer.PROMOTE:
        record_answer(ws, judged["verdict"], True, ANSWERED_BY)
