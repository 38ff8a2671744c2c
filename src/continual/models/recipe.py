"""Trainer in the policy -> unfitted scikit-learn pipeline, and the hash that names its lineage."""

from __future__ import annotations

import hashlib
import importlib
import inspect
from pathlib import Path
from typing import Any

from continual.core.canonical import digest
from continual.errors import PolicyError
from continual.models.spec import Features, Step, Trainer

#: Types inside scikit-learn's own estimators that skops asks about; everything else must be named in the policy.
SKLEARN_INTERNALS = (
    "functools.partial",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.utils.validation.check_array",
)


def build_pipeline(trainer: Trainer, features: Features, seed: int) -> Any:
    """An unfitted `sklearn.pipeline.Pipeline`.

    Parameters a step's signature asks for and the policy leaves out are filled in: `numeric` and `categorical`
    from the features, `random_state` from the seed.

    Raises
    ------
    PolicyError: a step cannot be imported or refuses its parameters.
    """
    from sklearn.pipeline import Pipeline

    given = {"numeric": features.numeric, "categorical": features.categorical, "random_state": seed}
    steps = []
    for position, step in enumerate(trainer.steps):
        name = step.use.rpartition(".")[2].lower()
        steps.append((f"{position}_{name}", _instance(step, given, trainer.name)))
    return Pipeline(steps)


def _instance(step: Step, given: dict[str, Any], trainer: str) -> Any:
    target = import_object(step.use, f"trainer {trainer!r}")
    accepted = inspect.signature(target).parameters
    defaults = {k: v for k, v in given.items() if k in accepted and k not in step.params}
    try:
        return target(**defaults, **step.params)
    except (TypeError, ValueError) as error:
        raise PolicyError(
            f"Trainer {trainer!r}: step {step.use} must accept its params.",
            f"{error}.",
            "correct trainers.steps.params.",
        ) from error


def import_object(path: str, where: str) -> Any:
    """Object at dotted `path`.

    Raises
    ------
    PolicyError: module or attribute does not exist.
    """
    module_name, _, attribute = path.rpartition(".")
    try:
        return getattr(importlib.import_module(module_name), attribute)
    except (ImportError, AttributeError) as error:
        raise PolicyError(
            f"{where}: an import path must exist.",
            f"{path!r}: {error}.",
            "check the spelling and that the package is installed where Airflow's workers run.",
        ) from error


def recipe_hash(trainer: Trainer, features: Features) -> str:
    """16 hex characters over steps, parameters, features, the code of every step and how it learns without labels.

    The lineage of a version is its recipe and the rows it was trained on. A recipe changes when its code changes:
    for scikit-learn that is the release, for other modules the source file.
    """
    steps = [{"use": s.use, "params": s.params, "code": _code_identity(s.use)} for s in trainer.steps]
    taught = {"self_training": trainer.self_training.model_dump()} if trainer.self_training else {}
    return digest({"steps": steps, "features": features.model_dump(), **taught})[:16]


def _code_identity(path: str) -> str:
    target = import_object(path, "trainer")
    if path.startswith("sklearn."):
        import sklearn

        return f"scikit-learn {sklearn.__version__}"
    source = inspect.getsourcefile(target)
    return hashlib.sha256(Path(source).read_bytes()).hexdigest() if source else path


def trusted_types(trainer: Trainer) -> tuple[str, ...]:
    """Types skops may load for this trainer's models; anything else in an artifact refuses to load."""
    return tuple(sorted({*SKLEARN_INTERNALS, *(s.use for s in trainer.steps), *trainer.trusted}))
