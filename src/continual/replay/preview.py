"""What an edited policy would have decided where the recorded evidence tells; where it does not, a replay does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from continual.core.slice_values import AND
from continual.core.slices import OTHER
from continual.core.verdict import Answer, GateEvidence
from continual.flows.replay_decisions import DERIVES, Replay
from continual.flows.workspace import Workspace
from continual.triggers.base import TriggerEvidence, reasoned

if TYPE_CHECKING:
    from continual.policy.models import Policy
    from continual.stores.entry import Entry

#: Decision -> fields of the policy that shape its evidence: edited, the evidence would have been another.
SHAPES = {
    "trigger": ("active", "label"),
    "verdict": ("active", "label", "features", "window", "sampler", "trainers", "projections", "behaviours", "seed"),
    "monitor": ("label", "promotion.shadow", "monitor"),
}
REPLAY = "`continual replay` tells"
SNAPSHOT = "the policy that decided it cannot be read as it was then, since an upgrade or an edit of its snapshot"


@dataclass(frozen=True)
class Previewed:
    """One recorded decision. was: what was decided; would: under the edited policy, None = the evidence does not tell.
    why: the reason the edited policy would have given, or why nothing can be said."""

    seq: int
    kind: str
    as_of: datetime
    was: str
    would: str | None
    why: str

    @property
    def changed(self) -> bool | None:
        """None = not known."""
        return None if self.would is None else self.would != self.was

    def as_dict(self) -> dict[str, Any]:
        """For programs."""
        return {**asdict(self), "changed": self.changed}


def preview(ws: Workspace, edited: Policy, last: int = 20) -> list[Previewed]:
    """The last decisions of the kinds in SHAPES, oldest first, each taken again on its own recorded evidence.

    Each is judged as if only it were new: what follows from a changed decision is a matter of a replay.
    """
    from continual.policy.last_good import PolicyShelf

    replayed = Replay(ws.ledger, PolicyShelf(ws.settings.home, ws.settings.configs))
    newest = [entry for entry in ws.ledger.entries(newest_first=True) if entry.kind in SHAPES][:last]
    return [_one(replayed, edited, entry) for entry in reversed(newest)]


def _one(replayed: Replay, edited: Policy, entry: Entry) -> Previewed:
    from continual.errors import ContinualError

    was = _was(entry)
    try:
        then = replayed.policy(entry)
    except ContinualError:
        return Previewed(entry.seq, entry.kind, entry.as_of, was, None, f"{SNAPSHOT}: {REPLAY}")
    try:
        lacking = list(_lacking(then, edited, entry))
        would, why = (None, "; ".join(lacking)) if lacking else _TAKEN[entry.kind](replayed, edited, entry)
    except (ContinualError, KeyError, TypeError, ValueError) as error:
        would, why = None, str(error) if isinstance(error, ContinualError) else f"incomplete evidence: {error!r}"
    return Previewed(entry.seq, entry.kind, entry.as_of, was, would, why)


def _was(entry: Entry) -> str:
    if entry.kind == "trigger":
        return _word(entry.evidence["retrain"])
    if entry.kind == "verdict":
        return str(entry.evidence["verdict"]["answer"])
    return "alarm" if entry.evidence["reading"]["alarms"] else "quiet"


def _word(retrain: bool) -> str:
    return "retrain" if retrain else "no retrain"


def _lacking(then: Policy, edited: Policy, entry: Entry) -> Iterator[str]:
    """Why the recorded evidence is not that of the edited policy."""
    for name in SHAPES[entry.kind]:
        if _field(then, name) != _field(edited, name):
            yield f"`{name}` was another, so was the evidence: {REPLAY}"
    if entry.kind == "verdict":
        yield from _unmeasured(then, edited)


def _unmeasured(then: Policy, edited: Policy) -> Iterator[str]:
    """Metrics and slices that nobody measured then. A margin, a floor or a tier may be another."""
    loose = {"margin", "floor", "priority", "owner"}
    known = [metric.model_dump(exclude=loose) for metric in then.metrics]
    new = [metric.name for metric in edited.metrics if metric.model_dump(exclude=loose) not in known]
    if new:
        yield f"{', '.join(new)} was not measured: {REPLAY}"
    if _cut(then) != _cut(edited):
        yield f"the slices were others: {REPLAY}"


def _cut(policy: Policy) -> list[Any]:
    """The slices; of crosses the tier too, which their names do not give back."""
    return [spec.model_dump(exclude=set() if spec.cross else {"tier"}) for spec in policy.slices]


def _field(policy: Policy, path: str) -> Any:
    value: Any = policy
    for name in path.split("."):
        value = getattr(value, name)
    return value.model_dump() if hasattr(value, "model_dump") else value


def _trigger(replayed: Replay, edited: Policy, entry: Entry) -> tuple[str | None, str]:
    """A guard or a diagnosis that spoke then speaks again; else the edited trigger on the evidence."""
    derived = DERIVES["trigger"](replayed, entry)
    then = replayed.policy(entry)
    evidence = TriggerEvidence.from_dict(entry.evidence["evidence"])
    said = reasoned(then.trigger, evidence)
    by_itself = f"{_word(said.retrain)}: {said.reason}"
    if derived.again["reason"] != by_itself:
        if "cooling down" in entry.reason and then.promotion.cooldown != edited.promotion.cooldown:
            return None, f"`promotion.cooldown` was another: {REPLAY}"
        return _was(entry), entry.reason
    wanting = edited.trigger.needs
    if wanting != then.trigger.needs and wanting | then.trigger.needs != then.trigger.needs:
        return None, f"the edited trigger reads what nobody measured then ({edited.trigger.kind}): {REPLAY}"
    again = reasoned(edited.trigger, replace(evidence, prices=edited.prices))
    return _word(again.retrain), again.reason


def _verdict(replayed: Replay, edited: Policy, entry: Entry) -> tuple[str | None, str]:
    """The edited gate, margins, floors and tiers on the recorded measurements."""
    named = replayed.ledger.get(entry.evidence["evaluation"]["key"])
    if named is None:
        return None, "the evaluation it rests on is not in the ledger"
    evidence = GateEvidence.from_dict(named.evidence["gate"])
    verdict = edited.gate.judge(_with_tiers(evidence, edited), edited.metric_terms())
    return str(Answer(verdict.answer)), verdict.reason


def _with_tiers(evidence: GateEvidence, edited: Policy) -> GateEvidence:
    """Slices by the tiers of the edited policy; metrics by its priorities, without those it dropped."""
    named = {spec.name: spec.tier.value for spec in edited.slices if spec.where}
    by = {spec.by: spec.tier.value for spec in edited.slices if spec.by}
    kinds = {metric.name: metric.priority for metric in edited.metrics}
    slices = tuple(
        replace(
            one,
            tier=named.get(one.slice) or _of_value(by, one.slice) or one.tier,
            metrics=tuple(replace(m, priority=kinds[m.metric]) for m in one.metrics if m.metric in kinds),
        )
        for one in evidence.slices
    )
    return replace(evidence, slices=slices)


def _of_value(by: dict[str, str], name: str) -> str | None:
    """Tier of a slice by value; what is left over is long tail whatever the column's tier."""
    column, equals, value = name.partition("=")
    return by.get(column) if equals and value != OTHER and AND not in name else None


def _monitor(replayed: Replay, edited: Policy, entry: Entry) -> tuple[str | None, str]:
    """The monitor is the same, so is its reading."""
    return _was(entry), "the monitor was not edited"


_TAKEN: dict[str, Callable[[Replay, Policy, Entry], tuple[str | None, str]]] = {
    "trigger": _trigger,
    "verdict": _verdict,
    "monitor": _monitor,
}
