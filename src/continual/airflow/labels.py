"""Waiting for people's labels: a trigger looks now and then, no worker is held, and the wait ends with an outcome."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

from airflow.sdk import Param
from airflow.triggers.base import BaseTrigger, TriggerEvent

from continual.airflow.operator import FlowOperator
from continual.errors import ContinualError
from continual.stores.clock import wall_clock

#: Form of `<app>.label`.
FORM = {
    "labels": Param(
        None,
        type=["null", "integer"],
        minimum=1,
        title="Labels",
        description="Rows to be labelled. Empty: what the budget of the period leaves.",
    ),
    "reason": Param(None, type=["null", "string"], title="Reason", description="Why; it is written to the ledger."),
}


class LabelsTrigger(BaseTrigger):  # type: ignore[misc]
    """Fires when enough labels are in, or at `until`. poll: seconds between two looks."""

    def __init__(self, application: str, policy_hash: str, asked: str, poll: float, until: str) -> None:
        super().__init__()
        self.application, self.policy_hash, self.asked = application, policy_hash, asked
        self.poll, self.until = poll, until

    def serialize(self) -> tuple[str, dict[str, Any]]:
        values = {"application": self.application, "policy_hash": self.policy_hash, "asked": self.asked}
        return f"{__name__}.LabelsTrigger", {**values, "poll": self.poll, "until": self.until}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """A backend that is down is asked again: only time ends the wait then."""
        until = datetime.fromisoformat(self.until)
        while True:
            try:
                done = await asyncio.to_thread(self._look)
            except ContinualError as error:
                self.log.warning("%s", error)
                done = False
            left = (until - wall_clock()).total_seconds()
            if done or left <= 0:
                yield TriggerEvent({"over": not done})
                return
            await asyncio.sleep(min(self.poll, max(left, 0.1)))

    def _look(self) -> bool:
        from continual.flows.label_wait import look
        from continual.flows.workspace import Workspace

        ws = Workspace.open(self.application, self.policy_hash, "triggerer")
        try:
            return look(ws, self.asked).done
        finally:
            ws.db.close()


class WaitForLabels(FlowOperator):
    """Deferred until the labels of `inputs['asked']` are in or `labelling.wait` is over; cleared, it looks again and
    waits for what is left of that time."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(flow="wait", execution_timeout=None, **kwargs)
        self.over = False

    def resume(self, context: Any, event: dict[str, Any]) -> Any:
        """Called by Airflow when the trigger fired."""
        self.over = bool(event["over"])
        return self.execute(context)

    def _run(self, context: Any) -> dict[str, Any]:
        from continual.flows.label_wait import look, wait_ends, wait_over
        from continual.flows.workspace import Workspace

        ti = context["ti"]
        ws = Workspace.open(
            self.application, self.inputs.get("policy"), f"{ti.dag_id} {context['run_id']} {ti.task_id}"
        )
        asked = self.inputs["asked"].get("asked")
        if asked is None:
            return {"reason": f"nothing to wait for: {self.inputs['asked']['reason']}", "policy": ws.loaded.hash}
        found, until = look(ws, asked), wait_ends(ws, asked)
        over = self.over or wall_clock() >= until
        if not found.done and not over:
            poll = ws.policy.labelling.poll.total_seconds()
            trigger = LabelsTrigger(self.application, ws.loaded.hash, asked, poll, until.isoformat())
            self.defer(trigger=trigger, method_name="resume")
        outcome = wait_over(ws, found, over)
        return {**outcome.data, "reason": outcome.reason, "policy": ws.loaded.hash}
