"""What each task of a DAG calls: inputs from Airflow -> one flow -> its outcome."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from continual.airflow.moment import Moment
from continual.core.verdict import Answer
from continual.core.window import Window, utc
from continual.errors import Skipped
from continual.flows.workspace import Outcome, Workspace


@dataclass(frozen=True)
class Call:
    """moment: window and as_of of the run. inputs: results of earlier tasks, rendered. params: the trigger form."""

    ws: Workspace
    moment: Moment
    inputs: dict[str, Any]
    params: dict[str, Any]
    progress: Callable[[int, int, str], None]

    @property
    def window(self) -> Window:
        """The run's window; a run without one is about the day before its instant."""
        return self.moment.window or Window(self.moment.as_of - timedelta(days=1), self.moment.as_of)


def validate(call: Call) -> Outcome:
    from continual.flows.ingest import validate as flow

    return flow(call.ws, call.window, call.moment.as_of, call.progress)


def append(call: Call) -> Outcome:
    from continual.flows.ingest import append as flow

    return flow(call.ws, call.inputs["validated"]["accepted"], call.moment.as_of)


def publish(call: Call) -> Outcome:
    from continual.flows.ingest import publish as flow

    event = {"window": call.window.as_dict(), "as_of": call.moment.as_of.isoformat()}
    return flow(call.ws, call.inputs["validated"]["refused"], {"event": event})


def measure(call: Call) -> Outcome:
    from continual.flows.settle import measure as flow

    outcome = flow(call.ws, call.window, call.moment.as_of, call.progress)
    return Outcome(outcome.reason, {**outcome.data, "as_of": call.moment.as_of.isoformat()})


def survey(call: Call) -> Outcome:
    from continual.flows.rebuild import survey as flow

    return flow(call.ws, call.params.get("window"), call.moment.as_of)


def build(call: Call) -> Outcome:
    from continual.flows.rebuild import build as flow

    return flow(call.ws, call.inputs["item"], call.moment.as_of, call.progress)


def resettle(call: Call) -> Outcome:
    from continual.flows.resettle import resettle as flow

    return flow(call.ws, call.moment.as_of)


def tidy(call: Call) -> Outcome:
    from continual.flows.rebuild import tidy as flow

    return flow(call.ws, call.moment.as_of, call.inputs["heads"])


def watch(call: Call) -> Outcome:
    from continual.flows.monitor import watch as flow
    from continual.flows.withdraw_faults import answer

    as_of = call.inputs["measured"]["as_of"]
    outcome = answer(call.ws, flow(call.ws, utc(as_of)))
    return Outcome(outcome.reason, {**outcome.data, "event": outcome.data.get("alarm"), "as_of": as_of})


def decide(call: Call) -> Outcome:
    from continual.flows.trigger import decide as flow

    watched = call.inputs["watched"]
    outcome = flow(call.ws, utc(watched["as_of"]), alarmed=bool(watched.get("alarm")))
    event = {"as_of": watched["as_of"], "cause": outcome.data["cause"]}
    return Outcome(outcome.reason, {**outcome.data, "event": event if outcome.data["retrain"] else None})


def ask(call: Call) -> Outcome:
    from continual.flows.ask import ask as flow
    from continual.flows.label_order import Order

    extra, form = call.moment.extra, call.params
    cause = str(extra.get("cause") or form.get("reason") or "asked for by hand")
    try:
        if extra.get("labels"):
            raise Skipped("Labels are asked for once.", f"those of {extra['labels']} are in.", "nothing.")
        # the verdict that needs them is known a moment before
        as_of = call.moment.as_of + timedelta(seconds=1 if extra.get("verdict") else 0)
        return flow(call.ws, as_of, Order(form.get("labels"), form.get("slice"), cause))
    except Skipped as reason:
        if not call.inputs.get("optional"):
            raise
        return Outcome(f"nothing asked: {reason.got}", {"asked": None})


def offer(call: Call) -> Outcome:
    from continual.flows.label_wait import offer as flow

    return flow(call.ws)


