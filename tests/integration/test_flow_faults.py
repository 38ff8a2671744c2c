"""Inputs that broke, seen before labels, and what is done about them, end to end."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from flow_loans import day, startups_inverted
from flow_world import Stages, World

from continual.flows import diagnose, monitor, trigger

pytestmark = pytest.mark.integration


def startups_in_cents(frame: pd.DataFrame) -> pd.DataFrame:
    """The income of startups comes in another unit; the truth is what it was."""
    wrong = frame["sector"] == "startup"
    return frame.assign(income=frame["income"].where(~wrong, 3 * frame["income"] + 4))


def bureau_of_startups_elsewhere(frame: pd.DataFrame) -> pd.DataFrame:
    """What only the champion reads comes from another bureau, with its own scale and sign."""
    wrong = frame["sector"] == "startup"
    return frame.assign(bureau=frame["bureau"].where(~wrong, 4 - 3 * frame["bureau"]))


def diagnoses(world: World) -> list[dict[str, object]]:
    entries = world.ws().ledger.entries(kind="diagnosis")
    assert all(diagnose.rederive(entry) for entry in entries), "the ledger alone must give the diagnosis again"
    return [dict(entry.evidence["diagnosis"]) for entry in entries]


def test_a_unit_change_in_one_slice_is_found_before_any_label_and_holds_the_retrain(stages: Stages) -> None:
    world = stages("promoted")
    world.log(24, 27)
    assert "quarantine" not in world.watch(day(27)) and diagnoses(world) == []
    world.log(27, 28, startups_in_cents)
    found = world.watch(day(28))  # day 27 is a day old: no label of it has matured
    (request,) = found["quarantine"]
    assert (request["slice"], request["predicate"]) == ("startups", "sector = 'startup'")
    assert (request["days"], request["columns"]) == (("2024-01-28",), ("income",))
    assert "alarm" not in found and found["retrain"] is False
    assert "income jumped in startups on 2024-01-28" in found["reason"]
    (said,) = diagnoses(world)
    assert (said["cause"], said["actuator"]) == ("data", "quarantine")
    held = trigger.decide(world.ws(), day(28), False)
    assert held.reason.startswith("no retrain: on hold: no alarm yet, but income jumped")
    world.check("2")


def test_an_alarm_that_rests_on_broken_inputs_is_no_reason_to_roll_back(stages: Stages) -> None:
    world = stages("promoted")
    world.log(24, 27)
    world.log(27, 33, bureau_of_startups_elsewhere)
    found = world.watch(day(34))
    assert "alarm" not in found
    (said,) = diagnoses(world)
    assert (said["cause"], said["actuator"]) == ("data", "quarantine")
    assert "vanishes without the rows whose inputs jumped" in str(said["reason"])
    world.log(33, 36)
    assert "alarm" not in world.watch(day(37))  # the fault is over, what it did to the stream is still known
    world.check("2")


def test_s39_a_version_that_is_wrong_on_clean_inputs_is_still_rolled_back(stages: Stages) -> None:
    world = stages("promoted")
    world.log(24, 27)
    world.log(27, 33, startups_inverted)
    found = world.watch(day(34))
    assert found["alarm"]["champion"] == "2"
    (said,) = diagnoses(world)
    assert (said["cause"], said["actuator"]) == ("model", "roll_back")
    assert "no input jumped" in str(said["reason"])


def test_a_repeated_look_changes_nothing(stages: Stages) -> None:
    world = stages("promoted")
    world.log(24, 27)
    world.log(27, 28, startups_in_cents)
    first = world.watch(day(28))
    before = world.dump()
    assert world.watch(day(28)) == first
    assert world.dump() == before


def test_labels_whose_delay_depends_on_the_outcome_are_not_read_until_they_are_there(stages: Stages) -> None:
    """Bad outcomes are told six days late: read as they come, every version looks better than it is."""
    world = stages("promoted")
    slow_labels(world, 24, 40)
    found = monitor.watch(world.ws(), day(40))
    assert "are not read" in found.reason
    assert "the delay depends on the outcome" in found.reason and "raise label.lag" in found.reason
    world.check("2")


def slow_labels(world: World, first: int, last: int) -> None:
    """Days [first, last); 0 is known after 6 days, 1 after 12 hours."""
    from flow_loans import applications

    from continual.flows.log_rows import log_table

    ws = world.ws()
    for number in range(first, last):
        rows, truth = world.served(number), applications(number)
        ws.log.append_predictions(
            log_table(ws.policy, "predictions", rows, f"p{number}", day(number + 1)), f"p{number}"
        )
        known = truth["event_time"] + pd.to_timedelta(np.where(truth["value"] == 1, 12, 144), unit="h")
        labels = truth[["record_key", "value"]].assign(known_at=known, source="payments")
        early = labels[known < day(last)]
        ws.log.append_labels(log_table(ws.policy, "labels", early, f"l{number}", day(last)), f"l{number}")
