"""Processes that end as `kill -9` ends them, after any number of writes to ledger, registry, stores or files.

The children come from a fork server that has loaded everything once: starting one costs no import of MLflow.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable
from functools import wraps
from typing import Any

from flow_world import World

KILLED = 137

#: Every write of a promotion, a rollback and an append: class and method.
WRITES = (
    ("continual.stores.ledger", "Ledger", "append"),
    ("continual.stores.champions", "ChampionHistory", "append"),
    ("continual.stores.versions", "VersionStore", "quarantine_version"),
    ("continual.models.registry", "Registry", "set_alias"),
    ("continual.models.registry", "Registry", "delete_alias"),
    ("continual.models.registry", "Registry", "register"),
    ("continual.models.registry", "Registry", "tag"),
    ("continual.stores.log", "PredictionLog", "append_predictions"),
    ("continual.stores.log", "PredictionLog", "append_labels"),
    ("continual.stores.log", "PredictionLog", "append_quarantine"),
    ("continual.stores.batches", "BatchRegistry", "set_aside"),
    ("continual.stores.batches", "BatchRegistry", "record_all"),
    ("continual.flows.staging", "Staging", "drop"),
)


HEAVY = (
    "alembic.command", "continual.flows.promote", "continual.flows.roll_back", "continual.flows.ingest",
    "continual.policy.load", "continual.stores.tables", "mlflow.sklearn", "mlflow.tracking._model_registry.client",
    "pyiceberg.catalog.sql", "pyiceberg.io.pyarrow", "skops.io", "sklearn.ensemble", "sqlalchemy.dialects.sqlite",
    "sqlglot.dialects",
)  # fmt: skip


def context() -> Any:
    found = multiprocessing.get_context("forkserver")
    found.set_forkserver_preload([*HEAVY, *(module for module, _, _ in WRITES)])
    return found


def run(target: Callable[..., None], *arguments: Any) -> int:
    """Exit code of `target(*arguments)` in a process of its own."""
    process = start(target, *arguments)
    process.join(timeout=120)
    assert process.exitcode is not None
    return int(process.exitcode)


def start(target: Callable[..., None], *arguments: Any) -> Any:
    process = context().Process(target=target, args=arguments)
    process.start()
    return process


def killed_after(writes: int, act: Callable[[World], Any], world: World) -> None:
    """Child process: `act` until this many writes are done (0: just before the first), then the end."""
    _arm(writes)
    act(world)


def _arm(writes: int) -> None:
    import importlib

    done = 0

    def fatal(write: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(write)
        def once(*arguments: Any, **named: Any) -> Any:
            nonlocal done
            if writes == 0:
                os._exit(KILLED)
            result = write(*arguments, **named)
            done += 1
            if done == writes:
                os._exit(KILLED)
            return result

        return once

    for module, owner, method in WRITES:
        found = getattr(importlib.import_module(module), owner)
        setattr(found, method, fatal(getattr(found, method)))


def kill_everywhere(
    stage: Callable[[], World], act: Callable[[World], Any], after: Callable[[World, int], None]
) -> int:
    """Kill `act` after 0, 1, 2, ... writes, each time from the same stage, until it lives; `after` looks at what is
    left. Returns how many writes `act` makes."""
    for writes in range(100):
        world = stage()
        code = run(killed_after, writes, act, world)
        if code == 0:
            return writes - 1
        assert code == KILLED, f"after {writes} writes: exit code {code}"
        after(world, writes)
    raise AssertionError("it never came to its end")
