"""A tenth of the labels, for training and testing together: how close to all of them, and is choosing worth it?

    OMP_NUM_THREADS=1 python benchmarks/label_efficiency.py --data <folder> --write

Each stream is cut into rounds of equal size. In every round a sampler draws a share of the round's rows; their labels
first estimate how good the present model is on the round (with their probabilities), then join the training rows. The
model trained so far is scored on all rows of the next round. `full` is the same with every label. Finished pieces are
kept in --out, so that a run can be stopped and taken up again.
"""

from __future__ import annotations

import argparse
import json
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from label_page import page, plot
from label_streams import NAMES, Stream, stream
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.metrics import accuracy_score, r2_score, roc_auc_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OrdinalEncoder

from continual.flows.confidence import fitted
from continual.flows.surrogates import Served, estimated
from continual.metrics.base import METRICS
from continual.models import weighting
from continual.models.blend import BlendClassifier, BlendRegressor
from continual.models.pipeline import EncodeCategories
from continual.models.self_training import Rows, self_trained
from continual.models.spec import SelfTraining
from continual.samplers.base import SAMPLERS, Pool, Sample

RESULTS = Path(__file__).parents[1] / "docs" / "results"
#: The model trained before any label of a round is drawn is scored from this round on.
FIRST = 3


@dataclass(frozen=True)
class Setting:
    """share: of a round's rows that are labelled. rounds: pieces of the stream. learner: blend, taught or trees."""

    sampler: str
    share: float
    rounds: int
    seed: int
    learner: str = "blend"

    @property
    def name(self) -> str:
        return f"{self.learner}-{self.sampler}-{self.share:g}-{self.rounds}-{self.seed}"


def model(data: Stream, rows: np.ndarray, learner: str, seen: int = 0) -> Any:
    """The same for few labels and for all. seen: rows that were logged by then, for a learner that reads them without a
    label, too."""
    if learner == "trees":
        return _trees(data, rows)
    how = SelfTraining()
    seen = seen if learner == "taught" and data.task != "reg" else 0
    spare = np.random.default_rng(0).permutation(np.setdiff1d(np.arange(seen), rows))[: how.max_rows]

    def learn(x: pd.DataFrame, y: np.ndarray, weight: np.ndarray | None) -> Any:
        numeric = [c for c in x.columns if c not in data.categorical]
        last = BlendRegressor() if data.task == "reg" else BlendClassifier()
        pipe = Pipeline([("names", EncodeCategories(numeric, list(data.categorical))), ("last", last)])
        return weighting.fit(pipe, x, y, weight)

    known, others = (Rows(data.x.iloc[r], data.y[r], None) for r in (rows, spare))
    return self_trained(learn, known, others, how)[0]


def _trees(data: Stream, rows: np.ndarray) -> Any:
    """Small boosted trees, as in the blend, alone."""
    encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    parameters = {"max_leaf_nodes": 8, "min_samples_leaf": 10, "learning_rate": 0.08, "max_iter": 120}
    kind = HistGradientBoostingRegressor if data.task == "reg" else HistGradientBoostingClassifier
    last = kind(random_state=0, l2_regularization=1.0, **parameters)
    pipe = make_pipeline(make_column_transformer((encoder, list(data.categorical)), remainder="passthrough"), last)
    return pipe.fit(data.x.iloc[rows], data.y[rows])


class Answers:
    """All classes in their order, whatever the model was shown; only numbers have no `predict_proba`."""

    def __init__(self, fitted_model: Any, classes: int) -> None:
        self.model, self.classes_ = fitted_model, np.arange(classes)
        self.predict = fitted_model.predict
        if classes:
            self.predict_proba = self._probabilities

    def _probabilities(self, x: pd.DataFrame) -> np.ndarray:
        out = np.zeros((len(x), len(self.classes_)))
        out[:, self.model.classes_.astype(int)] = self.model.predict_proba(x)
        return out


def score(data: Stream, answers: Answers, rows: slice) -> float:
    """AUC, accuracy or R2 in points."""
    x, y = data.x.iloc[rows], data.y[rows]
    if data.task == "binary":
        return float(100 * roc_auc_score(y, answers.predict_proba(x)[:, 1]))
    said = answers.predict(x)
    return float(100 * (r2_score(y, said) if data.task == "reg" else accuracy_score(y, said)))


