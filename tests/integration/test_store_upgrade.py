"""A store filled under the first revision comes through every later one, up and down, with all it held."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.script import ScriptDirectory

from continual.core.window import Window
from continual.errors import LedgerError
from continual.stores.batches import BatchRegistry
from continual.stores.champions import ChampionHistory
from continual.stores.database import Database, _config, open_database
from continual.stores.datasets import DatasetStore
from continual.stores.definitions import DefinitionStore
from continual.stores.entry import GENESIS, Entry
from continual.stores.evaluations import EvaluationStore
from continual.stores.ledger import Ledger
from continual.stores.migrations import VERSION_TABLE
from continual.stores.requests import RequestStore
from continual.stores.versions import VersionStore

pytestmark = pytest.mark.integration
pytest_plugins = ["postgres"]
DAY = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
APPS = ("flights", "loans")
REVISIONS = [script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()][::-1]
EVIDENCE = {"gain": 0.045, "low": None, "n": 12_000, "slices": {"naïve \u2028 name": [1e-7, -3, True]}, "text": "it's"}
Rows = dict[str, list[dict[str, Any]]]


def _chain(app: str) -> list[dict[str, Any]]:
    """A ledger as the release of the first revision wrote it."""
    kinds, before, rows = ("trigger", "dataset", "verdict", "promote", "alarm", "rollback"), GENESIS, []
    for n in range(1, 41):
        at = DAY + timedelta(hours=n)
        kind = kinds[n % len(kinds)]
        common = {"as_of": at, "recorded_at": at, "run": f"run-{n}" if n % 3 else None, "policy_hash": "p1"}
        entry = Entry(
            app=app, seq=n, kind=kind, key=f"{kind}/{n}", reason=f"Decision {n}: 'because'.",
            evidence=EVIDENCE, prev_hash=before, **common,
        ).sealed()  # fmt: skip
        rows.append(entry.as_dict())
        before = entry.hash
    return rows


def _versions(app: str) -> list[dict[str, Any]]:
    states = ("retired", "previous", "champion", "quarantined", "candidate")
    return [
        {
            "app": app, "version": str(n), "run_id": f"r{n}", "recipe_hash": f"h{n}", "dataset_id": f"{app}-d",
            "trained_start": DAY, "trained_end": DAY + timedelta(days=n), "state": state,
            "reason": "alarm" if state == "quarantined" else None, "trusted": ["numpy.dtype"], "validation": 0.7,
            "recorded_at": DAY,
        }
        for n, state in enumerate(states, start=1)
    ]  # fmt: skip


def _first_rows(app: str) -> Rows:
    """Rows for every table of the first revision; nullable columns null in one row and set in another."""
    end, key = DAY + timedelta(days=1), {"app": app}
    window = {"window_start": DAY, "window_end": end}
    batch = {**key, "stream": "labels", "rows": 9, "rows_quarantined": 1, "as_of": DAY, "content_hash": "c"}
    reign = {**key, "as_of": DAY, "recorded_at": DAY}
    dataset = {
        **key,
        **window,
        "as_of": end,
        "n_rows": 3,
        "columns": ["a", "b"],
        "path": "d.parquet",
        "recorded_at": DAY,
    }
    request = {
        **key,
        **window,
        "asked_at": DAY,
        "probability": 0.25,
        "components": {"uniform": 0.25},
        "sampler": "mixture",
    }
    evaluation = {**key, **window, "purpose": "gate", "as_of": end, "model_version": "3", "decision_key": "verdict/3"}
    item = {**key, "batch_id": f"{app}-b2", "stream": "labels", "n_rows": 1, "opened_as_of": DAY, "ref": "i"}
    measured = {"value": 0.7, "low": 0.6, "high": 0.8, "n": 100, "n_labelled": 90, "method": "delong"}
    undefined = {"value": None, "low": None, "high": None, "n": 0, "n_labelled": 0, "method": "no rows"}
    return {
        "batch": [
            {**batch, "id": f"{app}-b1", "name": "1.csv", "state": "appended", "reason": None,
             "window_start": None, "window_end": None},
            {**batch, **window, "id": f"{app}-b2", "name": "2.csv", "state": "quarantined", "reason": "null"},
        ],
        "champion_history": [
            {**reign, "seq": 1, "version": "2", "previous": None, "kind": "bootstrap", "decision_key": "promote/3"},
            {**reign, "seq": 2, "version": "3", "previous": "2", "kind": "promote", "decision_key": "promote/9"},
        ],
        "dataset_version": [
            {**dataset, "id": f"{app}-d", "purpose": "train", "snapshot_id": "17", "sampler": {"kind": "n"}, "seed": 7},
            {**dataset, "id": f"{app}-e", "purpose": "evaluate", "snapshot_id": None, "sampler": None, "seed": None},
        ],
        "decision": _chain(app),
        "evaluation": [
            {**evaluation, **measured, "id": f"{app}-1", "slice": "overall", "metric": "roc_auc"},
            {**evaluation, **undefined, "id": f"{app}-2", "slice": "empty", "metric": "roc_auc"},
        ],
        "label_request": [
            {**request, "key": "k1", "state": "open", "model_version": "3"},
            {**request, "key": "k2", "state": "unchosen", "model_version": None},
        ],
        "lock": [{**key, "holder": None, "expires_at": DAY, "expected_champion": "3", "token": 5}],
        "metric": [
            {**key, "name": "roc_auc", "policy_hash": "p1", "owner": "o", "priority": "primary", "direction": "higher",
             "margin": None, "floor": 0.6},
        ],
        "model_version": _versions(app),
        "quarantine_item": [{**item, "id": f"{app}-i", "reason": "temp is missing", "state": "open"}],
        "slice": [
            {**key, "name": "new", "version": "s1", "predicate": "age <= 1", "tier": "critical", "parent": None,
             "first_seen": DAY},
        ],
    }  # fmt: skip


def _move(db: Database, to: str) -> None:
    act = command.downgrade if (db.revision() or "0000") > to else command.upgrade
    with db.write() as connection:
        db.serialise(connection, "continual schema")
        act(_config(connection), to)


def _reflected(db: Database) -> dict[str, sa.Table]:
    metadata = sa.MetaData()
    with db.read() as connection:
        metadata.reflect(connection)
    return {name: table for name, table in metadata.tables.items() if name != VERSION_TABLE}


def _fill(db: Database) -> Rows:
    """Through the very types of the schema, so that instants and JSON are stored as the release stored them."""
    from continual.stores.tables import metadata

    rows: Rows = {}
    for app in APPS:
        for name, found in _first_rows(app).items():
            rows.setdefault(name, []).extend(found)
    stored = _reflected(db)
    assert set(rows) == set(stored), "every table of the first revision is filled"
    with db.write() as connection:
        for name, found in rows.items():
            assert set(found[0]) == set(stored[name].c.keys()), name
            for row in found:  # a statement a row: columns that came later have defaults, which are not there yet
                table = metadata.tables[name]
                connection.execute(sa.insert(sa.table(name, *[sa.column(c, table.c[c].type) for c in row])).values(row))
    return rows


def _held(db: Database, rows: Rows) -> Rows:
    """What the database holds of the columns of `rows`, read with the schema's own types."""
    from continual.stores.tables import metadata

    found: Rows = {}
    with db.read() as connection:
        for name, own in rows.items():
            table = metadata.tables[name]
            columns = [sa.column(c, table.c[c].type) for c in own[0]]
            listed = connection.execute(sa.select(*columns).select_from(sa.table(name))).mappings()
            found[name] = sorted(map(dict, listed), key=repr)
    return found


