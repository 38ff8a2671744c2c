"""Fit one trainer on a dataset version, log it to MLflow, register it once."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from continual.core.canonical import digest
from continual.core.stats.effective import effective_size
from continual.core.window import Window, floor_day
from continual.errors import PolicyError, Skipped
from continual.flows.measure import Floats, labelled, rows_in
from continual.flows.publish import run_url
from continual.flows.training_pool import WEIGHT
from continual.flows.warm_start import Base, base_for, fitted_base
from continual.flows.weights import INCLUSION, inclusion, of_labelled
from continual.flows.workspace import Outcome, Workspace
from continual.models import warm, weighting
from continual.models.artifact import log_model, score
from continual.models.recipe import build_pipeline, recipe_hash, trusted_types
from continual.models.registry import CANDIDATE
from continual.models.self_training import Rows, self_trained
from continual.models.tracking import log_training_data, training_data

if TYPE_CHECKING:
    import pandas as pd

    from continual.stores.datasets import DatasetVersion
    from continual.stores.versions import ModelVersion

#: The last part of the training window, in time, chooses among trainers; the gate's window never does.
VALIDATION_SHARE = 0.2
#: Ledger entries that say what a training took; also the attribute of a fitted pipeline that does.
TRAINED, CPU = "trained", "cpu_seconds_"
#: Attribute of a pipeline that learnt from rows without a label: "n of m", those it took the teacher's answer for.
TAUGHT = "self_trained_"


@dataclass(frozen=True)
class _Job:
    """One candidate to make. key: same dataset, recipe, seed and base, same candidate."""

    trainer: Any
    dataset: DatasetVersion
    recipe: str
    key: str
    base: Base


def train(ws: Workspace, dataset_id: str, trainer: str) -> Outcome:
    """A registered candidate version; a retry finds the first one (s31).

    Raises
    ------
    Skipped: the trainer's lineage is quarantined, or the run's policy has no such trainer. PolicyError: the pipeline
    cannot be built or fitted. StoreError: no such dataset. ModelUnavailable: MLflow.
    """
    job = _job(ws, dataset_id, trainer)
    _check_lineage(ws, job)
    known = ws.registry.version_of(job.key)
    version = _record(ws, job, known or _make(ws, job))
    _note_cost(ws, job, version.version)
    shown = "undefined" if version.validation is None else f"{version.validation:.4f}"
    reason = f"by {trainer} on {job.dataset.n_rows:,} rows; forward validation {ws.policy.primary.kind} {shown}"
    reason += _taught(ws, version.version)
    again = ", trained on this dataset already," if known else ""
    reason += f"; {job.base.why}" if job.base.why else ""
    data = {"version": version.version, "trainer": trainer, "validation": version.validation}
    return Outcome(f"version {version.version}{again} {reason}", data)


def _make(ws: Workspace, job: _Job) -> str:
    """Fit, log, register; returns the version. What `_record` needs is in its tags: they come with it or not at all."""
    rows = ws.datasets.load(job.dataset.id)
    validation = _forward_validation(ws, job, rows)
    base = fitted_base(ws, job.base, rows.loc[labelled(rows), "label"].to_numpy(dtype=float))
    if base is None:
        job = replace(job, base=Base(None, None, job.base.why))
    model = ws.fitted(job.key, lambda: fit(ws, job.trainer, rows, base))
    with ws.registry.reachable("MLflow"):
        ws.registry.close_runs(job.key)
        uri, run_id = ws.kept(job.key, model) or _track(ws, job, rows, model, validation)
    seconds = round(float(getattr(model, CPU, 0.0)), 3)
    tags = {"dataset": job.dataset.id, "trainer": job.trainer.name, "recipe": job.recipe, "policy": ws.loaded.hash}
    tags["cpu_seconds"] = repr(seconds)
    if validation is not None:
        tags["validation"] = repr(validation)
    if job.base.version is not None:
        tags["base"] = job.base.version
    if hasattr(model, TAUGHT):
        tags["self_training"] = str(getattr(model, TAUGHT))
    return ws.registry.register(job.key, uri, run_id, {f"continual.{name}": value for name, value in tags.items()})


def _record(ws: Workspace, job: _Job, version: str) -> ModelVersion:
    """The evaluation store's row of a registered version, also when a crash came between the two."""
    from continual.stores.versions import ModelVersion

    registered = ws.registry.version(version)
    validation = registered.tags.get("continual.validation")
    return ws.versions.register(
        ModelVersion(
            version=version,
            run_id=registered.run_id,
            recipe_hash=job.recipe,
            dataset_id=job.dataset.id,
            trained=job.dataset.spec.window,
            trusted=trusted_types(job.trainer),
            validation=None if validation is None else float(validation),
            base=registered.tags.get("continual.base"),
        )
    )


