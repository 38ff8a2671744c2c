"""DAGs of one application, from its policy: ingest, monitor, retrain, rollback."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import DAG, Asset, CronDataIntervalTimetable, Param, TriggerRule, WeightRule

from continual.airflow.data_form import data_form
from continual.airflow.forms import label_slice, to_version
from continual.airflow.notifier import on_failure, on_success
from continual.airflow.operator import FlowOperator, ValidateOperator
from continual.policy.models import Policy

SOME = TriggerRule.NONE_FAILED_MIN_ONE_SUCCESS
AS_OF = Param(
    None,
    type=["null", "string"],
    format="date-time",
    title="As of",
    description="Only rows and labels known by then are used. Empty: the end of the run's interval, or now.",
)
LEAVE = Param(
    None,
    type=["null", "string"],
    title="Version to leave",
    description="Nothing happens when it is not the champion any more. Empty: the present champion.",
)
WINDOW = Param(
    None,
    type=["null", "string"],
    title="Window",
    description="Days whose cells are built: `365d` = the last 365 matured days, or `2013-07-01..2013-08-01`. "
    "Empty: all days in the log.",
)
REASON = Param(None, type=["null", "string"], title="Reason", description="Why; it is written to the ledger.")
REPLAY = {
    "policies": Param(
        {},
        type="object",
        title="Policies",
        description='Name -> the fields that differ from the policy in force, such as {"weekly": {"trigger": {"kind": '
        '"schedule", "every_days": 7}}}.',
    ),
    "start": Param(None, type=["null", "string"], format="date-time", title="From", description="Looks after this."),
    "end": Param(None, type=["null", "string"], format="date-time", title="Until", description="Last look by then."),
    "every": Param(None, type=["null", "string"], title="Every", description="Cron of the looks; empty: as scheduled."),
    "jobs": Param(1, type="integer", minimum=1, title="Jobs", description="Policies at a time, a process each."),
}


class Assets:
    """What the DAGs of an application tell each other."""

    def __init__(self, application: str) -> None:
        self.log = Asset(name=f"{application}.log", uri=f"continual://{application}/log")
        self.retrain_due = Asset(name=f"{application}.retrain_due", uri=f"continual://{application}/retrain_due")
        self.labels_due = Asset(name=f"{application}.labels_due", uri=f"continual://{application}/labels_due")
        self.alarm = Asset(name=f"{application}.alarm", uri=f"continual://{application}/alarm")


def application_dags(policy: Policy) -> list[DAG]:
    """The DAGs of one application."""
    assets = Assets(policy.application)
    loop = [_ingest(policy, assets), _monitor(policy, assets), _retrain(policy, assets), _rollback(policy, assets)]
    loop += [_label(policy, assets)] if policy.labeler.asks else []
    loop += [_score(policy)] if policy.scoring else []
    return [*loop, _store(policy), _data(policy), _replay(policy)]


def _dag(policy: Policy, name: str, schedule: Any, doc: str, params: dict[str, Param] | None = None) -> DAG:
    return DAG(
        dag_id=f"{policy.application}.{name}",
        schedule=schedule,
        description=doc,
        start_date=policy.active.start,
        # the clock ends with the policy; assets and people may still start what they start
        end_date=None if schedule is None or isinstance(schedule, list) else policy.active.end,
        catchup=False,
        max_active_runs=1,
        tags=["continual", policy.application],
        doc_md=f"**{policy.application}** ({policy.description or 'no description'}; owner: {policy.owner})\n\n{doc}",
        params=params or {},
        default_args={
            "owner": policy.owner,
            "retries": 2,
            "retry_delay": timedelta(seconds=20),
            "execution_timeout": timedelta(hours=2),
            **on_failure(policy),
        },
    )


def _ingest(policy: Policy, assets: Assets) -> DAG:
    schedule = CronDataIntervalTimetable(policy.schedule, timezone="UTC")
    doc = "Takes new batches in: Great Expectations, then the prediction log or the quarantine."
    # Runs of a backfill share what was delivered: one at a time each, and a begun run before a new one, so that they
    # neither judge a batch ten times nor take each other's staged rows
    in_turn: dict[str, Any] = {"max_active_tis_per_dag": 1, "weight_rule": WeightRule.UPSTREAM}
    with _dag(policy, "ingest", schedule, doc) as dag:
        validate = ValidateOperator(task_id="validate", application=policy.application, flow="validate", **in_turn)
        append = _task(policy, "append", {"validated": validate.output, **_pinned(validate)}, **in_turn)
        _task(policy, "publish", {"validated": validate.output, **_pinned(append)}, emits=assets.log, **in_turn)
    return dag


def _monitor(policy: Policy, assets: Assets) -> DAG:
    doc = "Measures the champion on every slice, watches it against the previous one, decides whether to retrain."
    with _dag(policy, "monitor", [assets.log], doc) as dag:
        measure = _task(policy, "measure", inlets=[assets.log])
        watch = _task(policy, "watch", {"measured": measure.output, **_pinned(measure)}, emits=assets.alarm)
        _task(policy, "decide", {"watched": watch.output, **_pinned(watch)}, emits=assets.retrain_due)
    return dag


def _retrain(policy: Policy, assets: Assets) -> DAG:
    doc = "Curates a dataset, trains candidates, judges the best against the champion on every slice, promotes or not."
    form = {"as_of": AS_OF, "reason": REASON}
    with _dag(policy, "retrain", [assets.retrain_due], doc, form) as dag:
        collect = _labels(policy, {"optional": True}) if policy.labeler.asks else None
        collected = {"collected": collect.output, **_pinned(collect)} if collect else {}
        zoo = _task(policy, "zoo", collected)
        curate = _task(policy, "curate", {"zoo": zoo.output, **collected, **_pinned(zoo)})
        train = _train(policy, curate)
        evaluate = _task(
            policy,
            "evaluate",
            {"trained": train.output, "curated": curate.output, "zoo": zoo.output, **_pinned(zoo)},
            trigger_rule=SOME,  # a quarantined trainer skips, a failing one fails the run, where zoo wins nobody trains
        )
        due = assets.labels_due if policy.labeler.asks else None
        judge = _task(policy, "judge", {"evaluated": evaluate.output, **_pinned(evaluate)}, emits=due)
        promote = _task(
            policy,
            "promote",
            {"judged": judge.output, **_pinned(judge)},
            trigger_rule=SOME,  # also when nobody was asked: it says itself why it does nothing
        )
        _task(policy, "verify", _pinned(promote))
        if policy.promotion.mode == "approve":
            judge >> _approval(policy, judge) >> promote
    return dag


def _labels(policy: Policy, inputs: dict[str, Any] | None = None, emits: Asset | None = None) -> FlowOperator:
    """Ask, put before annotators, wait without holding a worker, collect; returns the last."""
    from continual.airflow.labels import WaitForLabels

    ask = _task(policy, "ask", inputs)
    asked = {"asked": ask.output, **_pinned(ask)}
    offer = _task(policy, "offer", asked)
    wait = WaitForLabels(task_id="wait", application=policy.application, inputs=asked)
    collect = _task(policy, "collect", {"waited": wait.output, **asked}, emits=emits)
    offer >> wait
    return collect


def _label(policy: Policy, assets: Assets) -> DAG:
    from continual.airflow.labels import FORM

    doc = "Asks people for labels, where the pending verdict needs them most, and retrains when they are in."
    with _dag(policy, "label", [assets.labels_due], doc, {**FORM, "slice": label_slice(policy), "as_of": AS_OF}) as dag:
        _labels(policy, emits=assets.retrain_due)
    return dag


def _score(policy: Policy) -> DAG:
    doc = "Answers the files that users hand in, with the champion; every row enters the log once."
    with _dag(policy, "score", policy.scoring.schedule if policy.scoring else None, doc, {"as_of": AS_OF}) as dag:
        _task(policy, "score")
    return dag


def _train(policy: Policy, curate: FlowOperator) -> Any:
    """One mapped task per trainer of the policy; a trainer whose lineage is quarantined skips, with the reason."""
    mapped = FlowOperator.partial(
        task_id="train",
        application=policy.application,
        flow="train",
        inputs={"curated": curate.output, **_pinned(curate)},
        map_index_template="{{ task.item }}",
        multiple_outputs=True,
    )
    return mapped.expand(item=[t.name for t in policy.trainers])


def _approval(policy: Policy, judge: FlowOperator) -> Any:
    from continual.airflow.approval import PromotionApproval

    return PromotionApproval(
        task_id="approve",
        application=policy.application,
        judged=judge.output,
        policy_hash=judge.output["policy"],
        subject=f"Promote a new version of {policy.application}?",
        body="{{ ti.xcom_pull(task_ids='judge', key='report') }}",
        defaults="Approve" if policy.promotion.on_timeout == "promote" else "Reject",
        response_timeout=policy.promotion.approval_timeout,
        execution_timeout=None,
    )


def _rollback(policy: Policy, assets: Assets) -> DAG:
    doc = "Back to the last known good version; the bad one and its lineage are quarantined."
    form = {"leave": LEAVE, "to": to_version(policy), "reason": REASON, "as_of": AS_OF}
    with _dag(policy, "rollback", [assets.alarm], doc, form) as dag:
        roll_back = _task(policy, "roll_back")
        _task(policy, "verify", _pinned(roll_back))
    return dag


def _store(policy: Policy) -> DAG:
    """Days are built by as many workers as there are: cells of different days have nothing to do with each other."""
    doc = "Builds cells over history, some days a mapped task; says which verdicts late labels turn; drops what is old."
    with _dag(policy, "store", "@weekly", doc, {"window": WINDOW, "as_of": AS_OF}) as dag:
        survey = _task(policy, "survey", maps="groups")
        build = FlowOperator.partial(
            task_id="build",
            application=policy.application,
            flow="build",
            inputs=_pinned(survey),
            map_index_template="{{ task.item[0] }}..{{ task.item[-1] }}",
            multiple_outputs=True,
        ).expand(item=survey.output)
        resettle = _task(policy, "resettle", _pinned(survey), trigger_rule=TriggerRule.NONE_FAILED)
        done = {"heads": survey.output["heads"], **_pinned(survey)}
        tidy = _task(policy, "tidy", done, trigger_rule=TriggerRule.NONE_FAILED)
        build >> resettle >> tidy
    return dag


def _data(policy: Policy) -> DAG:
    doc = "Takes rows out of use or back into it: a broken feature, a wrong file. Started by people; changes no file."
    with _dag(policy, "data", None, doc, data_form()) as dag:
        _task(policy, "data")
    return dag


def _replay(policy: Policy) -> DAG:
    doc = "Plays the log again under other policies, in sandboxes, and compares them; the deployment is only read."
    with _dag(policy, "replay", None, doc, REPLAY) as dag:
        _task(policy, "replay", execution_timeout=timedelta(hours=24))
    return dag


def _task(policy: Policy, flow: str, inputs: dict[str, Any] | None = None, **kwargs: Any) -> FlowOperator:
    told = on_success(policy, flow)
    return FlowOperator(task_id=flow, application=policy.application, flow=flow, inputs=inputs, **told, **kwargs)


def _pinned(before: Any) -> dict[str, Any]:
    """Every later task acts under the policy snapshot the run's first task took (s51), handed on from task to task."""
    return {"policy": before.output["policy"]}