def _sorted(rows: Rows) -> Rows:
    return {name: sorted(found, key=repr) for name, found in rows.items()}


@pytest.fixture
def first(database_url: str) -> tuple[Database, Rows]:
    """A database at the first revision, filled."""
    db = open_database(database_url)
    _move(db, "0001")
    return db, _fill(db)


def test_every_step_up_and_down_keeps_every_row_and_the_ledger(first: tuple[Database, Rows]) -> None:
    db, rows = first
    expected = _sorted(rows)
    assert len(REVISIONS) > 7
    for revision in [*REVISIONS[1:], *REVISIONS[-2::-1], *REVISIONS[1:]]:
        _move(db, revision)
        assert db.revision() == revision
        assert _held(db, rows) == expected, f"at {revision}"
        assert [Ledger(db, app).verify() for app in APPS] == [40, 40], f"at {revision}"
    db.check()


def test_what_the_first_release_wrote_is_read_and_continued_by_this_one(first: tuple[Database, Rows], tmp_path) -> None:
    db, _ = first
    db.upgrade()
    db.check()
    app, window = APPS[0], Window(DAY, DAY + timedelta(days=1))
    assert [b.state for b in BatchRegistry(db, app).batches(state="quarantined")] == ["quarantined"]
    assert [i.reason for i in BatchRegistry(db, app).items(state="open")] == ["temp is missing"]
    assert [r.version for r in ChampionHistory(db, app).read()] == ["2", "3"]
    dataset = DatasetStore(db, app, tmp_path).get(f"{app}-d")
    assert (dataset.n_rows, dataset.reproducible) == (3, True)
    assert EvaluationStore(db, app).read(purpose="gate", slice="empty")["value"].isna().tolist() == [True]
    assert set(RequestStore(db, app).read(window)["key"]) == {"k1", "k2"}
    assert [v.version for v in VersionStore(db, app).versions(state="champion")] == ["3"]
    assert VersionStore(db, app).get("3").base is None
    assert [m.floor for m in DefinitionStore(db, app).metrics("p1")] == [0.6]
    assert [s.predicate for s in DefinitionStore(db, app).slices("s1")] == ["age <= 1"]
    ChampionHistory(db, app).append("5", "promote", DAY + timedelta(days=9), "promote/new")
    ledger = Ledger(db, app)
    ledger.append("promote", "promote/new", DAY + timedelta(days=9), "On.", {"to": "5"}, "p2")
    assert (ledger.verify(), Ledger(db, APPS[1]).verify()) == (41, 40)


def test_a_row_of_the_old_ledger_that_was_altered_is_found_after_the_upgrade(first: tuple[Database, Rows]) -> None:
    db, _ = first
    with db.write() as connection:
        connection.execute(sa.text("UPDATE decision SET reason = 'another' WHERE app = 'flights' AND seq = 7"))
    db.upgrade()
    with pytest.raises(LedgerError, match="seq 7"):
        Ledger(db, "flights").verify()
    assert Ledger(db, "loans").verify() == 40
