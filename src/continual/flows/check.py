"""Policy files checked as far as that is possible without data: what the loader refuses, and what a run would."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from continual.errors import ContinualError, PolicyError
from continual.models.spec import Trainer
from continual.policy.document import Document, Path, read_document
from continual.policy.last_good import PolicyShelf
from continual.policy.load import LoadedPolicy, load_policy

FILE, LAST_GOOD, NOTHING = "the file", "the last good policy", "nothing"


@dataclass(frozen=True)
class Problem:
    """What must hold, what was got (with file, line, field and value), what to do."""

    must: str
    got: str
    do: str


@dataclass(frozen=True)
class Checked:
    """in_force: FILE, LAST_GOOD or NOTHING. policy: hash of what is in force, None when nothing is."""

    application: str
    file: str
    in_force: str
    policy: str | None
    problems: tuple[Problem, ...]

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def check_application(shelf: PolicyShelf, application: str) -> Checked:
    """Everything that is wrong with `configs/<application>.yaml`, and which policy its runs use meanwhile."""
    path = shelf.configs / f"{application}.yaml"
    try:
        loaded = load_policy(path)
    except PolicyError as error:
        problem = (Problem(error.must, error.got, error.remedy),)
        try:
            last = shelf.in_force(application).loaded
        except PolicyError:
            return Checked(application, str(path), NOTHING, None, problem)
        return Checked(application, str(path), LAST_GOOD, last.hash, problem)
    return Checked(application, str(path), FILE, loaded.hash, tuple(check_policy(loaded)))


def check_policy(loaded: LoadedPolicy) -> Iterator[Problem]:
    """What parsing a DAG file has no time for: Great Expectations, scikit-learn and your own code are imported."""
    document = read_document(loaded.text, loaded.path)
    yield from _expectations(loaded, document)
    for position, trainer in enumerate(loaded.policy.trainers):
        yield from _trainer(loaded, document, position, trainer)


def _expectations(loaded: LoadedPolicy, document: Document) -> Iterator[Problem]:
    from continual.expectations.catalogue import check_names

    suites = loaded.policy.expectations
    for stream, suite in (("predictions", suites.predictions), ("labels", suites.labels)):
        for position, check in enumerate(suite.checks):
            try:
                check_names([check])
            except PolicyError as error:
                place = _place(loaded, document, _position_of(document, stream, position))
                yield Problem(error.must, f"{place}: {error.got}", error.remedy)


def _position_of(document: Document, stream: str, position: int) -> Path:
    """A suite is a list, or a mapping with the list in `checks`."""
    listed: Path = ("expectations", stream)
    nested = isinstance(document.value_at(listed), dict)
    return (*listed, "checks", position) if nested else (*listed, position)


def _trainer(loaded: LoadedPolicy, document: Document, position: int, trainer: Trainer) -> Iterator[Problem]:
    """Step by step, so that every problem is named where it stands."""
    last = len(trainer.steps) - 1
    for number, step in enumerate(trainer.steps):
        place = _place(loaded, document, ("trainers", position, "steps", number))
        alone = trainer.model_copy(update={"steps": [step]})
        try:
            yield from _step(loaded, place, alone, number == last)
        except ContinualError as error:
            yield Problem(error.must, f"{place}: {error.got}", error.remedy)
        except Exception as error:  # foreign code may raise anything on import or construction
            got = f"{place}: {type(error).__name__}: {error}."
            yield Problem(f"Step {step.use} must build.", got, "repair its code.")


def _step(loaded: LoadedPolicy, place: str, trainer: Trainer, last: bool) -> Iterator[Problem]:
    from continual.models.recipe import build_pipeline, trusted_types

    pipeline = build_pipeline(trainer, loaded.policy.features, loaded.policy.seed)
    unknown = _untrusted(pipeline, trusted_types(trainer))
    if unknown:
        yield Problem(
            "Every type inside a model must be trusted by the policy.",
            f"{place}: {', '.join(unknown)}.",
            "add them to the trainer's `trusted` list if they are yours.",
        )
    if last:
        yield from _last_step(loaded, place, trainer.steps[-1].use, pipeline[-1])
        yield from _warm(place, trainer, pipeline[-1])
    if not last and not hasattr(pipeline[-1], "transform"):
        yield Problem(
            "Every step of a trainer but the last must transform.",
            f"{place}: {trainer.steps[-1].use} has no transform.",
            "use a transformer, or make it the last step.",
        )


def _last_step(loaded: LoadedPolicy, place: str, use: str, model: Any) -> Iterator[Problem]:
    from sklearn.base import is_regressor

    if loaded.policy.label.task == "regression":
        if not is_regressor(model):
            got, remedy = f"{place}: {use} is none.", "use a regressor; its `predict` gives the value."
            yield Problem("The last step of a trainer must be a regressor: label.task is 'regression'.", got, remedy)
    elif not hasattr(model, "predict_proba"):
        yield Problem(
            "The last step of a trainer must predict probabilities.",
            f"{place}: {use} has no predict_proba.",
            "use a classifier that has it, or wrap it in sklearn.calibration.CalibratedClassifierCV.",
        )


def _warm(place: str, trainer: Trainer, model: Any) -> Iterator[Problem]:
    from continual.models.warm import problem

    why = problem(model) if trainer.warm_start else None
    if why:
        remedy = "use an estimator that can (linear models, forests, GradientBoosting, MLP), or drop `warm_start`."
        yield Problem("The last step of a trainer with `warm_start` must be able to go on.", f"{place}: {why}.", remedy)


def _untrusted(pipeline: Any, trusted: Sequence[str]) -> list[str]:
    """Of the pipeline before training; what training adds is checked when the model is logged."""
    import skops.io

    return sorted(set(skops.io.get_untrusted_types(data=skops.io.dumps(pipeline))) - set(trusted))


def _place(loaded: LoadedPolicy, document: Document, path: Path) -> str:
    return f"{loaded.path}, line {document.locate(path)[1]}, field {'.'.join(map(str, path))}"
