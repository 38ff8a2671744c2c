"""What Docker would be given is valid, pinned, without default secrets, and closed by default."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from compose_file import DOCKER, REPOSITORY, compose, image_environment, order

pytestmark = pytest.mark.integration
FILE = compose()
SERVICES = FILE["services"]
OURS = {name: s for name, s in SERVICES.items() if s["image"].startswith("continual:")}


def test_compose_follows_the_specification():
    from compose_spec.models import ComposeSpecification  # type: ignore[import-untyped]

    assert set(ComposeSpecification.model_validate(FILE).services) == set(SERVICES)


def test_the_dockerfile_has_no_warning():
    linter = Path(sys.executable).with_name("hadolint")
    found = subprocess.run([linter, DOCKER / "Dockerfile"], capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout + found.stderr


@pytest.mark.parametrize("name", SERVICES)
def test_images_are_of_one_version_and_restart(name):
    service = SERVICES[name]
    assert re.search(r":\d+\.\d+(\.\d+)?", service["image"]), service["image"]
    assert service["restart"] == ("no" if name == "init" else "unless-stopped")


@pytest.mark.parametrize("name", [n for n in SERVICES if n != "init"])
def test_every_service_says_whether_it_is_healthy(name):
    assert SERVICES[name]["healthcheck"]["test"]


@pytest.mark.parametrize("name", OURS)
def test_our_containers_cannot_write_what_they_run_nor_gain_rights(name):
    service = OURS[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]


def test_the_image_runs_as_nobody_in_particular():
    last = (DOCKER / "Dockerfile").read_text().rpartition("\nFROM ")[2]
    assert re.findall(r"^USER (.*)$", last, re.MULTILINE) == ["10001:0"]
    assert image_environment()["CONTINUAL_HOME"] == "/var/lib/continual/home"


@pytest.mark.parametrize("name", SERVICES)
def test_s57_published_ports_are_on_loopback_only(name):
    assert all(port.startswith("127.0.0.1:") for port in SERVICES[name].get("ports", []))


def test_s57_no_secret_has_a_value_in_the_file():
    """Passwords come from files that secrets.sh makes; the file itself holds none, nor a variable with one."""
    text = (DOCKER / "compose.yaml").read_text()
    assert not re.search(r"(?i)(password|secret|_key)\w*\s*[:=]\s*\$\{\w+:-[^}.]", text)
    for name, service in SERVICES.items():
        for key, value in (service.get("environment") or {}).items():
            if re.search(r"(?i)password|secret|_key$", key):
                assert str(value).startswith("/run/secrets/"), f"{name}: {key}"
        for used in service.get("secrets", []):
            assert used in FILE["secrets"]


def test_every_service_is_given_the_secrets_it_needs():
    needs = {
        "airflow": {
            "postgres_airflow",
            "redis_password",
            "airflow_fernet_key",
            "airflow_jwt_secret",
            "airflow_api_secret",
        },
        "store": {"postgres_continual", "s3_access_key", "s3_secret_key"},
        "mlflow": {"postgres_mlflow", "s3_access_key", "s3_secret_key"},
        "serving": {"serving_api_key"},
    }
    for name, service in OURS.items():
        wanted = set().union(*(needs[word] for word in service["environment"]["NEEDS"].split()))
        assert wanted <= set(service["secrets"]), name


def test_serving_starts_when_it_is_asked_for_and_has_the_key_that_the_workers_ask_with():
    serving = SERVICES["serving"]
    assert serving["profiles"] == ["serving"]
    assert [name for name, service in SERVICES.items() if "profiles" in service] == ["serving"]
    assert serving["command"][:3] == ["continual", "serve", "flights"]
    assert compose(SERVING_APP="loans")["services"]["serving"]["command"][2] == "loans"
    assert "serving_api_key" in SERVICES["airflow-worker"]["secrets"]
    assert {"airflow_fernet_key", "postgres_airflow", "redis_password"}.isdisjoint(serving["secrets"])
    assert serving["volumes"] == SERVICES["airflow-worker"]["volumes"]  # what it writes is what ingest reads


def test_what_the_services_run_is_in_the_image():
    """Every file of docker/ that a command or a health check names is copied there."""
    copied = re.search(r"^COPY (docker/.*) /opt/continual/$", (DOCKER / "Dockerfile").read_text(), re.MULTILINE)
    assert copied
    named = set(re.findall(r"/opt/continual/(\w+\.\w+)", (DOCKER / "compose.yaml").read_text()))
    assert {"init.sh", "health.py"} <= named
    assert named <= {Path(file).name for file in copied.group(1).split()}


def test_dependencies_have_an_order():
    found = order(SERVICES)
    assert found.index("postgres") < found.index("init") < found.index("mlflow") < found.index("airflow-worker")


def test_secrets_are_made_once_and_differ(tmp_path):
    script = DOCKER / "secrets.sh"
    first = subprocess.run(["sh", script, tmp_path / "s"], capture_output=True, text=True, check=True)
    made = {file.name: file.read_text() for file in (tmp_path / "s").iterdir()}
    assert set(FILE["secrets"]) == set(made)
    assert len(first.stdout.splitlines()) == len(made)
    assert all(len(text) >= 20 for text in made.values())
    assert len(set(made.values())) == len(made)
    again = subprocess.run(["sh", script, tmp_path / "s"], capture_output=True, text=True, check=True)
    assert again.stdout == ""
    assert {file.name: file.read_text() for file in (tmp_path / "s").iterdir()} == made


@pytest.mark.parametrize(
    ("needs", "named"),
    [
        ("airflow", "postgres_airflow"),
        ("store", "postgres_continual"),
        ("mlflow", "postgres_mlflow"),
        ("serving", "serving_api_key"),
    ],
)
def test_nothing_starts_without_its_secrets(tmp_path, needs, named):
    env = {"PATH": "/usr/bin:/bin", "SECRETS": str(tmp_path), "NEEDS": needs}
    found = subprocess.run(
        ["sh", DOCKER / "entrypoint.sh", "true"], env=env, capture_output=True, text=True, check=False
    )
    assert found.returncode == 64
    assert named in found.stderr
    assert "secrets.sh" in found.stderr


def test_an_empty_secret_is_an_error(tmp_path):
    (tmp_path / "postgres_mlflow").write_text("")
    env = {"PATH": "/usr/bin:/bin", "SECRETS": str(tmp_path), "NEEDS": "mlflow"}
    found = subprocess.run(
        ["sh", DOCKER / "entrypoint.sh", "true"], env=env, capture_output=True, text=True, check=False
    )
    assert (found.returncode, "must not be empty" in found.stderr) == (64, True)


def test_helm_values_and_manifests_are_yaml():
    files = sorted((DOCKER / "kubernetes").glob("*.yaml"))
    assert files
    for file in files:
        assert list(yaml.safe_load_all(file.read_text())), file


def test_kubernetes_serves_as_compose_does():
    """Same arguments, same secrets asked for, nothing that can gain rights, probes on paths that are there."""
    deployment, service = yaml.safe_load_all((DOCKER / "kubernetes" / "serving.yaml").read_text())
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert container["args"] == SERVICES["serving"]["command"]
    given = {item["name"]: item["value"] for item in container["env"]}
    assert given["NEEDS"] == SERVICES["serving"]["environment"]["NEEDS"]
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert container["readinessProbe"]["httpGet"]["path"] in " ".join(SERVICES["serving"]["healthcheck"]["test"])
    assert service["spec"]["selector"] == deployment["spec"]["selector"]["matchLabels"]


def test_the_build_context_holds_what_the_image_copies():
    allowed = (REPOSITORY / ".dockerignore").read_text()
    for source in re.findall(r"^COPY (?!--from)(.*) \S+$", (DOCKER / "Dockerfile").read_text(), re.MULTILINE):
        for part in source.split():
            assert (REPOSITORY / part).exists(), part
            assert any(f"!{line}" in allowed for line in (part, str(Path(part).parent / ("*" + Path(part).suffix)))), (
                part
            )
