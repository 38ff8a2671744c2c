"""Promotion mode `approve`: a person reads the gate report in Airflow and answers; the ledger keeps who."""

from __future__ import annotations

from typing import Any

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk.exceptions import AirflowSkipException

from continual.core.verdict import Answer


class PromotionApproval(ApprovalOperator):  # type: ignore[misc]
    """Asks only about verdicts that say promote; anything else is skipped with its reason."""

    template_fields = (*ApprovalOperator.template_fields, "judged", "policy_hash")

    def __init__(self, *, application: str, judged: Any, policy_hash: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.application, self.judged, self.policy_hash = application, judged, policy_hash

    def execute(self, context: Any) -> Any:
        if self.judged["answer"] != Answer.PROMOTE:
            raise AirflowSkipException(f"nothing to approve: {self.judged['reason']}")
        return super().execute(context)

    def execute_complete(self, context: Any, event: dict[str, Any]) -> Any:
        from continual.flows.approve import record_answer
        from continual.flows.workspace import Workspace

        if "error" not in event:
            ti = context["ti"]
            ws = Workspace.open(self.application, self.policy_hash, f"{ti.dag_id} {context['run_id']} {ti.task_id}")
            user = event.get("responded_by_user") or {}
            who = user.get("name") or user.get("id") or "time-out"
            outcome = record_answer(ws, self.judged["verdict"], self.APPROVE in event["chosen_options"], str(who))
            ti.xcom_push("reason", outcome.reason)
        return super().execute_complete(context=context, event=event)
