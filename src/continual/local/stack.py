"""Airflow and MLflow on this machine, for as long as a `with` block lasts."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from types import TracebackType
from typing import Any

import requests

from continual.errors import ContinualError
from continual.local.airflow_api import AirflowClient
from continual.local.environment import ADMIN, airflow_url, build_environment, mlflow_url
from continual.local.home import Home
from continual.local.lock import lock_home
from continual.local.ports import LOOPBACK, Ports, lease_ports
from continual.local.preload import HEAVY
from continual.local.process import GRACE, Child, rotate_logs, stop_sessions
from continual.local.watchdog import Watchdog

_COMPONENTS = ("scheduler", "api-server", "dag-processor", "triggerer")  # the slowest first
_HEALTH = {"scheduler": "scheduler", "dag_processor": "dag-processor", "triggerer": "triggerer"}

Progress = Callable[[str], None]


class LocalStack:
    """`with LocalStack(home, dags, plugins, configs) as stack:` runs everything and stops it all at the end.

    Bound to loopback only; secrets generated in the home. Not for production: SQLite and one machine.
    """

    def __init__(
        self,
        home: Home,
        dags: Path,
        plugins: Path | None,
        configs: Path,
        extra_env: Mapping[str, str] | None = None,
        *,
        progress: Progress = lambda _: None,
        parallelism: int = 2,
        preload: tuple[str, ...] = HEAVY,
        timeout: float = 300.0,
    ) -> None:
        """progress: called with one line per step. parallelism: task workers. timeout: seconds for the start."""
        self.home, self.dags, self.plugins, self.configs = home, dags, plugins, configs
        self._extra, self._progress, self._timeout = dict(extra_env or {}), progress, timeout
        self._parallelism, self._preload = parallelism, preload
        self._children: list[Child] = []
        self._lock: int | None = None
        self._watchdog: Watchdog | None = None
        self._ports: Ports | None = None
        self.environment: dict[str, str] = {}

    # --- what a caller uses ---

    @property
    def airflow(self) -> AirflowClient:
        """A client logged in as the administrator."""
        return AirflowClient(self.airflow_url, ADMIN, self.home.secrets().admin_password)

    @property
    def airflow_url(self) -> str:
        return airflow_url(self._need_ports())

    @property
    def mlflow_uri(self) -> str:
        return mlflow_url(self._need_ports())

    @property
    def pids(self) -> list[int]:
        """Every living process of the stack, its watchdog included."""
        watchdog = [self._watchdog.pid] if self._watchdog else []
        return [pid for child in self._children for pid in child.session.members()] + watchdog

    def check(self) -> None:
        """Raise a ContinualError with the last output of a program that has ended."""
        for child in self._children:
            child.check()

    # --- life ---

    def __enter__(self) -> LocalStack:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> LocalStack:
        """Start everything and wait until it answers; stops all again when that fails.

        Raises
        ------
        ContinualError: a program ended, the home is in use, or the time is over; with the last log lines.
        """
        self.home.create()
        self._lock = lock_home(self.home.root / "stack.lock")
        try:
            self._launch()
            self._wait_healthy()
            self._marker().write_text("")
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Stop every process, children included; may be called twice."""
        stop_sessions([child.session for child in self._children], GRACE)
        for child in self._children:
            child.reap()
        if self._watchdog:
            self._watchdog.release()
        if self._ports:
            self._ports.release()
        if self._lock is not None:
            os.close(self._lock)
        self._children, self._watchdog, self._lock = [], None, None

    # --- steps ---

    def _launch(self) -> None:
        rotate_logs(self.home.logs)
        self._ports = lease_ports(self.home.root / "ports.json")
        built = build_environment(
            self.home, self._ports, self.dags, self.plugins, self.configs, parallelism=self._parallelism
        )
        self.environment = {**built, **self._extra}
        assert self._lock is not None  # noqa: S101 for the type checker: start() took it
        self._watchdog = Watchdog(self.environment, self._lock)
        components = list(_COMPONENTS)
        if not (self._marker().exists() and (self.home.airflow / "airflow.db").exists()):
            self._progress("preparing the Airflow database")
            components.insert(0, "migrate")
        self._progress("starting MLflow and Airflow")
        self._start("airflow", "airflow_main", str(self.home.logs), *components, preload=",".join(self._preload))
        self._start("mlflow", "mlflow_main", str(self.home.mlflow), LOOPBACK, str(self._ports.mlflow))

    def _start(self, name: str, module: str, *arguments: str, preload: str = "") -> None:
        command = [sys.executable, "-m", f"continual.local.{module}", *arguments]
        env = {**self.environment, "CONTINUAL_PRELOAD": preload} if preload else self.environment
        child = Child(name, command, env, self.home.logs / f"{name}.log")
        self._children.append(child)
        if self._watchdog:
            self._watchdog.watch(child.session)

    def _marker(self) -> Path:
        """Exists when the database was migrated by this Airflow version."""
        return self.home.airflow / f"migrated-{version('apache-airflow-core')}"

    def _wait_healthy(self) -> None:
        began, since = time.monotonic(), datetime.now(UTC) - timedelta(seconds=1)
        waiting = {"MLflow", "Airflow API", "task API", *_HEALTH.values()}
        while waiting:
            self.check()
            for name in sorted(waiting & self._healthy(since, waiting)):
                waiting.discard(name)
                self._progress(f"{name} is ready ({time.monotonic() - began:.1f} s)")
            if waiting and time.monotonic() - began > self._timeout:
                raise ContinualError(
                    f"Airflow and MLflow must be ready within {self._timeout:g} s.",
                    f"waiting for {', '.join(sorted(waiting))}.",
                    f"read the logs in {self.home.logs}.",
                )
            time.sleep(0.2)

    def _healthy(self, since: datetime, waiting: set[str]) -> set[str]:
        ready = {"MLflow"} if "MLflow" in waiting and _get(f"{self.mlflow_uri}/health") else set()
        response = _get(f"{self.airflow_url}/api/v2/monitor/health")
        if response is None:
            return ready
        # The first request builds the task API, 3 CPU-s: better now than in the first task
        if "task API" in waiting and _get(f"{self.airflow_url}/execution/health", timeout=30):
            ready.add("task API")
        health = response.json()
        alive = {name for key, name in _HEALTH.items() if _beats(health.get(key), key, since)}
        return ready | alive | {"Airflow API"}

    def _need_ports(self) -> Ports:
        if self._ports is None:
            raise ContinualError("The stack must have been started.", "it has not.", "use it inside `with`.")
        return self._ports


def _get(url: str, timeout: float = 5.0) -> requests.Response | None:
    session = requests.Session()
    session.trust_env = False
    try:
        response = session.get(url, timeout=timeout)
    except (requests.ConnectionError, requests.Timeout):
        return None
    return response if response.ok else None


def _beats(state: dict[str, Any] | None, key: str, since: datetime) -> bool:
    """The component reported after `since`: a heartbeat of an earlier life does not count."""
    beat = (state or {}).get(f"latest_{key}_heartbeat")
    return bool(beat) and datetime.fromisoformat(str(beat)) >= since
