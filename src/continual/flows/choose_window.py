"""Which of several training windows: the one whose model does best on the rows just before the judging window.

The best window has opposite signs on different streams: where the world drifts old rows mislead, where it does not
they are missed. The judging window itself is not looked at.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from continual.core.canonical import digest, plain
from continual.core.stats.effective import effective_size
from continual.core.window import Window
from continual.errors import NotEnoughData
from continual.flows import training_pool
from continual.flows.measure import rows_in
from continual.flows.train import fit
from continual.flows.training_pool import TrainingRows
from continual.flows.unlabelled import beside
from continual.flows.weights import of_labelled
from continual.flows.workspace import Workspace
from continual.models.artifact import score
from continual.policy.training_window import TrainingWindow
from continual.policy.windows import training_window
from continual.samplers._designs import keyed_uniform

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Contender:
    """A training window in the running. validation: primary metric, None = undefined, `why` says so. n: rows its model
    saw; effective: what they are worth, weighted."""

    choice: TrainingWindow
    window: Window
    validation: float | None = None
    n: int = 0
    effective: float = 0.0
    why: str = ""

    def as_dict(self) -> dict[str, Any]:
        """For the ledger."""
        own = {"choice": self.choice.label, "window": self.window.as_dict(), "validation": self.validation}
        return dict(plain({**own, "n": self.n, "effective": self.effective, "why": self.why}))


def contenders(ws: Workspace, split: datetime, as_of: datetime) -> list[Contender]:
    """The policy's windows that end at `split`, validated if there are several, in the policy's order."""
    choices = ws.policy.window.choices
    if len(choices) == 1:
        return [Contender(choices[0], training_window(ws.policy, choices[0], split))]
    return validated(ws, choices, split, as_of)


def best(found: Sequence[Contender], higher_is_better: bool) -> Contender:
    """Best validation; undefined ones last; ties go to the first."""

    def rank(item: Contender) -> tuple[bool, float]:
        value = 0.0 if item.validation is None else item.validation
        return item.validation is None, -value if higher_is_better else value

    return min(found, key=rank)


def validated(ws: Workspace, choices: Sequence[TrainingWindow], split: datetime, as_of: datetime) -> list[Contender]:
    """Each choice, moved back by the length of the judging window, and what its model does on the rows in between."""
    items = [Contender(choice, training_window(ws.policy, choice, split)) for choice in choices]
    earlier = split - ws.policy.window.evaluation
    if earlier <= ws.policy.active.start:
        return [_undefined(item, "no history before the validation rows") for item in items]
    whole = Window(min(training_window(ws.policy, choice, earlier).start for choice in choices), split)
    taught = ws.policy.trainers[0].self_training
    rows = training_pool.read(ws, whole, as_of, spare=taught.max_rows if taught else 0)
    validation = Window(earlier, split)
    later = of_labelled(ws, rows.within(validation).frame, validation, as_of)
    if later.empty:
        return [_undefined(item, "no labels on the validation rows") for item in items]
    return [_validated(_Trial(ws, rows, later, earlier, as_of), item) for item in items]


@dataclass(frozen=True)
class _Trial:
    """rows: of all windows; later: labelled, to validate on; earlier: where the windows end in the trial."""

    ws: Workspace
    rows: TrainingRows
    later: pd.DataFrame
    earlier: datetime
    as_of: datetime


def _validated(trial: _Trial, item: Contender) -> Contender:
    ws, policy = trial.ws, trial.ws.policy
    window = training_window(policy, item.choice, trial.earlier)
    try:
        own = trial.rows.within(window)
        past = _budgeted(ws, training_pool.usable(policy.window, own, window))
    except NotEnoughData as error:
        return _undefined(item, f"{error.must} {error.got}")
    if policy.label.target.task != "regression" and past["label"].nunique() < 2:
        return _undefined(item, "one class only")
    n, past = len(past), beside(past, own.spare)
    weight = training_pool.weights(policy.window, item.choice, past, trial.earlier)
    past = past if weight is None else past.assign(**{training_pool.WEIGHT: weight})
    key = digest(["window", item.choice.label, window.as_dict(), trial.as_of.isoformat(), ws.loaded.hash])[:32]
    model = ws.fitted(key, lambda: fit(ws, policy.trainers[0], past))
    scores = score(model, trial.later, policy.features.all, policy.label.target)
    everything = np.ones(len(trial.later), dtype=bool)
    found = policy.primary.estimate(rows_in(trial.later, everything, policy.primary.needs), scores)
    worth = float(n) if weight is None else effective_size(weight[:n])
    why = found.method if found.value is None else ""
    return Contender(item.choice, item.window, found.value, n, worth, why)


def _undefined(item: Contender, why: str) -> Contender:
    return Contender(item.choice, item.window, why=why)


def _budgeted(ws: Workspace, rows: pd.DataFrame) -> pd.DataFrame:
    """No more rows than a retrain would learn from, chosen evenly: windows are compared, not budgets."""
    budget = ws.policy.sampler.budget
    if budget is None or budget >= len(rows):
        return rows.assign(probability=1.0)
    share = budget / len(rows)
    chosen = keyed_uniform(rows["record_key"].to_numpy(dtype=object), ws.policy.seed) < share
    return rows[chosen].reset_index(drop=True).assign(probability=share)
