"""What the two benchmarks about more and other ways than a tenth by draw share: their options and their pieces."""

from __future__ import annotations

import argparse
import json
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
from label_efficiency import RESULTS, Setting, played
from label_streams import stream

Options = argparse.Namespace


def piece(options: Options, name: str, setting: Setting) -> list[float]:
    """Score of each round; played unless the finished piece is there."""
    file = options.out / f"{name}-{setting.name}.json"
    if not file.exists():
        found = played(stream(name, options.data, options.out), setting)
        file.write_text(json.dumps(found))
        print(name, setting.name, round(float(np.mean(found["scores"])), 2), file=sys.stderr, flush=True)
    return [float(score) for score in json.loads(file.read_text())["scores"]]


def run(parser: argparse.ArgumentParser, page: Callable[[Options], str], file: str) -> None:
    """Adds the common options to those of `parser`, prints the page, and writes it as `file` if asked to."""
    parser.add_argument("--data", type=Path, required=True, help="folder with sets.json and the five sets")
    parser.add_argument("--out", type=Path, default=Path("var/label_efficiency"), help="finished pieces")
    parser.add_argument("--sets", nargs="+", default=["elec2", "noaa_weather", "flights"])
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--write", action="store_true", help=f"write docs/results/{file}")
    options = parser.parse_args()
    warnings.filterwarnings("ignore")
    options.out.mkdir(parents=True, exist_ok=True)
    text = page(options)
    sys.stdout.write(text)
    if options.write:
        (RESULTS / file).write_text(text)
