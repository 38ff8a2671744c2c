"""Fitted pipelines as MLflow artifacts: skops only, loaded with the types the policy trusted, never pickle."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from continual.core.target import BINARY, Target
from continual.errors import ModelUnavailable

if TYPE_CHECKING:
    import pandas as pd

Floats = npt.NDArray[np.float64]
FILE = "model.skops"


def log_model(model: Any, example: pd.DataFrame, trusted: Sequence[str], target: Target = BINARY) -> Any:
    """Log `model` to the active run with signature and input example; returns MLflow's ModelInfo.

    Raises
    ------
    ModelUnavailable: the pipeline holds a type the policy does not trust, so nobody could load it again.
    """
    import mlflow.sklearn
    from mlflow.models import infer_signature

    _check_types(model, trusted)
    # Integers cannot be missing in MLflow's schema, served columns can: the signature speaks of floats.
    example = example.astype({c: float for c in example.select_dtypes("number").columns})
    answer = "predict" if target.task == "regression" else "predict_proba"
    return mlflow.sklearn.log_model(
        model,
        name="model",
        serialization_format="skops",
        skops_trusted_types=list(trusted),
        signature=infer_signature(example, getattr(model, answer)(example)),
        input_example=example,
        pyfunc_predict_fn=answer,
        pip_requirements=["scikit-learn", "skops"],
    )


def _check_types(model: Any, trusted: Sequence[str]) -> None:
    import skops.io

    unknown = sorted(set(skops.io.get_untrusted_types(data=skops.io.dumps(model))) - set(trusted))
    if unknown:
        raise ModelUnavailable(
            "Every type inside a model must be trusted by the policy.",
            f"{', '.join(unknown)}.",
            "add them to the trainer's `trusted` list if they are yours.",
        )


@lru_cache(maxsize=8)
def load_model(uri: str, model_uri: str, trusted: tuple[str, ...]) -> Any:
    """The fitted pipeline at `model_uri` (`models:/<name>/<version>`); versions are immutable, so it is cached.

    Raises
    ------
    ModelUnavailable: not there, not readable, or it holds types outside `trusted` (a changed artifact cannot
    widen the list: it comes from our own tables).
    """
    import mlflow
    import skops.io
    from skops.io.exceptions import UntrustedTypesFoundException

    try:
        mlflow.set_tracking_uri(uri)  # `models:/` is looked up there, whatever the process was started with
        with TemporaryDirectory() as folder:
            path = mlflow.artifacts.download_artifacts(artifact_uri=model_uri, tracking_uri=uri, dst_path=folder)
            return skops.io.load(_model_file(Path(path)), trusted=list(trusted))
    except UntrustedTypesFoundException as error:
        raise ModelUnavailable(
            f"{model_uri} must hold trusted types only.",
            f"{str(error)[:300]}.",
            "if the types are yours, add them to the trainer's `trusted` list and retrain; else treat it as an attack.",
        ) from error
    except Exception as error:  # MLflow, disk or a damaged file, from which skops lets errors of any kind through
        raise ModelUnavailable(
            f"{model_uri} must load.",
            f"{type(error).__name__}: {str(error)[:300]}.",
            "repair MLflow or the artifact, or use another version.",
        ) from error


def save_file(model: Any, path: Path, trusted: Sequence[str]) -> None:
    """Keep a model in a file of our own, written whole or not at all.

    Raises
    ------
    ModelUnavailable: it holds a type the policy does not trust.
    """
    import skops.io

    _check_types(model, trusted)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(f".{os.getpid()}.tmp")
    part.write_bytes(skops.io.dumps(model))
    part.replace(path)


def load_file(path: Path, trusted: Sequence[str]) -> Any | None:
    """What `save_file` kept; None when it is not there or damaged, so that it is fitted again."""
    import skops.io

    try:
        return skops.io.load(path, trusted=list(trusted))
    except Exception:  # no file, or one from which skops lets errors of any kind through: it is a cache
        return None


def _model_file(folder: Path) -> Path:
    path = folder / FILE
    if not path.is_file():
        raise ValueError(f"no {FILE} in the artifact (only skops models are loaded)")
    return path


def inputs_of(model: Any, features: Sequence[str]) -> list[str]:
    """Columns a fitted model reads: those it was fitted on, whatever the policy lists by now (s24). `features`: of the
    policy, for a model whose first step does not keep them (scikit-learn's `feature_names_in_`)."""
    return [str(name) for name in getattr(model, "feature_names_in_", features)]


def score(model: Any, frame: pd.DataFrame, features: Sequence[str], target: Target = BINARY) -> Floats:
    """Answers for every row of `frame`: (n,) probability of label 1 or value, (n, K) probabilities of the classes.

    features: see `inputs_of`. A class that the model was never shown has probability 0.

    Raises
    ------
    ModelUnavailable: a feature is missing or the model fails or gives no legal answer.
    """
    names = inputs_of(model, features)
    missing = [name for name in names if name not in frame.columns]
    if missing:
        raise ModelUnavailable(
            "The rows must have the model's features.", f"missing: {missing}.", "check the source's schema."
        )
    if frame.empty:
        return np.empty((0, len(target.classes))) if target.classes else np.empty(0)
    try:
        out = _answers(model, frame[names], target)
    except Exception as error:  # any failure of foreign feature code
        raise ModelUnavailable(
            "The model must score today's rows.",
            f"{type(error).__name__}: {str(error)[:300]}.",
            "keep the other version.",
        ) from error
    problem = target.problem(out)
    must = "Predictions must be finite." if target.task == "regression" else "Scores must be in [0, 1]."
    if problem:
        raise ModelUnavailable(must, f"{problem}.", "keep the other version.")
    return out


def _answers(model: Any, rows: pd.DataFrame, target: Target) -> Floats:
    if target.task == "regression":
        return np.asarray(model.predict(rows), dtype=float)
    found = np.asarray(model.predict_proba(rows), dtype=float)
    if target.task == "binary":
        return np.asarray(found[:, 1], dtype=float)
    out = np.zeros((len(rows), len(target.classes)))
    out[:, np.asarray(model.classes_, dtype=np.int64)] = found
    return out
