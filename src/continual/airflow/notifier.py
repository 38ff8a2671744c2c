"""Airflow's callbacks -> messages. A channel that is away fails no task: what is due is told by a later one."""

from __future__ import annotations

from typing import Any

from airflow.sdk.bases.notifier import BaseNotifier

from continual.policy.models import Policy

#: Flows after which there may be something to tell.
TELLING = frozenset({"publish", "judge", "verify"})


class Tell(BaseNotifier):  # type: ignore[misc]
    """Tell what is new of an application; failed: also that this task failed for good."""

    def __init__(self, application: str, failed: bool = False) -> None:
        super().__init__()
        self.application, self.failed = application, failed

    def notify(self, context: Any) -> None:
        from continual.flows.notify import failure
        from continual.flows.notify import notify as flow
        from continual.flows.publish import run_url
        from continual.flows.workspace import Workspace
        from continual.stores.clock import wall_clock

        ti, now = context["ti"], wall_clock()
        run = f"{ti.dag_id} {ti.run_id} {ti.task_id}"
        ws = Workspace.open(self.application, run=run)
        found = None
        if self.failed:
            reason = str(context.get("exception") or "see its log")
            found = failure(ti.dag_id, ti.run_id, ti.task_id, reason, run_url(ws), now)
        for told in flow(ws, now, failed=found):
            self.log.info("TOLD %s: %s", told.topic, told.subject)


def on_success(policy: Policy, flow: str) -> dict[str, Any]:
    """Arguments of the operator that runs `flow`; none where nobody is told."""
    if policy.notify.to_env is None or flow not in TELLING:
        return {}
    return {"on_success_callback": Tell(policy.application)}


def on_failure(policy: Policy) -> dict[str, Any]:
    """Default arguments of every operator."""
    return {"on_failure_callback": Tell(policy.application, failed=True)} if policy.notify.to_env else {}