def collect(call: Call) -> Outcome:
    from continual.flows.label_intake import collect as flow

    outcome, asked = flow(call.ws, call.moment.as_of), call.inputs["asked"].get("asked")
    entry = call.ws.ledger.get(asked) if asked else None
    verdict = entry.evidence["need"]["verdict"] if entry else None
    event = {"as_of": outcome.data["as_of"], "labels": asked, "cause": f"labels for {verdict} are in"}
    return Outcome(outcome.reason, {**outcome.data, "event": event if verdict and outcome.data["written"] else None})


def zoo(call: Call) -> Outcome:
    from continual.flows.zoo import zoo as flow

    known = (call.inputs.get("collected") or {}).get("as_of")
    return flow(call.ws, utc(known) if known else call.moment.as_of, _cause(call))


def _cause(call: Call) -> str:
    return str(call.moment.extra.get("cause") or call.params.get("reason") or "asked for by hand")


def curate(call: Call) -> Outcome:
    from continual.flows.curate import curate as flow

    return flow(call.ws, utc(call.inputs["zoo"]["as_of"]), _cause(call))


def train(call: Call) -> Outcome:
    from continual.flows.train import train as flow

    return flow(call.ws, call.inputs["curated"]["dataset"], call.inputs["item"])


def evaluate(call: Call) -> Outcome:
    from continual.flows.evaluate import Trained
    from continual.flows.evaluate import evaluate as flow
    from continual.flows.zoo import evidence_of, retrained_by

    again = retrained_by(call.ws, utc(call.inputs["zoo"]["as_of"]))
    if again is not None:
        return evidence_of(again)
    if not call.inputs["curated"]:
        raise Skipped("There must be a dataset.", "nothing was curated.", "read the task curate.")
    done = [Trained(t["version"], t["trainer"], t["validation"]) for t in call.inputs["trained"] if t]
    return flow(call.ws, done, utc(call.inputs["curated"]["as_of"]))


def judge(call: Call) -> Outcome:
    from continual.flows.judge import judge as flow

    outcome = flow(call.ws, call.inputs["evaluated"]["evaluation"])
    if outcome.data["answer"] != Answer.NEED_LABELS:
        return outcome
    verdict = call.ws.ledger.get(outcome.data["verdict"])
    as_of = verdict.as_of if verdict else call.moment.as_of
    event = {"as_of": as_of.isoformat(), "verdict": outcome.data["verdict"], "cause": outcome.reason[:500]}
    return Outcome(outcome.reason, {**outcome.data, "event": event})


def promote(call: Call) -> Outcome:
    from continual.flows.promote import promote as flow

    return flow(call.ws, call.inputs["judged"]["verdict"])


def roll_back(call: Call) -> Outcome:
    from continual.flows.roll_back import request_for
    from continual.flows.roll_back import roll_back as flow

    return flow(call.ws, request_for(call.ws, call.moment.extra, call.params), call.moment.as_of)


def verify(call: Call) -> Outcome:
    from continual.flows.verify import verify as flow

    return flow(call.ws, call.moment.as_of)


def score(call: Call) -> Outcome:
    from continual.flows.score_files import score_files as flow

    return flow(call.ws, call.moment.as_of, call.progress)


def data(call: Call) -> Outcome:
    from continual.flows.data_form import act

    return act(call.ws, call.params)


def replay(call: Call) -> Outcome:
    from continual.replay.ask import Looks
    from continual.replay.ask import replay as flow
    from continual.replay.report import headline

    form = call.params
    start, end = (utc(str(form[name])) if form.get(name) else None for name in ("start", "end"))

    def tell(name: str, done: int, total: int, what: str) -> None:
        call.progress(done, total, f"{name}: {what}")

    looks = Looks(start, end, form.get("every"))
    found = flow(call.ws, form.get("policies") or {}, looks, jobs=int(form.get("jobs") or 1), progress=tell)
    reason = f"{headline(found.comparison)} Report: {found.report}"
    return Outcome(reason, {"report": str(found.report), "best": found.comparison.best})


TASKS: dict[str, Callable[[Call], Outcome]] = {
    f.__name__: f
    for f in (
        validate, append, publish, measure, watch, decide, zoo, curate, train, evaluate, judge, promote, roll_back,
        verify, ask, offer, collect, survey, build, resettle, tidy, data, replay, score,
    )
}  # fmt: skip
