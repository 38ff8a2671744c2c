"""The OpenMetrics endpoint: a real HTTP server on a real SQLite store, its answer parsed by Prometheus' own parsers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from threading import Thread
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_metrics
from prometheus_client.parser import text_string_to_metric_families as prometheus_text
from sqlalchemy import text

from continual.core.estimate import Estimate
from continual.core.window import Window
from continual.errors import StoreError
from continual.exporter import make_app, server
from continual.stores.batches import Batch, BatchRegistry, QuarantineItem
from continual.stores.champions import ChampionHistory
from continual.stores.database import Database, open_database
from continual.stores.evaluations import Evaluation, EvaluationStore
from continual.stores.ledger import Ledger
from continual.stores.versions import ModelVersion, VersionStore

pytestmark = pytest.mark.integration
AS_OF = datetime(2026, 1, 8, tzinfo=UTC)
DAY = timedelta(days=1)
NOW = AS_OF + timedelta(hours=3)
OPEN_METRICS = "application/openmetrics-text; version=1.0.0"
Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


@pytest.fixture
def url(tmp_path) -> str:
    return f"sqlite:///{tmp_path}/continual.db"


@pytest.fixture
def db(url: str) -> Iterator[Database]:
    db = open_database(url)
    db.upgrade()
    yield db
    db.close()


def _estimate(value: float | None, n: int = 100, known: int = 40) -> Estimate:
    if value is None:
        return Estimate.undefined(n, known, "no labels")
    return Estimate(value, value - 0.05, value + 0.05, n, known, "exact")


def _write(
    db: Database, app: str, purpose: str, end: datetime, version: str, as_of: datetime = AS_OF, **values
) -> None:
    """values: slice -> value, or an estimate."""
    made = {name: v if isinstance(v, Estimate) else _estimate(v) for name, v in values.items()}
    window = Window(end - 7 * DAY, end)
    rows = [Evaluation(purpose, window, as_of, version, name, "roc_auc", found) for name, found in made.items()]
    EvaluationStore(db, app).write(rows)


def _champion(db: Database, app: str, version: str) -> None:
    VersionStore(db, app).register(ModelVersion(version))
    ChampionHistory(db, app).append(version, "promote", AS_OF - DAY, f"champion:{version}")


@pytest.fixture
def flights(db: Database) -> Database:
    """Version 7 serves since yesterday and is watched; 8 is a candidate; two batches, one with rows set aside."""
    _champion(db, "flights", "6")
    _champion(db, "flights", "7")
    _write(db, "flights", "monitor", AS_OF - DAY, "live", overall=0.1)  # an older window
    _write(db, "flights", "monitor", AS_OF, "live", AS_OF, overall=0.2)  # known before the labels came
    late = {"overall": 0.75, "tail number": None, "carrier=AA": _estimate(0.6, 30, 30), 'bad "name"\n{x}': 0.5}
    _write(db, "flights", "monitor", AS_OF, "live", AS_OF + timedelta(hours=1), **late)
    _write(db, "flights", "gate", AS_OF + DAY, "7", overall=0.3)  # judged on a later window: not what is watched
    _write(db, "flights", "monitor", AS_OF, "8", overall=0.9)
    batches = BatchRegistry(db, "flights")
    for i in (2, 1):
        batches.record(Batch("predictions", f"{i}.csv", f"hash{i}", "appended", 10, 0, AS_OF - i * DAY))
    batches.record(Batch("labels", "l.csv", "hash9", "quarantined", 0, 5, AS_OF))
    batches.set_aside([QuarantineItem(f"q{i}", "b", "labels", 5, "why", "ref", AS_OF) for i in range(3)])
    batches.resolve("q2", "discarded")
    Ledger(db, "flights").append("trigger", "t", AS_OF - DAY, "no", {}, "hash")
    Ledger(db, "flights").append("verdict", "v", AS_OF, "promote", {}, "hash")
    Ledger(db, "flights").append("monitor", "m", AS_OF + DAY, "a step, no decision", {}, "hash")
    return db


@contextmanager
def _running(url: str, *applications: str, limit: int = 2000) -> Iterator[str]:
    running = server(make_app(url, applications, limit, clock=lambda: NOW), port=0)
    thread = Thread(target=running.serve_forever, daemon=True)
    thread.start()
    try:
        host, port = running.server_address[:2]
        assert host == "127.0.0.1"
        yield f"http://{host}:{port}"
    finally:
        running.shutdown()
        running.server_close()
        thread.join(5)


def _get(address: str, accept: str = OPEN_METRICS) -> tuple[str, str]:
    with urlopen(Request(f"{address}/metrics", headers={"Accept": accept}), timeout=20) as answer:
        return answer.read().decode(), answer.headers["Content-Type"]


def _samples(body: str, parse: Callable = open_metrics) -> Samples:
    return {(s.name, tuple(sorted(s.labels.items()))): s.value for f in parse(body) for s in f.samples}


def _scrape(url: str, *applications: str, limit: int = 2000) -> Samples:
    with _running(url, *applications, limit=limit) as address:
        return _samples(_get(address)[0])


def _at(samples: Samples, name: str, **labels: str) -> float | None:
    return samples.get((f"continual_{name}", tuple(sorted(labels.items()))))


def test_the_live_model_in_its_last_watched_window_as_known_last(flights, url):
    got = _scrape(url)
    labels = {"app": "flights", "slice": "overall", "metric": "roc_auc", "version": "live"}
    assert _at(got, "metric", **labels) == 0.75
    assert _at(got, "metric_low", **labels) == pytest.approx(0.70)
    assert _at(got, "metric_high", **labels) == pytest.approx(0.80)
    assert {dict(key[1])["version"] for key in got if key[0] == "continual_metric"} == {"live"}
    of_slice = {"app": "flights", "slice": "carrier=AA", "version": "live"}
    assert (_at(got, "rows", **of_slice), _at(got, "rows_labelled", **of_slice)) == (30, 30)
    assert _at(got, "label_coverage_ratio", app="flights", slice="overall", version="live") == 0.4
    assert _at(got, "champion_info", app="flights", version="7", purpose="monitor") == 1
    assert _at(got, "champion_since_timestamp_seconds", app="flights") == (AS_OF - DAY).timestamp()
    assert _at(got, "window_start_timestamp_seconds", app="flights") == (AS_OF - 7 * DAY).timestamp()
    assert _at(got, "window_end_timestamp_seconds", app="flights") == AS_OF.timestamp()
    assert _at(got, "evaluated_as_of_timestamp_seconds", app="flights") == AS_OF.timestamp() + 3600


def test_undefined_has_no_value_but_its_rows_and_a_count(flights, url):
    got = _scrape(url)
    assert _at(got, "metric", app="flights", slice="tail number", metric="roc_auc", version="live") is None
    assert _at(got, "metrics_undefined", app="flights") == 1
    assert _at(got, "rows", app="flights", slice="tail number", version="live") == 100


def test_decisions_quarantine_and_ingest(flights, url):
    got = _scrape(url)
    assert _at(got, "last_decision_timestamp_seconds", app="flights", kind="verdict") == AS_OF.timestamp()
    assert (_at(got, "quarantine_open_items", app="flights"), _at(got, "quarantine_open_rows", app="flights")) == (
        2,
        10,
    )
    assert _at(got, "last_ingest_timestamp_seconds", app="flights") == (AS_OF - DAY).timestamp()
    assert _at(got, "last_ingest_age_seconds", app="flights") == 27 * 3600
    assert _at(got, "scrape_ok", app="flights") == 1


def test_an_alarm_is_open_until_another_version_serves(flights, url):
    assert _at(_scrape(url), "alarm_open", app="flights") == 0
    Ledger(flights, "flights").append("alarm", "alarm:2:7", AS_OF, "worse", {}, "hash")
    assert _at(_scrape(url), "alarm_open", app="flights") == 1
    _champion(flights, "flights", "9")
    assert _at(_scrape(url), "alarm_open", app="flights") == 0


def test_the_first_champion_shows_what_the_gate_measured_until_it_is_watched(db, url):
    _champion(db, "flights", "9")
    _write(db, "flights", "gate", AS_OF, "9", overall=0.8)
    got = _scrape(url)
    assert _at(got, "metric", app="flights", slice="overall", metric="roc_auc", version="9") == 0.8
    assert _at(got, "champion_info", app="flights", version="9", purpose="gate") == 1


def test_the_client_chooses_the_format(flights, url):
    with _running(url) as address:
        body, kind = _get(address)
        assert kind.startswith("application/openmetrics-text; version=1.0.0")
        assert body.endswith("# EOF\n")
        plain, kind = _get(address, "text/plain")
        assert kind.startswith("text/plain")
        assert "# EOF" not in plain
        drop = {"continual_scrape_duration_seconds"}
        one, other = _samples(body), _samples(plain, prometheus_text)
        assert {k: v for k, v in one.items() if k[0] not in drop} == {
            k: v for k, v in other.items() if k[0] not in drop
        }
        assert urlopen(address, timeout=20).read() == b"The metrics are at /metrics.\n"
        with pytest.raises(HTTPError, match="404"):
            urlopen(f"{address}/admin", timeout=20)


def test_s61_hostile_slice_names_stay_a_label(flights, url):
    got = _scrape(url)
    hostile = 'bad "name"\n{x}'
    assert _at(got, "metric", app="flights", slice=hostile, metric="roc_auc", version="live") == 0.5


def test_series_are_bounded_the_largest_slices_stay_and_the_rest_is_counted(db, url):
    _champion(db, "flights", "7")
    slices = {f"s{i}": _estimate(0.5, n=i + 10, known=5) for i in range(50)}
    _write(db, "flights", "monitor", AS_OF, "live", overall=_estimate(0.7, 9, 9), **slices)
    got = _scrape(url, limit=4)
    shown = [dict(key[1])["slice"] for key in got if key[0] == "continual_metric"]
    assert shown == ["overall", "s49", "s48", "s47"]
    assert _at(got, "metrics_left_out", app="flights") == 47
    assert len([key for key in got if key[0] == "continual_rows"]) == 4


@pytest.mark.parametrize(
    ("table", "column", "where"),
    [("evaluation", "value", "purpose = 'monitor'"), ("decision", "as_of", "1"), ("champion_history", "as_of", "1")],
)
def test_one_broken_application_hides_no_other(flights, url, table, column, where):
    _champion(flights, "bikes", "1")
    _write(flights, "bikes", "monitor", AS_OF, "live", overall=0.6)
    Ledger(flights, "bikes").append("trigger", "t", AS_OF, "no", {}, "hash")
    with flights.write() as connection:
        connection.execute(text(f"UPDATE {table} SET {column} = 'garbage' WHERE app = 'flights' AND {where}"))
    got = _scrape(url)
    assert _at(got, "scrape_ok", app="flights") == 0
    assert [key for key in got if key[0] == "continual_scrape_error" and ("app", "flights") in key[1]]
    assert not [key for key in got if key[0] == "continual_metric" and ("app", "flights") in key[1]]
    assert _at(got, "scrape_ok", app="bikes") == 1
    assert _at(got, "metric", app="bikes", slice="overall", metric="roc_auc", version="live") == 0.6


def test_a_misspelled_application_and_an_empty_store_are_said(flights, url, tmp_path):
    got = _scrape(url, "flihgts", "flights")
    assert (_at(got, "scrape_ok", app="flihgts"), _at(got, "scrape_ok", app="flights")) == (0, 1)
    assert _at(got, "scrape_error", app="flihgts", error="StoreError") == 1
    got = _scrape(f"sqlite:///{tmp_path}/empty.db")
    assert _at(got, "scrape_ok", app="") == 0
    with pytest.raises(StoreError, match="SQLite file or a PostgreSQL"):
        make_app("mysql://host/name")


def test_scrapes_at_once_agree_while_the_store_is_written(flights, url):
    with _running(url) as address:
        bodies: list[str] = []
        threads = [Thread(target=lambda: bodies.append(_get(address)[0])) for _ in range(8)]
        for thread in threads:
            thread.start()
        _write(flights, "flights", "monitor", AS_OF + 2 * DAY, "live", overall=0.5)
        for thread in threads:
            thread.join(20)
        assert len(bodies) == 8
        key = {"app": "flights", "slice": "overall", "metric": "roc_auc", "version": "live"}
        assert {_at(_samples(body), "metric", **key) for body in bodies} <= {0.75, 0.5}
        assert _at(_samples(_get(address)[0]), "metric", **key) == 0.5
