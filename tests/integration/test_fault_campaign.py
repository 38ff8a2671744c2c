"""Some faults of every kind from the campaign of `benchmarks/fault_campaign.py`; the page has a thousand."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from flow_server import Server
from flow_world import Stages, World

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))

import fault_campaign
from campaign_acts import ACTS, Stage
from campaign_faults import FAULTS, Hands

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def hands(mlflow_server: Server) -> Iterator[Hands]:
    made = Hands(mlflow_server)
    yield made
    made.close()


@pytest.fixture(scope="module")
def stage(stages: Stages) -> Stage:
    return Stage(stages)


@pytest.mark.parametrize("fault", FAULTS)
def test_s59_after_a_fault_all_is_as_without_it(stage: Stage, hands: Hands, fault: str) -> None:
    number = list(FAULTS).index(fault)
    act = list(ACTS.values())[number % len(ACTS)]
    told = fault_campaign.one(stage, hands, np.random.default_rng(number), act, FAULTS[fault])
    assert told["wrong"] == "", told


def _nothing(world: World) -> None:
    """An act that a fault swallowed for good."""


def test_the_campaign_notices_what_is_left_undone(stage: Stage, hands: Hands) -> None:
    idle = replace(ACTS["promote"], run=_nothing)
    stage.without_fault(ACTS["promote"])
    told = fault_campaign.one(stage, hands, np.random.default_rng(0), idle, FAULTS["MLflow down"])
    assert str(told["wrong"]) != ""
