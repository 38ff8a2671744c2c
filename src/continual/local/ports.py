"""Free loopback ports, remembered per home and leased while a stack runs."""

from __future__ import annotations

import json
import socket
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from continual.errors import ContinualError

LOOPBACK = "127.0.0.1"
PREFERRED = {"airflow": 8080, "mlflow": 5000}
_TRIED = 200


@dataclass
class Ports:
    """One port per service. `release()` gives them up; the process's end does, too."""

    airflow: int
    mlflow: int
    _leases: list[socket.socket] = field(default_factory=list, repr=False)

    def release(self) -> None:
        for lease in self._leases:
            lease.close()
        self._leases.clear()


def lease_ports(memory: Path) -> Ports:
    """Choose a port per service: the remembered one, else the preferred, else the next free one.

    memory: the JSON file in the home that remembers the choice; it is rewritten.

    Raises
    ------
    ContinualError: none of 200 ports is free.
    """
    remembered = _remembered(memory)
    leases: list[socket.socket] = []
    chosen: dict[str, int] = {}
    for service, preferred in PREFERRED.items():
        candidates = [remembered.get(service, preferred), *range(preferred, preferred + _TRIED)]
        chosen[service] = _first_free(candidates, leases, service)
    memory.write_text(json.dumps(chosen))
    return Ports(**chosen, _leases=leases)


def _remembered(memory: Path) -> dict[str, int]:
    with suppress(OSError, ValueError):
        values = json.loads(memory.read_text())
        return {name: port for name, port in values.items() if isinstance(port, int)}
    return {}


def _first_free(candidates: list[int], leases: list[socket.socket], service: str) -> int:
    for port in candidates:
        lease = _lease(port)
        if lease is None:
            continue
        if is_free(port):
            leases.append(lease)
            return port
        lease.close()
    raise ContinualError(
        f"{service} needs a free port on {LOOPBACK}.",
        f"all of {candidates[1]}..{candidates[-1]} are taken.",
        "stop a program that holds one of them.",
    )


def _lease(port: int) -> socket.socket | None:
    """Reserve `port` against other stacks between choosing it and the server's bind, seconds later.

    An abstract Unix socket: no file, and the kernel frees it when this process dies.
    """
    lease = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    if sys.platform != "linux":
        return lease
    try:
        lease.bind(f"\0continual-port-{port}")
    except OSError:
        lease.close()
        return None
    return lease


def is_free(port: int) -> bool:
    """Nothing listens on this loopback port."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True