def _note_cost(ws: Workspace, job: _Job, version: str) -> None:
    """What the training took, for prices and the profit and loss of retrains."""
    seconds = ws.registry.version(version).tags.get("continual.cpu_seconds")
    record = {"version": version, "dataset": job.dataset.id, "cpu_seconds": None if seconds is None else float(seconds)}
    reason = f"version {version} trained by {job.trainer.name}" + (f" in {float(seconds):.1f} CPU-s" if seconds else "")
    as_of = job.dataset.spec.as_of
    ws.ledger.append(TRAINED, f"{TRAINED}:{job.key}", as_of, reason, record, ws.loaded.hash, ws.run)


def _taught(ws: Workspace, version: str) -> str:
    told = ws.registry.version(version).tags.get("continual.self_training")
    return f"; rows without a label whose answer the teacher gave: {told}" if told else ""


def _job(ws: Workspace, dataset_id: str, name: str) -> _Job:
    trainer, dataset = _trainer(ws, name), ws.datasets.get(dataset_id)
    recipe = recipe_hash(trainer, ws.policy.features)
    base = base_for(ws, trainer, recipe, dataset)
    content = [dataset_id, recipe, ws.policy.seed, *([base.key] if base.version else [])]
    return _Job(trainer, dataset, recipe, digest(content)[:32], base)


def _trainer(ws: Workspace, name: str) -> Any:
    for trainer in ws.policy.trainers:
        if trainer.name == name:
            return trainer
    raise Skipped(
        "A trainer must be in the run's policy.", f"{name!r} is not in {ws.loaded.hash}.", "start a new retrain."
    )


def _check_lineage(ws: Workspace, job: _Job) -> None:
    blocked = ws.versions.blocked(job.recipe, job.dataset.spec.window)
    if blocked is not None:
        raise Skipped(
            "A quarantined lineage is not trained again.",
            f"trainer {job.trainer.name!r}: {blocked}.",
            "change its code or parameters, or release the version with `continual quarantine release`.",
        )


def fit(ws: Workspace, trainer: Any, rows: pd.DataFrame, base: Any = None) -> Any:
    """The trainer's pipeline fitted on rows (n, ...) with features, label and, if they weigh differently, WEIGHT. Rows
    without a label are for trainers with `self_training`. It knows what it took, in its attribute CPU. base: fitted
    pipeline to continue, None = start anew.

    Raises
    ------
    PolicyError: it cannot be built or fitted, or takes no weights.
    """
    known = labelled(rows)
    began = time.process_time()
    try:
        own, spare = (_rows(rows[where], ws.policy.features.all) for where in (known, ~known))
        model = _fitted(ws, trainer, own, spare, base)
    except PolicyError:
        raise
    except Exception as error:  # any failure of foreign feature code
        raise PolicyError(
            f"Trainer {trainer.name!r} must fit.",
            f"{type(error).__name__}: {error}.",
            "correct its steps or params.",
        ) from error
    setattr(model, CPU, time.process_time() - began)
    return model


def _rows(frame: pd.DataFrame, features: list[str]) -> Rows:
    weight = frame[WEIGHT].to_numpy(dtype=float) if WEIGHT in frame.columns else None
    return Rows(frame[features], frame["label"].to_numpy(dtype=float), weight)


def _fitted(ws: Workspace, trainer: Any, own: Rows, spare: Rows, base: Any) -> Any:
    def learn(features: pd.DataFrame, label: Floats, weight: Floats | None) -> Any:
        model = build_pipeline(trainer, ws.policy.features, ws.policy.seed)
        data = (features, label, weight)
        return weighting.fit(model, *data) if base is None else warm.continued(base, model, *data)

    how = trainer.self_training
    if how is None:
        return learn(own.features, own.label, own.weight)
    shown = min(how.max_rows, len(spare.label))
    model, sure = self_trained(learn, own, spare.first(shown), how)
    setattr(model, TAUGHT, f"{sure} of {shown}")
    return model


