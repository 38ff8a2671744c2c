"""Messages, through real Apprise to a real HTTP server: one for each incident, checked, quiet when asked."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from flow_loans import day
from flow_world import Stages, World

from continual.errors import ContinualError
from continual.flows.notify import NOTIFIED, failure, incidents, notify
from continual.stores.entry import Entry
from continual.stores.ledger import Ledger
from webhook import Webhook

pytestmark = pytest.mark.integration


@pytest.fixture
def channel(monkeypatch: pytest.MonkeyPatch) -> Iterator[Webhook]:
    made = Webhook()
    monkeypatch.setenv("ONCALL_URLS", made.url)
    yield made
    made.stop()


@pytest.fixture
def world(stages: Stages) -> World:
    made = stages("champion")
    made.config.write_text(made.config.read_text() + "notify: {to_env: ONCALL_URLS}\n")
    return made


def now(hours: float = 0) -> datetime:
    return datetime.now(UTC) + timedelta(hours=hours)


def test_a_promotion_is_told_once_and_confirmed_by_the_registry(world: World, channel: Webhook) -> None:
    for _ in range(2):
        notify(world.ws(), now())
    assert channel.subjects == ["loans: version 1 is champion (bootstrap)"]
    assert "Confirmed by the registry: version 1 is champion." in channel.got[0]["message"]
    [entry] = world.ws().ledger.entries(kind=NOTIFIED)
    assert entry.evidence["topic"] == "promotion"


def test_a_message_never_says_what_the_registry_does_not(world: World, channel: Webhook) -> None:
    world.registry.delete_alias("champion")
    notify(world.ws(), now())
    assert "NOT confirmed: the registry says version none is champion." in channel.got[0]["message"]


def test_a_registry_that_is_away_is_said(world: World, channel: Webhook) -> None:
    notify(world.without_mlflow().ws(), now())
    assert "NOT confirmed, the registry does not answer" in channel.got[0]["message"]


def test_what_a_dead_channel_did_not_take_is_told_later(world: World, channel: Webhook) -> None:
    channel.status = 500
    assert notify(world.ws(), now()) == [] and channel.got == []
    channel.status = 200
    assert len(notify(world.ws(), now())) == len(channel.got) == 1


def test_quiet_hours_hold_back_what_is_not_urgent(world: World, channel: Webhook) -> None:
    night = now().replace(hour=23)
    world.edit("notify: {to_env: ONCALL_URLS}", "notify: {to_env: ONCALL_URLS, quiet: '22:00-07:00'}")
    failed = failure("loans.retrain", "run-1", "train", "no memory", None, day(24))
    notify(world.ws(), night, failed=failed)
    assert channel.subjects == ["loans.retrain: train failed"]
    notify(world.ws(), night.replace(hour=12), failed=failed)
    assert channel.subjects[1:] == ["loans: version 1 is champion (bootstrap)"]


def test_an_alarm_and_its_rollback_are_one_message(world: World, channel: Webhook) -> None:
    world.retrain(day(24))
    current = world.ws().champions.current()
    assert current is not None
    ws, key = world.ws(), f"alarm:{current.seq}:{current.version}"
    ws.ledger.append("alarm", key, day(24.5), "new_aircraft alarmed", {"champion": current.version}, "h", "t")
    assert not [i for i in incidents(world.ws(), now()) if i.topic == "alarm"]
    from continual.flows import roll_back

    if current.version == "1":
        pytest.fail("the retrain of this world promotes version 2")
    roll_back.roll_back(world.ws(), roll_back.RollbackRequest(current.version, "alarm", None, key), day(25))
    notify(world.ws(), now())
    told = [m for m in channel.got if "alarm" in m["title"] or "rollback" in m["title"]]
    assert [m["title"] for m in told] == ["loans: alarm, champion changed"]
    assert "new_aircraft alarmed" in told[0]["message"]
    assert "Confirmed by the registry: version 1 is champion." in told[0]["message"]


def test_old_incidents_are_no_news(world: World, channel: Webhook) -> None:
    assert notify(world.ws(), now(hours=24 * 4)) == []


def test_a_channel_that_is_not_set_is_said(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ONCALL_URLS", raising=False)
    with pytest.raises(ContinualError, match="ONCALL_URLS must hold Apprise URLs"):
        notify(world.ws(), now())


def test_what_it_reads_does_not_grow_with_the_ledger(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand entries of last year are not read again at every task's end."""
    ws = world.ws()
    long_ago = Ledger(ws.db, ws.app, clock=lambda: now(hours=-24 * 300))
    for number in range(1000):
        long_ago.append("alarm", f"old:{number}", day(number % 9), "old", {"champion": "1"}, "h", "t")
    current = ws.ledger.recorded_after(now(hours=-1), "champion")
    assert [e.evidence["target"] for e in current] == ["1"]
    assert ws.ledger.recorded_after(now(hours=-24 * 400), "alarm") == ws.ledger.entries(kind="alarm")
    read: list[str] = []

    def counted(**row: object) -> Entry:
        read.append(str(row["key"]))
        return Entry(**row)  # type: ignore[arg-type]

    monkeypatch.setattr("continual.stores.ledger.Entry", counted)
    assert [i.topic for i in incidents(world.ws(), now())] == ["promotion"]
    assert len(read) < 10
