"""Evaluations, definitions, requests, datasets, batches, versions and champions on both databases."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sqlalchemy.exc import IntegrityError

from continual.core.estimate import Estimate
from continual.core.window import Window
from continual.errors import PromotionRefused, StoreError
from continual.stores.batches import Batch, BatchRegistry, QuarantineItem, batch_id
from continual.stores.champions import ChampionHistory
from continual.stores.database import Database, open_database
from continual.stores.datasets import DatasetSpec, DatasetStore
from continual.stores.definitions import DefinitionStore, MetricContract, SliceDefinition
from continual.stores.evaluations import Evaluation, EvaluationStore
from continual.stores.requests import Draw, DrawnRows, RequestStore
from continual.stores.tables import model_version
from continual.stores.versions import ModelVersion, VersionStore

pytestmark = pytest.mark.integration
pytest_plugins = ["postgres"]
AS_OF = datetime(2026, 1, 8, tzinfo=UTC)
DAY = timedelta(days=1)
WEEK = Window(AS_OF - 7 * DAY, AS_OF)


@pytest.fixture
def db(database_url: str) -> Database:
    db = open_database(database_url)
    db.upgrade()
    return db


def _evaluation(value: float | None, as_of: datetime = AS_OF, slice: str = "overall") -> Evaluation:
    estimate = Estimate(value, value, value, 10, 5, "exact") if value is not None else Estimate.undefined(10, 0, "none")
    return Evaluation("gate", WEEK, as_of, "7", slice, "auc", estimate)


def test_a_rerun_overwrites_its_own_evaluations_and_no_others(db: Database) -> None:
    store = EvaluationStore(db, "flights")
    assert store.write([_evaluation(0.5), _evaluation(None, slice="AA")]) == 2
    store.write([_evaluation(0.6), _evaluation(0.7, AS_OF + DAY)])
    EvaluationStore(db, "bikes").write([_evaluation(0.1)])
    assert store.read(slice="overall")["value"].tolist() == [0.6, 0.7]
    undefined = store.read(slice="AA")
    assert undefined["value"].isna().all()
    assert undefined["method"].tolist() == ["undefined: none"]
    assert str(undefined["as_of"].dtype).endswith("UTC]")
    assert store.write([]) == 0


def test_evaluations_are_read_as_of_an_instant(db: Database) -> None:
    store = EvaluationStore(db, "flights")
    store.write([_evaluation(0.5), _evaluation(0.7, AS_OF + DAY)])
    assert store.read(as_of=AS_OF)["value"].tolist() == [0.5]
    assert store.read(latest=True)["value"].tolist() == [0.7]
    assert store.read(as_of=AS_OF + DAY / 2, latest=True)["value"].tolist() == [0.5]
    assert len(store.read(window=Window(WEEK.start, WEEK.end - DAY))) == 0
    assert len(store.read(window=WEEK, model_version=["7", "8"], metric="auc")) == 2
    assert store.read(metric="nope").columns.tolist() == store.read().columns.tolist()


def test_definitions_are_kept_by_version(db: Database) -> None:
    store = DefinitionStore(db, "flights")
    new = SliceDefinition("new", "plane_age <= 1", "critical")
    store.record_slices([new, SliceDefinition("AA", "carrier = 'AA'", "standard", "overall")], "v1", AS_OF)
    store.record_slices([new], "v1", AS_OF + DAY)
    store.record_slices([SliceDefinition("new", "plane_age <= 2", "critical")], "v2", AS_OF)
    assert [(s.name, s.predicate) for s in store.slices("v1")] == [("AA", "carrier = 'AA'"), ("new", "plane_age <= 1")]
    auc = MetricContract("auc", "ann", "primary", "higher", margin=0.01)
    store.record_metrics([auc], "p1")
    assert store.metrics("p1") == [auc]
    assert store.metrics("p2") == []


def test_label_requests_keep_their_probability(db: Database) -> None:
    store = RequestStore(db, "flights")
    keys, components = [f"k{n}" for n in range(1200)], {"uniform": np.full(1200, 0.1), "none": np.zeros(1200)}
    store.add(Draw(WEEK, AS_OF, "mixture", "7"), DrawnRows(keys, np.full(1200, 0.25), "open", components))
    store.add(Draw(WEEK, AS_OF, "other"), DrawnRows(["k0"], np.array([0.99])))
    first = store.read(key="k0").iloc[0]
    assert (first["asked_at"], first["window_end"], first["model_version"]) == (AS_OF, WEEK.end, "7")
    assert store.close([f"k{n}" for n in range(700)], "answered") == 700
    assert store.close(["k0"], "expired") == 0
    still_open = store.read(window=WEEK, as_of=AS_OF, state="open")
    assert len(still_open) == 500
    assert store.read(key="k0")[["probability", "state"]].values.tolist() == [[0.25, "answered"]]
    assert store.read(key="k0")["components"].tolist() == [{"uniform": 0.1}]


def test_a_dataset_is_its_specification_and_rows(db: Database, tmp_path: Path) -> None:
    store = DatasetStore(db, "flights", tmp_path)
    spec = DatasetSpec("train", WEEK, AS_OF, ("a", "b"), "123", {"kind": "uniform", "share": 0.5}, 2**40)
    rows = pd.DataFrame({"record_key": ["k1", "k2"], "row_hash": ["h1", "h2"], "probability": [0.5, None]})
    saved = store.save(spec, rows)
    assert store.save(spec, rows) == saved == store.get(saved.id)
    pd.testing.assert_frame_equal(store.load(saved.id), rows)
    others = [store.save(spec, rows.iloc[::-1]), store.save(spec, rows.assign(row_hash="h"))]
    others.append(store.save(DatasetSpec("train", WEEK, AS_OF + DAY, ("a", "b")), rows))
    assert len({saved.id, *(other.id for other in others)}) == 4
    with pytest.raises(StoreError, match="no such dataset"):
        DatasetStore(db, "bikes", tmp_path).get(saved.id)


def test_a_dataset_file_that_changed_is_refused(db: Database, tmp_path: Path) -> None:
    store = DatasetStore(db, "flights", tmp_path)
    saved = store.save(DatasetSpec("train", WEEK, AS_OF, ("a",)), pd.DataFrame({"record_key": ["k1"]}))
    pd.DataFrame({"record_key": ["k2"]}).to_parquet(tmp_path / saved.path)
    with pytest.raises(StoreError, match="holds other rows"):
        store.load(saved.id)
    (tmp_path / saved.path).unlink()
    with pytest.raises(StoreError, match="is gone"):
        store.load(saved.id)


def test_s06_the_same_content_is_the_same_batch(db: Database) -> None:
    registry = BatchRegistry(db, "flights")
    batch = Batch("predictions", "day1.csv", "hash", "quarantined", 0, 9, AS_OF, WEEK, "null jump")
    assert registry.record(batch) == batch_id("flights", "predictions", "hash")
    assert registry.find("predictions", "hash") == batch
    assert registry.find("labels", "hash") is None
    later = Batch("predictions", "copy of day1.csv", "hash", "appended", 9, 0, AS_OF)
    registry.record(later)
    assert registry.batches(stream="predictions") == [later]
    assert BatchRegistry(db, "bikes").batches() == []


def test_quarantine_items_are_closed_once(db: Database) -> None:
    registry = BatchRegistry(db, "flights")
    item = QuarantineItem("i1", "b1", "predictions", 3, "null jump", "i1", AS_OF)
    registry.set_aside([item])
    registry.resolve("i1", "replayed")
    registry.set_aside([item])
    registry.resolve("i1", "replayed")
    assert registry.items(state="open") == []
    assert [found.state for found in registry.items()] == ["replayed"]
    with pytest.raises(StoreError, match="it is replayed"):
        registry.resolve("i1", "discarded")
    with pytest.raises(StoreError, match="no such item"):
        registry.resolve("i2", "discarded")


def _registered(db: Database, *versions: str) -> tuple[VersionStore, ChampionHistory]:
    store = VersionStore(db, "flights")
    for version in versions:
        store.register(ModelVersion(version, f"run-{version}", f"recipe-{version}", "d", WEEK))
    return store, ChampionHistory(db, "flights")


def _states(store: VersionStore) -> dict[str, str]:
    return {found.version: found.state for found in store.versions()}


def test_s31_a_version_is_registered_once(db: Database) -> None:
    store, _ = _registered(db, "1")
    assert store.register(ModelVersion("1", "another run")) == ModelVersion("1", "run-1", "recipe-1", "d", WEEK)
    assert len(store.versions(recipe_hash="recipe-1")) == 1
    with pytest.raises(StoreError, match="Version 9"):
        store.get("9")


def test_champions_follow_each_other(db: Database) -> None:
    store, history = _registered(db, "1", "2", "3")
    assert history.current() is None
    history.append("1", "bootstrap", AS_OF, "d1")
    second = history.append("2", "promote", AS_OF + DAY, "d2")
    assert history.append("3", "promote", AS_OF + 2 * DAY, "d2") == second
    history.append("3", "promote", AS_OF + 2 * DAY, "d3")
    assert _states(store) == {"1": "retired", "2": "previous", "3": "champion"}
    assert [(reign.seq, reign.version, reign.previous) for reign in history.read()] == [
        (1, "1", None),
        (2, "2", "1"),
        (3, "3", "2"),
    ]
    then = history.current(AS_OF + DAY)
    assert then is not None
    assert then.version == "2"


def test_s45_a_quarantined_version_and_lineage_do_not_come_back(db: Database) -> None:
    store, history = _registered(db, "1", "2")
    history.append("1", "bootstrap", AS_OF, "d1")
    history.append("2", "promote", AS_OF, "d2")
    with pytest.raises(StoreError, match="promote or roll back to another version first"):
        store.quarantine_version("2", "bad")
    history.append("1", "rollback", AS_OF, "d3")
    store.quarantine_version("2", "slice new inverted")
    with pytest.raises(PromotionRefused, match="not quarantined"):
        history.append("2", "promote", AS_OF, "d4")
    assert _states(store) == {"1": "champion", "2": "quarantined"}
    assert len(history.read()) == 3
    assert str(store.blocked("recipe-2", WEEK)).endswith("slice new inverted")
    assert VersionStore(db, "bikes").blocked("recipe-2", WEEK) is None


def test_s45_a_released_version_no_longer_blocks_its_lineage(db: Database) -> None:
    store, _ = _registered(db, "1", "2")
    store.quarantine_version("2", "slice new inverted")
    with pytest.raises(StoreError, match=r"quarantined to become retired.*candidate.*name a quarantined version"):
        store.release("1", "it was the data")
    store.release("2", "it was the data")
    assert store.get("2").state == "retired"
    assert store.get("2").reason == "it was the data"
    assert store.blocked("recipe-2", WEEK) is None


def test_only_unused_versions_retire(db: Database) -> None:
    store, history = _registered(db, "1", "2")
    history.append("1", "bootstrap", AS_OF, "d1")
    store.retire("2")
    assert _states(store) == {"1": "champion", "2": "retired"}
    with pytest.raises(StoreError, match="it is champion"):
        store.retire("1")


def test_s59_the_schema_itself_refuses_a_second_champion(db: Database) -> None:
    _, history = _registered(db, "1", "2")
    history.append("1", "bootstrap", AS_OF, "d1")
    second = model_version.update().where(model_version.c.version == "2").values(state="champion")
    with pytest.raises(IntegrityError), db.write() as connection:
        connection.execute(second)


def test_s32_concurrent_promotions_leave_one_champion_and_one_history(db: Database, database_url: str) -> None:
    versions = [str(number) for number in range(8)]
    store, history = _registered(db, *versions)

    def promote(version: str) -> None:
        ChampionHistory(open_database(database_url), "flights").append(version, "promote", AS_OF, f"d{version}")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(promote, versions))
    reigns = history.read()
    assert [reign.seq for reign in reigns] == list(range(1, 9))
    assert [reign.previous for reign in reigns[1:]] == [reign.version for reign in reigns[:-1]]
    assert [found.version for found in store.versions(state="champion")] == [reigns[-1].version]
