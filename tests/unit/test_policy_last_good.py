"""Which policy is in force while people edit (s50), and what a run that started before the edit sees (s51)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from continual.core.canonical import digest
from continual.errors import PolicyError
from continual.policy import last_good
from continual.policy.last_good import PolicyShelf


@pytest.fixture
def desk(tmp_path, flights_text):
    """A shelf, and a function that edits its policy file."""
    configs = tmp_path / "configs"
    configs.mkdir()

    def edit(*changes):
        text = flights_text
        for before, after in changes:
            assert before in text
            text = text.replace(before, after)
        (configs / "flights.yaml").write_text(text, encoding="utf-8")

    edit()
    return PolicyShelf(tmp_path / "home", configs), edit


BAD = ("every_days: 28", "every_dayz: 28")


def _every_days(found):
    return found.policy.trigger.triggers[0].every_days


def test_s50_an_invalid_edit_keeps_the_last_good_policy_and_says_why(desk):
    shelf, edit = desk
    good = shelf.snapshot("flights")
    edit(BAD)
    found = shelf.in_force("flights")
    assert (good.problem, found.loaded.hash) == (None, good.loaded.hash)
    assert "every_dayz" in found.problem
    assert "did you mean 'every_days'" in found.problem
    assert shelf.snapshot("flights").loaded.hash == good.loaded.hash


def test_s50_last_good_is_the_latest_that_a_run_used(desk):
    shelf, edit = desk
    shelf.snapshot("flights")
    edit(("every_days: 28", "every_days: 7"))
    shelf.snapshot("flights")
    edit(BAD)
    assert _every_days(shelf.in_force("flights").loaded) == 7
    edit()
    assert _every_days(shelf.in_force("flights").loaded) == 28


def test_s50_without_a_last_good_policy_the_error_is_raised(desk):
    shelf, edit = desk
    edit(BAD)
    with pytest.raises(PolicyError, match=r"every_dayz"):
        shelf.in_force("flights")


def test_s50_a_file_removed_or_emptied_keeps_the_last_good(desk):
    shelf, _ = desk
    shelf.snapshot("flights")
    path = shelf.configs / "flights.yaml"
    path.write_text("")
    assert "nothing" in shelf.in_force("flights").problem
    path.unlink()
    assert "No such file" in shelf.in_force("flights").problem


def test_s51_a_run_sees_its_own_snapshot_whatever_happens_to_the_file(desk):
    shelf, edit = desk
    started = shelf.snapshot("flights").loaded
    edit(("every_days: 28", "every_days: 7"))
    shelf.snapshot("flights")
    edit(BAD)
    found = shelf.by_hash("flights", started.hash)
    assert found.hash == started.hash
    assert found.text == started.text
    assert _every_days(found) == 28


def test_s51_a_snapshot_that_is_gone_or_changed_is_an_error_not_another_policy(desk):
    shelf, _ = desk
    started = shelf.snapshot("flights").loaded
    with pytest.raises(PolicyError, match=r"clear the whole run"):
        shelf.by_hash("flights", "0" * 16)
    snapshot = shelf.root / "flights" / f"{started.hash}.yaml"
    snapshot.write_text(started.text.replace("every_days: 28", "every_days: 7"), encoding="utf-8")
    with pytest.raises(PolicyError, match=r"now means [0-9a-f]{16}.*clear the whole run"):
        shelf.by_hash("flights", started.hash)


def test_reading_writes_nothing_and_an_equal_snapshot_is_left_alone(desk):
    shelf, _ = desk
    shelf.in_force("flights")
    assert not shelf.root.exists()
    shelf.snapshot("flights")
    folder = shelf.root / "flights"
    before = {p: p.stat().st_mtime_ns for p in folder.iterdir()}
    name = shelf.in_force("flights").loaded.hash
    assert {p.name for p in before} == {"last_good", f"{name}.yaml", f"{name}.json"}
    shelf.snapshot("flights")
    assert {p: p.stat().st_mtime_ns for p in folder.iterdir()} == before


def test_a_comment_is_no_new_policy(desk):
    shelf, edit = desk
    started = shelf.snapshot("flights").loaded
    edit(("seed: 0", "seed: 0  # chosen by a fair die"))
    assert shelf.snapshot("flights").loaded.hash == started.hash
    assert shelf.by_hash("flights", started.hash).hash == started.hash


def test_a_last_good_that_this_release_cannot_read_counts_as_none(desk):
    shelf, edit = desk
    loaded = shelf.snapshot("flights").loaded
    (shelf.root / "flights" / f"{loaded.hash}.yaml").write_text("application: flights\nsomething_old: 1\n")
    edit(BAD)
    with pytest.raises(PolicyError, match=r"every_dayz"):
        shelf.in_force("flights")


def test_applications_are_the_policy_files_without_editors_leftovers(desk):
    shelf, _ = desk
    for name in ("trains.yaml", ".#flights.yaml", "flights.yaml~", "notes.txt"):
        (shelf.configs / name).write_text("")
    assert shelf.applications() == ["flights", "trains"]


#: Releases before this one: what they knew and how they meant it, the newest first.
FORMER = [
    {"gate": {"label_noise": None}},
    {"gate": {"label_noise": None}, "monitor": {"lasting_shocks": False}},
    {"gate": {"label_noise": None}, "monitor": {"lasting_shocks": None}},
]


def _kept_by(shelf, release):
    """A snapshot as an earlier release kept it: its text under the hash of its meaning then; None = no such field."""
    loaded = shelf.in_force("flights").loaded
    meaning = loaded.policy.model_dump(mode="json")
    for section, fields in release.items():
        for field, value in fields.items():
            meaning[section].pop(field)
            meaning[section] |= {} if value is None else {field: value}
    then = digest(meaning)[:16]
    folder = shelf.root / "flights"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{then}.yaml").write_text(loaded.text, encoding="utf-8")
    return then


@pytest.mark.parametrize("release", FORMER)
def test_s51_a_snapshot_of_an_earlier_release_means_what_it_meant(desk, release):
    shelf, _ = desk
    then = _kept_by(shelf, release)
    found = shelf.by_hash("flights", then)
    assert found.hash == then
    assert found.policy.monitor.lasting_shocks is ("monitor" not in release)
    assert found.policy.gate.label_noise == "ignore"


def test_s51_a_snapshot_whose_text_says_the_field_is_not_taken_for_an_older_one(desk):
    shelf, edit = desk
    edit(("kind: e_detector", "kind: e_detector\n  lasting_shocks: true"))
    then = _kept_by(shelf, FORMER[0])
    assert shelf.by_hash("flights", then).policy.monitor.lasting_shocks
    never = _kept_by(shelf, FORMER[2])
    with pytest.raises(PolicyError, match="must mean what it meant"):
        shelf.by_hash("flights", never)


def test_s51_the_next_release_reads_the_meaning_kept_beside_the_text(desk, monkeypatch):
    shelf, _ = desk
    good = shelf.snapshot("flights").loaded
    monkeypatch.setattr(last_good, "_parse", lambda path: replace(good, hash="of the next release"))
    assert shelf.by_hash("flights", good.hash) == good
    beside = shelf.root / "flights" / f"{good.hash}.json"
    for damaged in (beside.read_text().replace("28", "27"), "{}", "no json"):
        beside.write_text(damaged)
        with pytest.raises(PolicyError, match="must mean what it meant"):
            shelf.by_hash("flights", good.hash)
