"""The one operator: runs a flow, ends with a one-line reason, links to the model it was about."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import Asset, AssetAlias, BaseOperator, BaseOperatorLink
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from continual.airflow.links import DataDocsLink, ModelVersionLink, SlicesLink, VerdictLink
from continual.airflow.moment import Moment, caught_up, moment_of
from continual.errors import (
    BatchError,
    ContinualError,
    LedgerError,
    PolicyError,
    PromotionRefused,
    Skipped,
    SliceError,
)

if TYPE_CHECKING:
    from continual.flows.workspace import Workspace

#: Trying again cannot help: the input or the decision has to change.
FINAL = (PolicyError, BatchError, PromotionRefused, LedgerError, SliceError)


class FlowOperator(BaseOperator):  # type: ignore[misc]
    """Run the flow `flow` of `application`.

    inputs: results of earlier tasks; `inputs['policy']` pins the policy snapshot the run started with. item: what a
    mapped task is about (a trainer, some days). inlets: asset whose events since the run's start count, too. emits:
    asset that is updated when the flow's data holds an `event`. The flow's data become XComs, key by key, with the
    one-line `reason` and the hash of the `policy`. maps: the key whose value, a list, later tasks are mapped over; it
    is what the task returns, because Airflow expands over nothing else.
    """

    template_fields: Sequence[str] = ("inputs",)
    operator_extra_links: tuple[BaseOperatorLink, ...] = (ModelVersionLink(), VerdictLink(), SlicesLink())
    ui_color = "#e8f0fe"

    def __init__(
        self,
        *,
        application: str,
        flow: str,
        inputs: dict[str, Any] | None = None,
        item: Any = None,
        emits: Asset | None = None,
        maps: str | None = None,
        **kwargs: Any,
    ) -> None:
        if emits:
            kwargs.setdefault("outlets", [AssetAlias(name=f"{application}.{flow}")])
        kwargs.setdefault("multiple_outputs", maps is None)
        super().__init__(**kwargs)
        self.application, self.flow, self.inputs = application, flow, inputs or {}
        self.item, self.emits, self.maps = item, emits, maps
        self.version: str | None = None
        self.as_of: str | None = None

    def execute(self, context: Any) -> Any:
        ti = context["ti"]
        self.version = _version_in(self.inputs)
        try:
            data = self._run(context)
        except ContinualError as error:
            ti.xcom_push("reason", str(error))
            if not isinstance(error, Skipped):
                self.log.error("ON CALL docs/operations/alarms.md#%s", type(error).__name__.lower())
            raise _airflow_error(error) from error
        self.version = data.get("version") or self.version
        if self.emits and data.get("event"):
            alias = AssetAlias(name=f"{self.application}.{self.flow}")
            context["outlet_events"][alias].add(self.emits, extra=data["event"])
        self.log.info("REASON %s", data["reason"])
        if self.maps is None:
            return data
        for key, value in data.items():
            ti.xcom_push(key, value)
        return data[self.maps]

    def _run(self, context: Any) -> dict[str, Any]:
        from continual.airflow.tasks import TASKS, Call
        from continual.flows.workspace import Workspace

        ti = context["ti"]
        run = f"{ti.dag_id} {context['run_id']} {ti.task_id}"
        ws = Workspace.open(self.application, self.inputs.get("policy"), run)
        inputs = {**self.inputs, "item": self.item}
        form = {**(context.get("params") or {}), "by": getattr(context["dag_run"], "triggering_user_name", None)}
        moment = self._moment(context, ws)
        self.as_of = moment.as_of.isoformat()
        call = Call(ws, moment, inputs, form, self._progress)
        outcome = TASKS[self.flow](call)
        return {**outcome.data, "reason": outcome.reason, "policy": ws.loaded.hash}

    def _moment(self, context: Any, ws: Workspace) -> Moment:
        moment = moment_of(context)
        if not self.inlets:
            return moment
        decided = ws.ledger.last("trigger")
        return caught_up(context, moment, decided.as_of if decided else None)

    def _progress(self, done: int, total: int, name: str) -> None:
        if done == total or done % max(1, total // 20) == 0:
            self.log.info("%d of %d (%.0f%%) %s", done, total, 100 * done / total, name)


class ValidateOperator(FlowOperator):
    """The flow that judges batches: links to Great Expectations' pages of them."""

    operator_extra_links = (*FlowOperator.operator_extra_links, DataDocsLink())


def _version_in(inputs: dict[str, Any]) -> str | None:
    """The version an earlier task was about, so that a task that skips or fails links to it, too."""
    found = [v["version"] for v in inputs.values() if isinstance(v, dict) and v.get("version")]
    return str(found[0]) if found else None


def _airflow_error(error: ContinualError) -> Exception:
    kind: type[Exception] | None = None
    if isinstance(error, Skipped):
        kind = AirflowSkipException
    elif isinstance(error, FINAL):
        kind = AirflowFailException
    return kind(str(error)) if kind else error
