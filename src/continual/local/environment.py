"""The environment every process of a local deployment runs in."""

from __future__ import annotations

import json
import os
from pathlib import Path

import continual
from continual.local.home import Home, Secrets, write_private
from continual.local.ports import LOOPBACK, Ports

ADMIN = "admin"
_FOREIGN = ("AIRFLOW", "_AIRFLOW", "MLFLOW_", "_MLFLOW", "CONTINUAL_")


def airflow_url(ports: Ports) -> str:
    return f"http://{LOOPBACK}:{ports.airflow}"


def mlflow_url(ports: Ports) -> str:
    return f"http://{LOOPBACK}:{ports.mlflow}"


def build_environment(  # one argument per thing a deployment chooses
    home: Home, ports: Ports, dags: Path, plugins: Path | None, configs: Path, parallelism: int = 2
) -> dict[str, str]:
    """The full environment: the caller's without its Airflow/MLflow settings, plus ours.

    Secrets travel here and in files of mode 0600, never as arguments, which every user of the machine can list.
    """
    secrets = home.secrets()
    write_private(_passwords_file(home), json.dumps({ADMIN: secrets.admin_password}))
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(_FOREIGN)}
    return {
        **inherited,
        **_python(inherited),
        **_airflow_core(home, dags, plugins, parallelism),
        **_airflow_api(home, ports, secrets),
        **_airflow_pace(),
        **_mlflow(ports),
        **_quiet_threads(),
        "CONTINUAL_HOME": str(home.root),
        "CONTINUAL_AIRFLOW_URL": f"http://{LOOPBACK}:{ports.airflow}",  # for links from MLflow
        "CONTINUAL_CONFIGS": str(Path(configs).resolve()),
    }


def _passwords_file(home: Home) -> Path:
    return home.airflow / "passwords.json"


def _python(inherited: dict[str, str]) -> dict[str, str]:
    source = str(Path(continual.__file__).parent.parent)
    path = [source, *(p for p in inherited.get("PYTHONPATH", "").split(os.pathsep) if p and p != source)]
    no_proxy = [LOOPBACK, "localhost", *filter(None, [inherited.get("NO_PROXY", inherited.get("no_proxy", ""))])]
    return {
        "PYTHONPATH": os.pathsep.join(path),
        "PYTHONUNBUFFERED": "1",
        "NO_PROXY": ",".join(no_proxy),
        "no_proxy": ",".join(no_proxy),
    }


def _airflow_core(home: Home, dags: Path, plugins: Path | None, parallelism: int) -> dict[str, str]:
    return {
        "AIRFLOW_HOME": str(home.airflow),
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__PARALLELISM": str(parallelism),
        "AIRFLOW__CORE__DAGS_FOLDER": str(Path(dags).resolve()),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(Path(plugins or home.airflow / "no-plugins").resolve()),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "AIRFLOW__CORE__HOSTNAME_CALLABLE": "socket.gethostname",  # the default asks DNS
        "AIRFLOW__CORE__MP_START_METHOD": "fork",  # task workers share what the scheduler preloaded
        # timeout: seconds a writer waits for another before "database is locked"
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home.airflow / 'airflow.db'}?timeout=60",
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(home.airflow / "logs"),
        # A cron schedule gives each run the interval since the run before, as a window needs
        "AIRFLOW__SCHEDULER__CREATE_CRON_DATA_INTERVALS": "True",
        "AIRFLOW__SCHEDULER__CREATE_DELTA_DATA_INTERVALS": "True",
        "SCARF_ANALYTICS": "false",
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
    }


def _airflow_api(home: Home, ports: Ports, secrets: Secrets) -> dict[str, str]:
    url = airflow_url(ports)
    return {
        "AIRFLOW__API__HOST": LOOPBACK,
        "AIRFLOW__API__PORT": str(ports.airflow),
        "AIRFLOW__API__BASE_URL": url,
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__API__SECRET_KEY": secrets.api_secret_key,
        "AIRFLOW__API_AUTH__JWT_SECRET": secrets.jwt_secret,
        "AIRFLOW__CORE__FERNET_KEY": secrets.fernet_key,
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{url}/execution/",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{ADMIN}:admin",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(_passwords_file(home)),
        "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_SERVER_HOST": LOOPBACK,
    }


def _airflow_pace() -> dict[str, str]:
    """Intervals in seconds, short enough that edits and task hand-overs are seen at once."""
    return {
        "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.25",
        "AIRFLOW__SCHEDULER__JOB_HEARTBEAT_SEC": "2",
        "AIRFLOW__SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "2",
        # A task lost in a kill is found in a minute instead of five
        "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "20",
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "60",
        # A worker often notices its task's end only when this interval is over; at 5 s, the default, slots stand idle
        "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
        "AIRFLOW__WORKERS__MAX_FAILED_HEARTBEATS": "15",
        "AIRFLOW__DAG_PROCESSOR__PRINT_STATS_INTERVAL": "600",
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "5",
        "AIRFLOW__DAG_PROCESSOR__BUNDLE_REFRESH_CHECK_INTERVAL": "2",
        "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "5",
        "AIRFLOW__DAG_PROCESSOR__PARSING_PROCESSES": "1",
        "AIRFLOW__CORE__MIN_SERIALIZED_DAG_UPDATE_INTERVAL": "1",
    }


def _mlflow(ports: Ports) -> dict[str, str]:
    return {
        "MLFLOW_TRACKING_URI": mlflow_url(ports),
        "MLFLOW_SERVER_ALLOWED_HOSTS": f"{LOOPBACK}:{ports.mlflow},localhost:{ports.mlflow}",
        "MLFLOW_SERVER_CORS_ALLOWED_ORIGINS": f"{mlflow_url(ports)},http://localhost:{ports.mlflow}",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        # A task that cannot reach MLflow says so within a minute and leaves trying again to Airflow
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "3",
        "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
        "DO_NOT_TRACK": "true",
        "GIT_PYTHON_REFRESH": "quiet",
        "GX_ANALYTICS_ENABLED": "false",
    }


def _quiet_threads() -> dict[str, str]:
    """One thread per task: spinning OpenMP threads on a loaded machine cost 70x (scikit-learn#30662)."""
    one = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
    return {**dict.fromkeys(one, "1"), "OMP_WAIT_POLICY": "PASSIVE"}
