from __future__ import annotations

import stat
from pathlib import Path

import pytest

from continual.local.airflow_http import AirflowError, AirflowHttp
from continual.local.environment import build_environment
from continual.local.home import Home
from continual.local.ports import Ports, is_free
from continual.local.preload import preload


def build(tmp_path: Path) -> tuple[Home, dict[str, str]]:
    home = Home(tmp_path / "home").create()
    return home, build_environment(home, Ports(8123, 5123), tmp_path / "dags", None, tmp_path / "configs")


def test_s57_every_server_is_told_to_bind_to_loopback(tmp_path: Path) -> None:
    _, env = build(tmp_path)
    hosts = {key: value for key, value in env.items() if key.startswith("AIRFLOW__") and key.endswith("HOST")}
    assert len(hosts) >= 2
    assert set(hosts.values()) == {"127.0.0.1"}
    assert env["MLFLOW_SERVER_ALLOWED_HOSTS"] == "127.0.0.1:5123,localhost:5123"


def test_s57_the_admin_password_is_the_home_s_and_its_file_private(tmp_path: Path) -> None:
    home, env = build(tmp_path)
    file = Path(env["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"])
    assert home.secrets().admin_password in file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_settings_of_another_airflow_do_not_leak_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", "CeleryExecutor")
    monkeypatch.setenv("AIRFLOW_VAR_X", "y")
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "t")
    monkeypatch.setenv("SOMETHING_ELSE", "kept")
    _, env = build(tmp_path)
    assert env["AIRFLOW__CORE__EXECUTOR"] == "LocalExecutor"
    assert "AIRFLOW_VAR_X" not in env
    assert "MLFLOW_TRACKING_TOKEN" not in env
    assert env["SOMETHING_ELSE"] == "kept"


def test_a_proxy_is_not_asked_for_loopback(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "example.org")
    _, env = build(tmp_path)
    assert env["NO_PROXY"].split(",") == ["127.0.0.1", "localhost", "example.org"]


def test_preload_names_what_it_could_not_import() -> None:
    assert preload(["json", "no_such_module_anywhere"]) == ["no_such_module_anywhere"]


def test_an_unreachable_airflow_is_named_with_its_address() -> None:
    port = next(p for p in range(47_000, 48_000) if is_free(p))
    with pytest.raises(AirflowError, match=f"127.0.0.1:{port}") as caught:
        AirflowHttp(f"http://127.0.0.1:{port}", "admin", "x", patience=0.1).get("/dags")
    assert caught.value.status == 0
