from __future__ import annotations

import json
import socket
from pathlib import Path

from continual.local.ports import LOOPBACK, is_free, lease_ports


def listen() -> socket.socket:
    server = socket.socket()
    server.bind((LOOPBACK, 0))
    server.listen()
    return server


def test_a_taken_port_is_not_free() -> None:
    with listen() as server:
        port = server.getsockname()[1]
        assert not is_free(port)
    assert is_free(port)


def test_ports_are_remembered_while_free(tmp_path: Path) -> None:
    memory = tmp_path / "ports.json"
    first = lease_ports(memory)
    first.release()
    again = lease_ports(memory)
    again.release()
    assert (again.airflow, again.mlflow) == (first.airflow, first.mlflow)


def test_a_remembered_port_that_is_taken_is_replaced_and_the_new_one_remembered(tmp_path: Path) -> None:
    memory = tmp_path / "ports.json"
    with listen() as server:
        taken = server.getsockname()[1]
        memory.write_text(json.dumps({"airflow": taken, "mlflow": taken}))
        ports = lease_ports(memory)
    ports.release()
    assert taken not in (ports.airflow, ports.mlflow)
    assert json.loads(memory.read_text()) == {"airflow": ports.airflow, "mlflow": ports.mlflow}


def test_two_stacks_that_choose_before_either_binds_get_different_ports(tmp_path: Path) -> None:
    one, two = lease_ports(tmp_path / "one.json"), lease_ports(tmp_path / "two.json")
    one.release()
    two.release()
    assert len({one.airflow, one.mlflow, two.airflow, two.mlflow}) == 4


def test_an_unreadable_memory_means_preferred_ports(tmp_path: Path) -> None:
    (tmp_path / "ports.json").write_text("not json")
    ports = lease_ports(tmp_path / "ports.json")
    ports.release()
    assert ports.airflow >= 8080
    assert 5000 <= ports.mlflow < 5200
