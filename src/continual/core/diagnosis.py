"""Is it the model, the data, the labels or the world? From frozen evidence to the one thing to do about it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any, Literal

from continual.core.verdict import OVERALL


class Cause(StrEnum):
    """What is wrong."""

    MODEL = "model"
    DATA = "data"
    LABELS = "labels"
    WORLD = "world"
    UNCLEAR = "unclear"
    NOTHING = "nothing"


class Actuator(StrEnum):
    """What to do. quarantine: set the faulty rows aside and wait with the retrain; hold: wait with the retrain."""

    ROLL_BACK = "roll_back"
    QUARANTINE = "quarantine"
    RETRAIN = "retrain"
    HOLD = "hold"
    NOTHING = "nothing"


@dataclass(frozen=True)
class DataFault:
    """A column jumped inside a slice. role: an input as logged, or the champion's score. part: share that jumped most.

    effect: change of that share, in [-1, 1]. floor: smallest change that would have been found. days: ISO dates found
    faulty. rows: rows of the slice on them. active: the newest day is one of them. predicate: the slice's rows.
    """

    slice: str
    predicate: str
    column: str
    role: Literal["input", "score"]
    part: str
    effect: float
    floor: float
    days: tuple[str, ...]
    rows: int
    active: bool

    @property
    def ratio(self) -> float:
        """Effect in units of what would have been found."""
        return abs(self.effect) / self.floor if self.floor else 0.0

    @property
    def sentence(self) -> str:
        """For people."""
        what = "score" if self.role == "score" else self.column
        when = self.days[0] if len(self.days) == 1 else f"{self.days[0]} to {self.days[-1]} ({len(self.days)} days)"
        moved = f"{abs(self.effect):.0%} of the rows {'more' if self.effect > 0 else 'fewer'} are {self.part}"
        return f"{what} jumped in {self.slice} on {when}: {moved} (noise floor {self.floor:.0%}, {self.rows:,} rows)"


@dataclass(frozen=True)
class PastChange:
    """A version's mean loss on the latest matured days minus that on its earlier ones, with a lower bound. worse: the
    bound exceeds what is tolerated on two of the last five days, the latest among them."""

    version: str
    change: float
    low: float
    worse: bool


@dataclass(frozen=True)
class DiagnosisEvidence:
    """All a diagnosis may look at.

    alarms: slices where the champion is worse than the previous version. clean_alarms: those left when the rows of the
    faults are taken out. refused: sentences of Great Expectations about batches still refused. champion_past,
    previous_past: None = not known. labels_problem: why early labels mislead, or None.
    """

    champion: str
    previous: str | None = None
    alarms: tuple[str, ...] = ()
    clean_alarms: tuple[str, ...] = ()
    faults: tuple[DataFault, ...] = ()
    refused: tuple[str, ...] = ()
    champion_past: PastChange | None = None
    previous_past: PastChange | None = None
    labels_problem: str | None = None

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> DiagnosisEvidence:
        """Inverse of `as_dict`, also after JSON."""
        past = {k: PastChange(**value[k]) if value[k] else None for k in ("champion_past", "previous_past")}
        lists = {k: tuple(value[k]) for k in ("alarms", "clean_alarms", "refused")}
        faults = tuple(DataFault(**{**f, "days": tuple(f["days"])}) for f in value["faults"])
        return cls(**{**value, **past, **lists, "faults": faults})


@dataclass(frozen=True)
class Quarantine:
    """Rows to set aside: those of `predicate` (a slice) on `days` (ISO dates), because of `columns`."""

    slice: str
    predicate: str
    days: tuple[str, ...]
    columns: tuple[str, ...]
    rows: int


@dataclass(frozen=True)
class Diagnosis:
    """cause and actuator, one sentence why; quarantine: rows to set aside, only with that actuator."""

    cause: Cause
    actuator: Actuator
    reason: str
    quarantine: tuple[Quarantine, ...] = field(default=())

    @property
    def holds_retrain(self) -> bool:
        """A retrain now would learn from rows or labels that are wrong, or repeat what is being left."""
        return self.actuator in (Actuator.QUARANTINE, Actuator.HOLD, Actuator.ROLL_BACK)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def diagnose(found: DiagnosisEvidence) -> Diagnosis:
    """Labels first, because without them no loss is known; then what the alarm rests on; then faults without an alarm;
    then the world, which needs clean inputs and two versions that both got worse."""
    inputs = tuple(f for f in found.faults if f.role == "input")
    scores = tuple(f for f in found.faults if f.role == "score" and f.active)
    if found.alarms:
        return _alarmed(found, inputs)
    active = tuple(f for f in inputs if f.active)
    if active:
        why = f"no alarm yet, but {active[0].sentence}: set the rows aside, no retrain on them"
        return Diagnosis(Cause.DATA, Actuator.QUARANTINE, why, quarantines(active))
    if found.refused:
        return Diagnosis(Cause.DATA, Actuator.HOLD, f"a batch is still refused: {found.refused[0]}")
    if found.labels_problem:
        return Diagnosis(Cause.LABELS, Actuator.HOLD, found.labels_problem)
    if scores:
        why = f"{scores[0].sentence} although its inputs did not: wait for the labels"
        return Diagnosis(Cause.UNCLEAR, Actuator.HOLD, why)
    return _past(found)


def _alarmed(found: DiagnosisEvidence, inputs: tuple[DataFault, ...]) -> Diagnosis:
    named = ", ".join([a for a in found.alarms if a != OVERALL][:3] or found.alarms[:3])
    if found.labels_problem:
        why = f"the alarm on {named} rests on labels that mislead: {found.labels_problem}"
        return Diagnosis(Cause.LABELS, Actuator.HOLD, why)
    if not found.clean_alarms and inputs:
        why = f"the alarm on {named} vanishes without the rows whose inputs jumped: {inputs[0].sentence}"
        return Diagnosis(Cause.DATA, Actuator.QUARANTINE, why, quarantines(inputs))
    why = f"version {found.champion} is worse than version {found.previous} on {named}"
    if inputs:
        why += f", also without the rows whose inputs jumped ({inputs[0].column} in {inputs[0].slice})"
    else:
        why += " and no input jumped"
    return Diagnosis(Cause.MODEL, Actuator.ROLL_BACK, f"{why}: the fault is the version's own")


def _past(found: DiagnosisEvidence) -> Diagnosis:
    ours, theirs = found.champion_past, found.previous_past
    if ours is None or not ours.worse:
        return Diagnosis(Cause.NOTHING, Actuator.NOTHING, "no alarm, no input jumped")
    loses = f"version {found.champion} loses {ours.change:.3f} more per row than on its earlier days"
    if theirs is None:
        return Diagnosis(Cause.UNCLEAR, Actuator.HOLD, f"{loses}, and no other version tells whether the world changed")
    if not theirs.worse:
        why = f"{loses}, version {found.previous} does not: wait for the paired comparison"
        return Diagnosis(Cause.UNCLEAR, Actuator.HOLD, why)
    why = f"{loses}, version {found.previous} {theirs.change:.3f} more, and no input jumped: the world changed"
    return Diagnosis(Cause.WORLD, Actuator.RETRAIN, why)


def quarantines(faults: tuple[DataFault, ...]) -> tuple[Quarantine, ...]:
    """One request per slice; a fault of all rows covers its slices on the same days."""
    out: dict[str, Quarantine] = {}
    for fault in sorted(faults, key=lambda f: f.slice != OVERALL):
        whole = out.get(OVERALL)
        if whole is not None and fault.slice != OVERALL and set(fault.days) <= set(whole.days):
            continue
        old = out.get(fault.slice)
        days = tuple(sorted({*fault.days, *(old.days if old else ())}))
        columns = tuple(sorted({fault.column, *(old.columns if old else ())}))
        rows = max(fault.rows, old.rows if old else 0)
        out[fault.slice] = Quarantine(fault.slice, fault.predicate, days, columns, rows)
    return tuple(out.values())
