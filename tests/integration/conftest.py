"""Fixtures of the flows' tests: one MLflow server a session, and the stages of the small lender's history."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from flow_server import Server
    from flow_world import Stages

pytest.register_assert_rewrite("flow_world", "flow_kill")


@pytest.fixture(scope="session")
def mlflow_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    from flow_server import Server

    server = Server(tmp_path_factory.mktemp("loans") / "mlflow")
    yield server
    server.stop()


@pytest.fixture(scope="session")
def stages(mlflow_server: Server) -> Stages:
    from flow_world import Stages

    return Stages(mlflow_server.folder.parent, mlflow_server)
