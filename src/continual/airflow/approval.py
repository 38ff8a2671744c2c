"""Promotion mode `approve`: a person reads the gate report in Airflow and answers; the ledger keeps who."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk.exceptions import AirflowSkipException

from continual.airflow.links import ModelVersionLink, SlicesLink, VerdictLink, airflow_addresses
from continual.core.verdict import Answer

if TYPE_CHECKING:
    from continual.flows.workspace import Workspace


class PromotionApproval(ApprovalOperator):  # type: ignore[misc]
    """Asks only about verdicts that say promote, and once: cleared, it remembers the answer."""

    template_fields = (*ApprovalOperator.template_fields, "judged", "policy_hash")
    operator_extra_links = (ModelVersionLink(), VerdictLink(), SlicesLink())

    def __init__(self, *, application: str, judged: Any, policy_hash: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.application, self.judged, self.policy_hash = application, judged, policy_hash
        self.version: str | None = None
        self.body: str  # ApprovalOperator has set it

    def execute(self, context: Any) -> Any:
        from continual.flows.approve import recorded_answer

        self.version = self.judged["version"]
        if self.judged["answer"] != Answer.PROMOTE:
            reason = f"nothing to approve: {self.judged['reason']}"
            context["ti"].xcom_push("reason", reason)
            raise AirflowSkipException(reason)
        link = airflow_addresses().verdict_tab(context["ti"].dag_id, context["run_id"])
        report: str = self.body
        self.body = f"[Who gains, who pays, slice by slice: the Verdict page]({link})\n\n{report}"
        known = recorded_answer(self._workspace(context), self.judged["verdict"])
        if known is not None:
            context["ti"].xcom_push("reason", known.reason)
            return known.data
        return super().execute(context)

    def execute_complete(self, context: Any, event: dict[str, Any]) -> Any:
        from continual.flows.approve import record_answer

        self.version = self.judged["version"]
        # not ApprovalOperator's: after 'Reject' that skips `promote`, which then could not say why
        answer = super(ApprovalOperator, self).execute_complete(context=context, event=event)
        user = answer["responded_by_user"] or {}
        who = user.get("name") or user.get("id") or "time-out"
        approved = self.APPROVE in answer["chosen_options"]
        outcome = record_answer(self._workspace(context), self.judged["verdict"], approved, str(who))
        context["ti"].xcom_push("reason", outcome.reason)
        return answer

    def _workspace(self, context: Any) -> Workspace:
        from continual.flows.workspace import Workspace

        ti = context["ti"]
        return Workspace.open(self.application, self.policy_hash, f"{ti.dag_id} {context['run_id']} {ti.task_id}")