def error_of_estimate(data: Stream, answers: Answers, rows: slice, sample: Sample, calibration: Any) -> float | None:
    """Points between the accuracy estimated from the chosen labels and that of all rows; None for numbers."""
    if data.task != "binary":
        return None
    p = answers.predict_proba(data.x.iloc[rows])
    chance = p[:, 1] if calibration is None else calibration(p)[:, 1]
    y = np.where(sample.chosen, data.y[rows], np.nan)
    metric = METRICS.build({"kind": "accuracy", "owner": "benchmark"})
    everything = np.ones(len(y), dtype=bool)
    served = Served(y, p[:, 1], chance, data.time[rows].astype("datetime64[D]").astype(np.int64), sample.probability)
    found = estimated(metric, served, everything, "window").value
    truth = float(((p[:, 1] >= 0.5) == data.y[rows]).mean())
    return None if found is None else float(100 * (found - truth))


def played(data: Stream, setting: Setting) -> dict[str, Any]:
    """Scores of each round from FIRST on, errors of the estimates, labels used."""
    edges = np.linspace(0, len(data.y), setting.rounds + 1).astype(int)
    classes = 0 if data.task == "reg" else int(data.y.max()) + 1
    keys, taken = data.keys, np.zeros(len(data.y), dtype=bool)
    scores, errors, now, before, calibration = [], [], None, None, None
    for r in range(setting.rounds):
        rows = slice(edges[r], edges[r + 1])
        if now is not None and r >= FIRST:
            scores.append(score(data, now, rows))
        if r == setting.rounds - 1:
            break
        pool = Pool(
            keys[rows],
            data.x.iloc[rows],
            now,
            event_time=data.time[rows],
            slices={name: inside[rows] for name, inside in data.slices.items()},
            rival=before,
            committee=tuple(m for m in (now, before) if m is not None),
            calibration=calibration,
        )
        sample = drawn(pool, setting, r)
        if now is not None and setting.sampler != "full" and r >= FIRST:
            errors.append(error_of_estimate(data, now, rows, sample, calibration))
        if now is not None and classes and setting.sampler != "full":
            own = np.flatnonzero(sample.chosen)
            weight = 1 / sample.probability[own]
            label = data.y[rows][own].astype(np.int64)
            answers = now.predict_proba(data.x.iloc[rows].iloc[own])
            calibration = fitted(answers, label, weight * (len(own) / weight.sum()))
        taken[rows] = sample.chosen
        if setting.sampler != "full" or r >= FIRST - 1:
            before, now = now, Answers(model(data, np.flatnonzero(taken), setting.learner, int(edges[r + 1])), classes)
    used = int(taken.sum())
    found = [e for e in errors if e is not None]
    return {"scores": scores, "errors": found, "labels": used, "rows": int(edges[-2])}


def drawn(pool: Pool, setting: Setting, number: int) -> Sample:
    budget = None if setting.sampler == "full" else round(setting.share * len(pool))
    kind = "uniform" if setting.sampler == "full" else setting.sampler
    sampler = SAMPLERS.build({"kind": kind, "design": "fixed"})
    return sampler.draw(pool, 1000 * setting.seed + number, budget)


def _setting(options: argparse.Namespace, sampler: str, learner: str, seed: int) -> Setting:
    return Setting(sampler, options.share, options.rounds, seed, learner)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with sets.json and the five sets")
    parser.add_argument("--out", type=Path, default=Path("var/label_efficiency"), help="finished pieces")
    parser.add_argument("--sets", nargs="+", default=list(NAMES))
    parser.add_argument("--samplers", nargs="+", default=["uniform", "active"])
    parser.add_argument("--learners", nargs="+", default=["taught", "blend", "trees"])
    parser.add_argument("--share", type=float, default=0.1)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--write", action="store_true", help="write docs/results/label_efficiency.md and .png")
    options = parser.parse_args()
    warnings.filterwarnings("ignore")
    options.out.mkdir(parents=True, exist_ok=True)
    for seed in range(options.seeds):
        for name in options.sets:
            todo = [_setting(options, s, learner, seed) for learner in options.learners for s in options.samplers]
            todo += [_setting(options, "full", learner, 0) for learner in options.learners] if seed == 0 else []
            files = {s: options.out / f"{name}-{s.name}.json" for s in todo}
            if all(file.exists() for file in files.values()):
                continue
            data = stream(name, options.data, options.out)
            for setting, file in files.items():
                if not file.exists():
                    found = played(data, setting)
                    file.write_text(json.dumps(found))
                    print(name, setting.name, round(float(np.mean(found["scores"])), 2), flush=True)
    if options.write:
        text = page(options)
        (RESULTS / "label_efficiency.md").write_text(text)
        plot(options, RESULTS / "label_efficiency.png")


if __name__ == "__main__":
    main()
