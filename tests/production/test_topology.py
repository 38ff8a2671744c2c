"""The whole story on the production topology: PostgreSQL, Redis, Celery, object storage, a process a service."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import boto3
import psycopg
import pytest
from topology import Topology

from continual.demo.story import CHAPTERS
from continual.demo.world import World
from continual.flows.workspace import Workspace
from continual.local.home import Home
from continual.settings import Settings

pytestmark = [pytest.mark.production, pytest.mark.timeout(7200)]


def _stack(home: Path, configs: Path, note) -> Topology:
    return Topology(Home(home), configs, note)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    before = dict(os.environ)
    try:
        with World(tmp_path_factory.mktemp("production") / "home", print, _stack, patience=1500) as made:
            os.environ.update({k: v for k, v in made.stack.environment.items() if k.startswith("AWS_")})
            yield made
    finally:
        os.environ.clear()
        os.environ.update(before)


def test_every_chapter_of_the_story_holds(world: World) -> None:
    for chapter in CHAPTERS:
        told = chapter.play(world)
        print(told)
        assert told.held, [told, world.workspace().registry.aliases(), *world.failures()]


def test_nothing_that_matters_lies_on_a_disk_of_ours(world: World) -> None:
    """After the story: the log and the models are objects, the rest is in three databases of three roles."""
    bucket = boto3.client("s3", endpoint_url=world.stack.environment["AWS_ENDPOINT_URL"])
    pages = bucket.get_paginator("list_objects_v2").paginate(Bucket="continual")
    keys = [item["Key"] for page in pages for item in page["Contents"]]
    assert sum(key.startswith("warehouse/") and key.endswith(".parquet") for key in keys) > 100
    assert any(key.startswith("mlflow/") and key.endswith(".skops") for key in keys)
    assert not list(world.home.rglob("*.db"))


def test_another_machine_reads_the_same_story(world: World, tmp_path: Path) -> None:
    elsewhere = Settings.from_environment(
        {**world.stack.environment, "CONTINUAL_HOME": str(tmp_path), "CONTINUAL_CONFIGS": str(world.home / "configs")}
    )
    ws = Workspace.open("flights", run="test", settings=elsewhere)
    assert ws.ledger.verify() > 30
    assert ws.registry.champion() == ws.champions.current().version


def test_a_role_cannot_read_the_databases_of_others(world: World) -> None:
    stack = world.stack
    login = {
        "host": "127.0.0.1",
        "port": stack.port["postgres"],
        "user": "mlflow",
        "password": stack.secret("postgres_mlflow"),
    }
    with psycopg.connect(dbname="mlflow", **login) as connection:
        assert connection.execute("select current_user").fetchone() == ("mlflow",)
    for other in ("airflow", "continual", "catalog"):
        with pytest.raises(psycopg.OperationalError, match="permission denied"):
            psycopg.connect(dbname=other, **login)


def test_wrong_passwords_are_refused(world: World) -> None:
    import redis

    port = world.stack.port
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(host="127.0.0.1", port=port["postgres"], user="continual", password="wrong", dbname="continual")
    with pytest.raises(redis.AuthenticationError):
        redis.Redis(port=port["redis"]).ping()


def test_a_killed_worker_comes_back_and_goes_on(world: World) -> None:
    """kill -9 of the Celery worker and of Redis, then a restart as Docker does it: the next run goes through."""
    for name in ("airflow-worker", "redis"):
        world.stack.kill(name)
    world.stack.start("redis")
    world.stack.start("airflow-worker")
    run = world.retrain("2013-08-15", "after a crash")
    assert {task.task_id: task.state for task in run.tasks}["judge"] == "success"
