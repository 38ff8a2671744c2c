"""Import heavy libraries once, before the task workers are forked.

The scheduler forks the LocalExecutor's workers and those fork the tasks, so a module the scheduler imported first
is shared copy-on-write: a task's own import of it takes microseconds instead of seconds.
"""

from __future__ import annotations

import importlib
import logging
import warnings
from collections.abc import Iterable

#: Leaf modules whose import pulls in what tasks need. `skops.io` scans every loaded module and warns thousands of
#: times inside an Airflow process: here that happens once, silenced.
HEAVY = (
    "pandas",
    "sklearn.ensemble",
    "sklearn.linear_model",
    "sklearn.pipeline",
    "sklearn.compose",
    "scipy.stats",
    "mlflow.sklearn",
    "skops.io",
    "pyiceberg.catalog.sql",
    "pyiceberg.io.pyarrow",
    "pyarrow.parquet",
    "great_expectations",
    "sqlglot",
    "alembic.command",
)


def preload(modules: Iterable[str]) -> list[str]:
    """Import `modules` quietly; returns those that could not be imported (a task will say why)."""
    failed = []
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for module in modules:
                try:
                    importlib.import_module(module)
                except Exception:  # a broken optional library must not keep the scheduler from starting
                    failed.append(module)
    finally:
        logging.disable(logging.NOTSET)
    return failed
