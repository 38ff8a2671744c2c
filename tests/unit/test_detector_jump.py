"""Data faults are found before labels, per slice and column; seasons, drift and wild columns are not faults."""

from __future__ import annotations

import numpy as np
import pytest

from continual.core.stats.jump_counts import category_counts, number_counts
from continual.detectors.base import DETECTORS, ColumnDays, DayTables
from continual.detectors.jump import SHARED

DAYS, ROWS, SLICE = 42, 600, 0.2
JUMP = DETECTORS.get("jump")


def _rows(rng, change=None, faulty=1, days=DAYS, shock=0.3):
    """A clock, an amount with season, drift and day shocks, a kind; `change` on the last days of slice `s`."""
    day = np.repeat(np.arange(days), ROWS)
    inside = rng.random(len(day)) < SLICE
    minute = np.clip(rng.normal(840, 240, len(day)), 300, 1439).round()
    weather = rng.normal(0, shock, days) + 0.5 * np.sin(2 * np.pi * np.arange(days) / 7) + 0.01 * np.arange(days)
    amount = rng.normal(20, 4, len(day)) + 4 * weather[day]
    kind = rng.choice(np.array(["a", "b", "c"], dtype=object), len(day), p=[0.5, 0.3, 0.2])
    columns = {"minute": minute, "amount": amount, "kind": kind}
    if change is not None:
        change(columns, inside & (day >= days - faulty))
    return day, inside, columns


def _tables(rows):
    day, inside, columns = rows
    days, masks, before = day.max() + 1, np.array([np.ones(len(day), bool), inside]), day < 28
    found = []
    for name, values in columns.items():
        count = category_counts if values.dtype == object else number_counts
        found.append(ColumnDays(name, "input", *count(values, day, days, masks, before)))
    names = tuple(str(np.datetime64("2024-01-01") + i) for i in range(days))
    return DayTables(names, np.arange(days) % 7, ("overall", "s"), ("TRUE", "s = 1"), found)


def _read(seed, change=None, faulty=1, **fields):
    return JUMP(**fields).read(_tables(_rows(np.random.default_rng(seed), change, faulty)))


def _set(name, value):
    def change(columns, where):
        columns[name] = np.where(where, value(columns[name]) if callable(value) else value, columns[name])

    return change


FAULTS = {
    "clock read in UTC": (_set("minute", lambda x: (x + 240) % 1440), "minute"),
    "null": (_set("amount", np.nan), "amount"),
    "unit": (_set("amount", lambda x: x * 2.54), "amount"),
    "scale": (_set("amount", lambda x: x * 1.5), "amount"),
    "frozen": (_set("amount", 21.5), "amount"),
    "renamed": (_set("kind", lambda x: np.where(x == "a", "A", x)), "kind"),
    "kind null": (_set("kind", None), "kind"),
}


def test_quiet_deployments_with_season_drift_and_day_shocks_do_not_alarm():
    assert [r.reason for r in (_read(seed) for seed in range(12)) if r.faults] == []


@pytest.mark.parametrize("name", FAULTS)
def test_s04_a_fault_in_one_slice_is_found_at_once_and_named(name):
    change, column = FAULTS[name]
    for seed in range(3):
        worst = _read(seed, change).faults[0]
        assert (worst.slice, worst.column, worst.active) == ("s", column, True)
        assert worst.days == ("2024-02-11",)
        assert abs(worst.effect) > worst.floor > 0
        assert worst.sentence.startswith(f"{column} jumped in s on 2024-02-11: ")


def test_a_fault_of_all_rows_is_said_of_all_rows():
    def everywhere(columns, where):
        day = np.repeat(np.arange(DAYS), ROWS)
        columns["amount"] = np.where(day == DAYS - 1, columns["amount"] * 2.54, columns["amount"])

    assert [f.slice for f in _read(14, everywhere).faults] == ["overall"]


def test_days_of_a_fault_are_dated_and_are_no_reference():
    worst = _read(5, FAULTS["clock read in UTC"][0], faulty=6).faults[0]
    assert worst.days == tuple(f"2024-02-{d:02d}" for d in range(6, 12))
    assert worst.rows == pytest.approx(6 * ROWS * SLICE, rel=0.2)


def test_a_fault_that_ended_is_told_but_not_active():
    def two_days(columns, where):
        day = np.repeat(np.arange(DAYS), ROWS)
        FAULTS["unit"][0](columns, where & (day < DAYS - 3))

    faults = _read(6, two_days, faulty=5).faults
    assert {f.days for f in faults if f.slice == "s"} == {("2024-02-07", "2024-02-08")}
    assert not any(f.active for f in faults)


def test_what_lasts_is_the_new_normal():
    assert _read(7, FAULTS["scale"][0], faulty=41).faults == ()


def test_a_sign_flipped_on_a_symmetric_column_cannot_be_seen_here():
    def flip(columns, where):
        day = np.repeat(np.arange(DAYS), ROWS)
        usual = (np.bincount(day, columns["amount"]) / ROWS)[day]
        columns["amount"] = np.where(where, 2 * usual - columns["amount"], columns["amount"])

    assert _read(8, flip).faults == ()


def test_calendar_columns_are_no_fault():
    rng = np.random.default_rng(9)
    day, inside, columns = _rows(rng)
    columns = {"day_of_year": day.astype(float), "day_of_week": (day % 7).astype(float), **columns}
    assert JUMP().read(_tables((day, inside, columns))).faults == ()


def test_an_effect_too_small_to_matter_is_none_however_certain():
    change = _set("kind", lambda x: np.where(np.arange(len(x)) % 15 == 0, None, x))
    assert _read(10, change, faulty=7).faults == ()
    assert _read(10, change, faulty=7, min_effect=0.03).faults[0].part == "missing"


def test_left_out_columns_are_not_looked_at():
    assert _read(11, FAULTS["null"][0], leave_out=("amount",)).faults == ()


def test_too_short_a_history_is_said():
    rows = _rows(np.random.default_rng(12), days=9)
    reading = JUMP().read(_tables(rows))
    assert reading.faults == ()
    assert "complete days of rows are needed, there are 9" in reading.reason


def test_levels_share_one_budget():
    detector = JUMP()
    at_once, again = detector.levels(1000)
    together = again ** (2 / (1 + SHARED))  # two days are measured against one expectation
    assert again < (detector.alpha / 2 / 365 / 1000 / 4) ** 0.5
    assert 365 * 1000 * (3 * at_once + 4 * together) == pytest.approx(detector.alpha)


def test_the_same_counts_give_the_same_reading():
    assert _read(13, FAULTS["unit"][0]) == _read(13, FAULTS["unit"][0])
    fields = JUMP.model_json_schema()["properties"].values()
    assert all(field.get("description") for field in fields)