def _forward_validation(ws: Workspace, job: _Job, rows: pd.DataFrame) -> float | None:
    """Primary metric on the last part in time, by a model that saw only the rows before; None when undefined or
    when there is nothing to choose between."""
    if len(ws.policy.trainers) == 1:
        return None
    ordered = rows.sort_values(["event_time", "record_key"])
    cut = ordered.loc[labelled(ordered), "event_time"].quantile(1 - VALIDATION_SHARE)
    past, later = ordered[ordered["event_time"] < cut], ordered[(ordered["event_time"] >= cut) & labelled(ordered)]
    one_class = ws.policy.label.target.task != "regression" and past["label"].nunique() < 2
    if not labelled(past).any() or later.empty or one_class:
        return None
    later = _weighed(ws, job.dataset, later)
    if later.empty:
        return None
    model = ws.fitted(f"{job.key}-past", lambda: fit(ws, job.trainer, past))
    scores = score(model, later, ws.policy.features.all, ws.policy.label.target)
    everything = np.ones(len(later), dtype=bool)
    return ws.policy.primary.estimate(rows_in(later, everything, ws.policy.primary.needs), scores).value


def _weighed(ws: Workspace, dataset: DatasetVersion, rows: pd.DataFrame) -> pd.DataFrame:
    """Labelled rows of a dataset with their chance to be in it: of a label, and to be drawn for training then."""
    window = Window(floor_day(rows["event_time"].min().to_pydatetime()), dataset.spec.window.end)
    rows = of_labelled(ws, rows, window, dataset.spec.as_of)
    own = rows["probability"].to_numpy(dtype=float)
    asked = None if ws.policy.window.weigh_by_probability else inclusion(rows)  # or it is in `probability` already
    chance = own if asked is None else own * asked
    return rows if (chance == 1).all() else rows.assign(**{INCLUSION: chance})


def _track(ws: Workspace, job: _Job, rows: pd.DataFrame, model: Any, validation: float | None) -> tuple[str, str]:
    """(uri, run id) of the candidate in MLflow."""
    with _run(ws, job) as run_id:
        return _log(ws, job, rows, model, validation), run_id


@contextmanager
def _run(ws: Workspace, job: _Job) -> Iterator[str]:
    import mlflow

    mlflow.set_tracking_uri(ws.settings.tracking_uri)
    mlflow.set_experiment(ws.app)
    name = f"{job.trainer.name} {job.dataset.spec.window.start:%Y-%m-%d}..{job.dataset.spec.window.end:%Y-%m-%d}"
    tags = {CANDIDATE: job.key, "continual.run": ws.run}
    tags |= {"continual.dataset": job.dataset.id, "continual.recipe": job.recipe}
    link = run_url(ws)
    if link:
        tags |= {"continual.airflow_run": link, "mlflow.note.content": f"Trained by [a run in Airflow]({link})."}
    with mlflow.start_run(run_name=name, tags=tags, log_system_metrics=False) as run:
        yield run.info.run_id


def _log(ws: Workspace, job: _Job, rows: pd.DataFrame, model: Any, validation: float | None) -> str:
    """Everything 'compare' in MLflow needs; returns the model's URI."""
    import mlflow

    window, known = job.dataset.spec.window, labelled(rows)
    mlflow.log_params(
        {
            "trainer": job.trainer.name,
            "window_start": window.start.isoformat(),
            "window_end": window.end.isoformat(),
            "rows": int(known.sum()),
            **({} if known.all() else {"rows_without_label": int((~known).sum())}),
            **({"rows_self_trained": getattr(model, TAUGHT)} if hasattr(model, TAUGHT) else {}),
            **({"effective_rows": round(effective_size(rows.loc[known, WEIGHT].to_numpy()))} if WEIGHT in rows else {}),
            "sampler": ws.policy.sampler.kind,
            "seed": ws.policy.seed,
            **({"continues_version": job.base.version} if job.base.version else {}),
            **{f"{s.use.rpartition('.')[2]}.{k}": v for s in job.trainer.steps for k, v in s.params.items()},
        }
    )
    source = str(ws.datasets.root / job.dataset.path)
    log_training_data(training_data(rows, f"{ws.app}-{job.dataset.id[:8]}", job.dataset.id, source), _origin(job))
    if validation is not None:
        mlflow.log_metric(f"validation_{ws.policy.primary.kind}", validation)
    example = rows[ws.policy.features.all].head(5)
    info = log_model(model, example, trusted_types(job.trainer), ws.policy.label.target)
    return str(info.model_uri)


def _origin(job: _Job) -> dict[str, str]:
    """Tags of the run's input: where the rows came from, so that they can be read again."""
    spec = job.dataset.spec
    return {
        "continual.dataset": job.dataset.id,
        "continual.window": str(spec.window),
        "continual.as_of": spec.as_of.isoformat(),
        "continual.snapshots": f"predictions {spec.snapshot_id}, labels {spec.labels_snapshot_id}",
        "continual.sampler": str((spec.sampler or {}).get("kind")),
        "continual.seed": str(spec.seed),
    }
