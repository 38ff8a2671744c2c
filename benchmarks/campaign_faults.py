"""Faults of the campaign: each happens to an act in a process of its own, at an instant nobody chose."""

from __future__ import annotations

import os
import resource
import signal
import socket
import sqlite3
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, tzinfo
from typing import TYPE_CHECKING, Any

import flow_kill
from flow_loans import day
from flow_server import Server, free_port
from flow_world import World

from continual.flows.champion import reconcile

if TYPE_CHECKING:
    import numpy as np
    from campaign_acts import Act

#: Seconds a process of an act lives, about.
LIFE = 2.5
REFUSED = 3


class Hands:
    """What a fault may touch besides the process: the way to MLflow."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._left, self._answer, self._lock = 10**9, True, threading.Lock()
        threading.Thread(target=self._accept, daemon=True).start()

    def cut_after(self, requests: int, answer: bool) -> None:
        """The way breaks at request number `requests` (0: the first); answer: it arrives, only its answer is lost."""
        self._left, self._answer = requests, answer

    def heal(self) -> None:
        self._left = 10**9

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, socket.create_connection(("127.0.0.1", self._server.port)) as server:
            back = threading.Thread(target=self._back, args=(server, client), daemon=True)
            back.start()
            try:
                while data := client.recv(1 << 16):
                    with self._lock:
                        self._left -= data.split(b" ", 1)[0] in (b"GET", b"POST", b"PATCH", b"DELETE", b"PUT")
                        broken = self._left < 0
                    if broken and not (self._left == -1 and self._answer):
                        return
                    server.sendall(data)
                    if broken:
                        time.sleep(0.3)
                        return
            except OSError:
                return

    def _back(self, server: socket.socket, client: socket.socket) -> None:
        try:
            while data := server.recv(1 << 16):
                if self._left < 0:
                    return
                client.sendall(data)
        except OSError:
            return


@dataclass(frozen=True)
class Fault:
    """weight: how often. inject: does the act with the fault, returns what happened."""

    name: str
    says: str
    weight: int
    inject: Callable[[World, Act, np.random.Generator, Hands], str]


def _ended(code: int) -> str:
    return {0: "came to its end", REFUSED: "failed", flow_kill.KILLED: "killed"}.get(code, f"exit code {code}")


def _quietly(act: Callable[[World], Any], world: World) -> None:
    """In the child: a failure is an exit code."""
    try:
        act(world)
    except Exception:
        os._exit(REFUSED)


def _after_a_write(world: World, act: Act, rng: np.random.Generator, hands: Hands) -> str:
    writes = int(rng.integers(0, act.writes + 1))
    return f"after {writes} writes: {_ended(flow_kill.run(flow_kill.killed_after, writes, act.run, world))}"


def _at_an_instant(world: World, act: Act, rng: np.random.Generator, hands: Hands) -> str:
    seconds = float(rng.uniform(0, LIFE))
    process = flow_kill.start(_quietly, act.run, world)
    process.join(seconds)
    process.kill()
    process.join()
    return f"after {seconds:.2f} s: {_ended(flow_kill.KILLED if process.exitcode == -9 else process.exitcode)}"


def _at_the_barrier(act: Callable[[World], Any], world: World, barrier: Any) -> None:
    barrier.wait()
    _quietly(act, world)


def _together(world: World, first: Callable[[World], Any], second: Callable[[World], Any]) -> str:
    barrier = flow_kill.context().Barrier(2)
    both = [flow_kill.start(_at_the_barrier, act, world, barrier) for act in (first, second)]
    for process in both:
        process.join(120)
    return ", ".join(_ended(process.exitcode) for process in both)


def _twice(world: World, act: Act, rng: np.random.Generator, hands: Hands) -> str:
    return _together(world, act.run, act.run)


def _monitor(world: World) -> None:
    reconcile(world.ws("loans.monitor beside measure"), day(25))


def _beside(world: World, act: Act, rng: np.random.Generator, hands: Hands) -> str:
    return _together(world, act.run, _monitor)


def _registry_down(world: World, act: Act, rng: np.random.Generator, hands: Hands) -> str:
    requests, answer = int(rng.integers(0, 20)), bool(rng.integers(0, 2))
    hands.cut_after(requests, answer)
    behind = World(replace(world.settings, tracking_uri=f"http://127.0.0.1:{hands.port}"))
    code = flow_kill.run(_quietly, act.run, behind)
    hands.heal()
    lost = "its answer lost" if answer else "itself lost"
    return f"at request {requests}, {lost}: {_ended(code)}"


def _registry_gone(world: World, act: Act, rng: np.random.Generator, hands: Hands) -> str:
    gone = World(replace(world.settings, tracking_uri=f"http://127.0.0.1:{free_port()}"))
    return _ended(flow_kill.run(_quietly, act.run, gone))


def _limited(act: Callable[[World], Any], world: World, size: int) -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
    _quietly(act, world)


def _disk_full(world: World, act: Act, rng: np.random.Generator, hands: Hands) -> str:
    size = int(10 ** rng.uniform(2, 6.3))
    return f"no file beyond {size:,} bytes: {_ended(flow_kill.run(_limited, act.run, world, size))}"


def _skewed(act: Callable[[World], Any], world: World, offset: timedelta, writes: int) -> None:
    from continual.stores import clock

    class Wrong(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:
            return datetime.now(tz) + offset

    clock.datetime = Wrong  # type: ignore[misc]
    flow_kill.killed_after(writes, act, world)


def _clock_skew(world: World, act: Act, rng: np.random.Generator, hands: Hands) -> str:
    hours, writes = int(rng.choice([-24, -1, 1, 24])), int(rng.integers(1, act.writes + 2))
    code = flow_kill.run(_skewed, act.run, world, timedelta(hours=hours), writes)
    return f"{hours:+d} h, after {writes} writes: {_ended(code)}"


def _database_held(world: World, act: Act, rng: np.random.Generator, hands: Hands) -> str:
    delay, seconds = float(rng.uniform(0, LIFE / 2)), float(rng.uniform(1, 4))
    process = flow_kill.start(_quietly, act.run, world)
    time.sleep(delay)
    with sqlite3.connect(world.home / "store" / "continual.db", timeout=30) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        time.sleep(seconds)
        connection.rollback()
    process.join(120)
    return f"held for {seconds:.1f} s after {delay:.1f} s: {_ended(process.exitcode)}"


FAULTS = {
    fault.name: fault
    for fault in (
        Fault("kill -9 after a write", "the process ends between two writes, any store's", 30, _after_a_write),
        Fault("kill -9 at an instant", "SIGKILL at any instant of its life, inside a write too", 30, _at_an_instant),
        Fault("the same run twice", "two processes do the same task at once", 8, _twice),
        Fault("another flow beside", "a monitor reconciles at the same time", 8, _beside),
        Fault("MLflow lost on the way", "the connection breaks at a random request, or its answer", 10, _registry_down),
        Fault("MLflow down", "nothing listens", 2, _registry_gone),
        Fault("disk full", "no file grows beyond a random size (RLIMIT_FSIZE)", 5, _disk_full),
        Fault("clock skew and kill", "the process lives an hour or a day off, then is killed", 4, _clock_skew),
        Fault("database held", "somebody holds the database exclusively for seconds", 3, _database_held),
    )
}  # fmt: skip
