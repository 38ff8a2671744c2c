"""Finished pieces of experiments, kept on disk: a benchmark that was stopped goes on where it was.

A piece is a number of runs from a generator of its own, seeded [seed, crc32 of the experiment's name, index], so that
its result depends neither on what ran before nor on how often somebody stopped. It is kept under a digest of the code
it rests on, comments and docstrings aside: a changed gate starts anew, a changed page does not.
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import importlib.util
import json
import os
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

HERE = Path(__file__).parent
KEPT = HERE / ".kept"
#: Modules that only write: their text is no part of a result.
WRITERS = ("_report", "_page", "pieces")
Work = Callable[[np.random.Generator, int], Sequence[Any]]


class Pieces:
    """Runs experiments piece by piece; used as a context, which shows the progress.

    roots: names of modules, of `continual` or beside this file, whose code decides the results. minutes: after so long
    nothing new is begun, and experiments have the runs that are there. folder: None = nothing is kept.
    """

    def __init__(self, roots: Sequence[str], arguments: argparse.Namespace, console: Console | None = None) -> None:
        folder: Path | None = arguments.kept
        self.seed, self.runs = arguments.seed, arguments.runs
        self._folder = None if folder is None else folder / digest(roots)
        self._until = time.monotonic() + 60 * arguments.minutes
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        self._bar = Progress(*columns, TimeRemainingColumn(), console=console or Console())
        self._task = self._bar.add_task("", total=None)

    def __enter__(self) -> Pieces:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def run(self, name: str, work: Work, runs: int | None = None, size: int = 100) -> list[Any]:
        """What `work(generator, n)` says of each of `runs` runs, `size` a piece; each a JSON value."""
        runs, out = self.runs if runs is None else runs, []
        self._bar.reset(self._task, description=name[:60], total=runs)
        for index in range(-(-runs // size)):
            n = min(size, runs - index * size)
            out += self._piece(name, work, index, n)
            self._bar.update(self._task, completed=len(out))
        return out

    def _piece(self, name: str, work: Work, index: int, n: int) -> Sequence[Any]:
        key = zlib.crc32(name.encode())
        path = self._folder and self._folder / f"{key:08x}-{self.seed}-{index}-{n}.json"
        if path and path.exists():
            kept: list[Any] = json.loads(path.read_text(encoding="utf-8"))
            return kept
        if time.monotonic() > self._until:
            return []
        found = list(work(np.random.default_rng([self.seed, key, index]), n))
        if path:
            path.parent.mkdir(parents=True, exist_ok=True)
            half = path.with_suffix(f".{os.getpid()}")
            half.write_text(json.dumps(found, default=float), encoding="utf-8")
            half.replace(path)
        return found


def add_options(parser: argparse.ArgumentParser, runs: int = 2000) -> None:
    """What `Pieces` reads."""
    parser.add_argument("--runs", type=int, default=runs, help="runs a row, unless its experiment says otherwise")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kept", type=Path, default=KEPT, help="folder of finished pieces")
    parser.add_argument(
        "--minutes", type=float, default=float("inf"), help="begin nothing new after so long; 0: only what is kept"
    )


def digest(roots: Sequence[str]) -> str:
    """Of the code of `roots` and all that they import from here and from `continual`."""
    found: dict[str, Path] = {}
    todo = list(roots)
    while todo:
        name = todo.pop()
        path = _source(name)
        if name not in found and path is not None and not name.endswith(WRITERS):
            found[name] = path
            todo += _imported(path)
    code = [(name, _code(path)) for name, path in sorted(found.items())]
    return hashlib.sha256(json.dumps([code, np.__version__]).encode()).hexdigest()[:12]


def _source(name: str) -> Path | None:
    beside = HERE / f"{name}.py"
    if beside.exists():
        return beside
    if not f"{name}.".startswith("continual."):
        return None
    try:
        spec = importlib.util.find_spec(name)
    except ModuleNotFoundError:  # a name inside a module
        return None
    return Path(spec.origin) if spec and spec.origin else None


def _imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _code(path: Path) -> str:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node):
            node.body[0] = ast.Pass()
    return ast.dump(tree)
