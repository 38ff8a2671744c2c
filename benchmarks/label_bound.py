"""Whether a stream allows to be within half a point of all labels with a tenth of them: everything tried, in hindsight.

    OMP_NUM_THREADS=1 python benchmarks/label_bound.py --data <folder> --write

The rounds and scores of benchmarks/label_efficiency.py, of which the finished pieces in --out are read for the draws of
its samplers. Here a uniform draw is learnt from in other ways. `hindsight` takes in every round the way that turned out
best on the rows it is scored on: nobody can do that, and none of these ways does better.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
from label_command import piece, run
from label_efficiency import FIRST, Answers, Setting, model, score
from label_page import GAP as GOAL
from label_page import interval, judged
from label_streams import Stream, stream
from sklearn.compose import make_column_transformer
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder

#: Rows without a label that a self-training looks at, and how sure it must be of one.
LOOKED_AT, SURE = 20_000, 0.95


class Mean:
    """Of the logarithms of probabilities."""

    def __init__(self, *models: Any) -> None:
        self.models, self.classes_ = models, models[0].classes_

    def predict_proba(self, x: Any) -> np.ndarray:
        found = np.exp(np.mean([np.log(np.clip(m.predict_proba(x), 1e-4, 1)) for m in self.models], axis=0))
        return np.asarray(found / found.sum(axis=1, keepdims=True))

    def predict(self, x: Any) -> np.ndarray:
        return self.classes_[self.predict_proba(x).argmax(axis=1)]


def forest(data: Stream, rows: np.ndarray) -> Any:
    codes = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    names = make_column_transformer((codes, list(data.categorical)), remainder="passthrough")
    last = ExtraTreesClassifier(150, min_samples_leaf=3, random_state=0)
    return make_pipeline(names, SimpleImputer(), last).fit(data.x.iloc[rows], data.y[rows])


def self_trained(data: Stream, rows: np.ndarray, seen: int, first: Any) -> Any:
    """A blend that learns from what `first` is sure of, too."""
    rest = np.setdiff1d(np.arange(seen), rows)
    rest = np.random.default_rng(0).permutation(rest)[:LOOKED_AT]
    said = first.predict_proba(data.x.iloc[rest])
    sure = said.max(axis=1) >= SURE
    known = data.y.copy()
    known[rest[sure]] = said[sure].argmax(axis=1)
    told = Stream(data.name, data.task, data.x, known, data.time, data.categorical, {})
    return model(told, np.sort(np.r_[rows, rest[sure]]), "blend")


def ways(data: Stream, edges: np.ndarray, taken: np.ndarray, r: int) -> dict[str, Callable[[], Any]]:
    """What is learnt from the labels of the rounds before r."""
    rows = np.flatnonzero(taken[: edges[r]])
    recent = rows[rows >= edges[max(0, r - 2)]]
    blend, trees = model(data, rows, "blend"), model(data, rows, "trees")
    wood, taught = forest(data, rows), self_trained(data, rows, edges[r], blend)
    return {
        "blend": lambda: blend,
        "trees": lambda: trees,
        "forest": lambda: wood,
        "blend and forest": lambda: Mean(blend, wood),
        "blend, labels of two rounds": lambda: model(data, recent, "blend"),
        "blend, self-trained": lambda: taught,
        "blend, self-trained, and forest": lambda: Mean(taught, wood),
    }


def tried(options: argparse.Namespace, name: str, seed: int) -> dict[str, list[float]]:
    """Way -> score of each round."""
    file = options.out / f"{name}-ways-{options.share:g}-{options.rounds}-{seed}.json"
    if not file.exists():
        data = stream(name, options.data, options.out)
        edges = np.linspace(0, len(data.y), options.rounds + 1).astype(int)
        taken = np.random.default_rng([seed, 7]).random(len(data.y)) < options.share
        found: dict[str, list[float]] = {}
        for r in range(FIRST, options.rounds):
            for way, made in ways(data, edges, taken, r).items():
                answers = Answers(made(), int(data.y.max()) + 1)
                found.setdefault(way, []).append(score(data, answers, slice(edges[r], edges[r + 1])))
        file.write_text(json.dumps(found))
        print(name, seed, {way: round(float(np.mean(s)), 2) for way, s in found.items()}, file=sys.stderr, flush=True)
    found = json.loads(file.read_text())
    return found | {f"blend, {s}": piece(options, name, Setting(s, options.share, options.rounds, seed))
                    for s in options.samplers}  # fmt: skip


def page(options: argparse.Namespace) -> str:
    lines = [
        "# Whether a tenth of the labels can do",
        "",
        f"`python benchmarks/label_bound.py --data <folder> --sets {' '.join(options.sets)} --seeds {options.seeds} "
        f"--samplers {' '.join(options.samplers)} --write` wrote this page: the streams on which [a tenth of the "
        "labels](label_efficiency.md) is short of all of them by more than half a point, and everything that was tried "
        "with a tenth. Points (AUC) below the blend with all labels, mean and 95% interval over draws; `hindsight` "
        "takes in every round whatever turned out best on the rows it is scored on. `yes?`, `no?`: the mean says so, "
        "the interval leaves it open.",
        "",
        "| stream | way | short | within 0.5 |",
        "|---|---|---|---|",
    ]
    for name in options.sets:
        full = np.array(piece(options, name, Setting("full", 0.1, options.rounds, 0)))
        every = [tried(options, name, seed) for seed in range(options.seeds)]
        for way in [*every[0], "hindsight"]:
            own = [np.max(list(one.values()), axis=0) if way == "hindsight" else np.array(one[way]) for one in every]
            mean, half = interval(np.array([float((full - scores).mean()) for scores in own]))
            lines.append(f"| {name} | {way} | {mean:.2f} ± {half:.2f} | {judged(mean, half, GOAL)} |")
    return "\n".join([*lines, "", *NOTES]) + "\n"


NOTES = (
    "Where even `hindsight` is short by more than half a point, the stream does not allow it to any of these ways. The "
    "shortfall is one of labels: [at which share it ends](label_frontier.md). `hindsight` is no way anybody can take: "
    "it picks with the labels it is scored on.",
    "",
    "On elec2 learning from rows without a label (rows of which the blend is sure count as labelled) and a forest "
    "besides get there. Built in is a simpler way that does as well, alone: `trainers.self_training`, by which every "
    "such row counts for each class by the teacher's probability ([`taught`](label_efficiency.md)). All labels do not "
    "gain by the forest (elec2: 83.97 with it, 84.05 without).",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samplers", nargs="+", default=["active"])
    parser.add_argument("--share", type=float, default=0.1)
    parser.add_argument("--seeds", type=int, default=5)
    run(parser, page, "label_bound.md")


if __name__ == "__main__":
    main()
