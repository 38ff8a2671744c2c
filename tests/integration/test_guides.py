"""Every command line of the guides runs as it stands, on the small lender's home; those that cannot are named here."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from cli_world import cli
from flow_loans import applications, day
from flow_world import Stages, World

from continual.api import Application
from continual.flows.log_rows import log_table
from webhook import Webhook

pytestmark = pytest.mark.integration
DOCS = Path(__file__).parents[2] / "docs"
GUIDES = sorted(
    f"{path.parent.name}/{path.name}"
    for folder in ("how-to", "explanation", "operations")
    for path in (DOCS / folder).glob("*.md")
    if "```console" in path.read_text(encoding="utf-8")
)
PNG = b"\x89PNG"
#: Beginning of a line that does not run here -> why, and what sees it work.
ELSEWHERE = {
    "continual retrain loans": "needs Airflow: tests/e2e/test_tutorial.py",
    "continual policy tune": "minutes of training: tests/integration/test_policy_preview.py",
    "continual replay configs/power.yaml": "a table of another application: tests/integration/test_replay_lab.py",
    "continual exporter": "a server: tests/integration/test_cli_store.py",
    "continual serve": "a server: tests/integration/test_serving.py",
    "curl": "asks that server: tests/integration/test_serving.py",
    "continual backup /backups": "a folder of another machine: tests/integration/test_backup.py",
    "continual restore /backups": "a folder of another machine: tests/integration/test_backup.py",
    "export ONCALL_URLS": "addresses of services; here the test's own webhook",
    "export LABEL_STUDIO_TOKEN": "a secret: tests/integration/test_label_studio.py",
    "pg_dump": "PostgreSQL of a production: nothing sees these four lines work",
    "sh docker/": "a Docker engine: tests/production runs the topology natively",
    "SERVING_APP=": "a Docker engine: tests/production/test_topology_serving.py runs it natively",
    "docker ": "a Docker engine: tests/production runs the topology natively",
    "kubectl": "a Kubernetes cluster: nothing sees these lines work",
    "helm": "a Kubernetes cluster: nothing sees this line work",
    "make ": "the checkout's own: .ci/run, tests/integration/test_security_tools.py",
}


def _lines(guide: str) -> list[str]:
    text = (DOCS / guide).read_text(encoding="utf-8")
    found = "".join(re.findall(r"```console\n(.*?)```", text, re.S)).replace("\\\n", " ")
    return found.splitlines()


def _runs(line: str) -> bool:
    return not line.startswith(tuple(ELSEWHERE))


def _asks_people(world: World, patch: pytest.MonkeyPatch) -> None:
    """Two days whose truth nobody reported, asked about the day after."""
    world.edit("labeler: {kind: stream}", "labeler: {kind: csv}\nlabelling: {budget: 400, reserve: 0, window: 8d}")
    ws = world.ws()
    rows = [log_table(ws.policy, "predictions", world.served(n), f"p{n}", day(n + 1)) for n in (24, 25)]
    ws.log.append_predictions(pa.concat_tables(rows), "p24-26")
    patch.setattr("continual.cli.labelling.now", lambda: day(26))


def _files(_: World, __: pytest.MonkeyPatch) -> None:
    Path("edited.yaml").write_text("gate: {kind: graded, yearly_alpha: 0.025}\n")
    Path("weekly.yaml").write_text("trigger: {kind: schedule, every_days: 7}\n")
    Path("half.yaml").write_text("window: {kind: sliding, length: 4d, evaluation: 4d, min_rows: 500, max_hole: 2d}\n")


def _told(world: World, _: pytest.MonkeyPatch) -> None:
    world.config.write_text(world.config.read_text() + "notify: {to_env: ONCALL_URLS}\n")


def _to_score(world: World, _: pytest.MonkeyPatch) -> None:
    world.config.write_text(world.config.read_text() + "scoring: {source: to-score, target: scored}\n")
    (world.home / "to-score").mkdir()
    columns = ["record_key", "event_time", "income", "bureau", "sector", "region"]
    applications(24)[columns].head(50).to_parquet(world.home / "to-score" / "new.parquet", index=False)


#: Guide -> what must be there before its commands.
BEFORE: dict[str, Callable[[World, pytest.MonkeyPatch], None]] = {
    "how-to/label.md": _asks_people,
    "how-to/tune.md": _files,
    "how-to/replay.md": _files,
    "how-to/notifications.md": _told,
    "how-to/score-in-batches.md": _to_score,
}


def _named(world: World, line: str) -> str:
    """The guide's line with names that only this home knows."""
    known = Application.of(world.ws())
    names = {"<app>": lambda: "loans"}
    if "4f1c9a2b" in line or "9ab02e11" in line:
        first, last = known.datasets()["id"].astype(str).tolist()[:2]
        names |= {"4f1c9a2b": lambda: last, "9ab02e11": lambda: first}
    names["3f9ac1"] = lambda: str(known.withdrawals()["id"].iloc[0])
    names["020-0001"] = lambda: str(known.labelling.queue()["key"].iloc[0])
    for name, find in names.items():
        line = line.replace(name, find()) if name in line else line
    return line


@pytest.mark.parametrize("guide", [guide for guide in GUIDES if any(map(_runs, _lines(guide)))])
def test_the_commands_of_a_guide_do_what_they_say(
    stages: Stages, guide: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, webhook = stages("judged"), Webhook()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ONCALL_URLS", webhook.url)
    BEFORE.get(guide, lambda *_: None)(world, monkeypatch)
    for line in filter(_runs, _lines(guide)):
        program, *arguments = shlex.split(_named(world, line), comments=True)
        assert program == "continual", line
        arguments, _, file = (list(x) for x in _redirected(arguments))
        said = cli(world, *arguments).stdout
        assert said, line
        if file:
            Path(file[0]).write_text(said)
        if "--plot" in arguments:
            assert Path(arguments[arguments.index("--plot") + 1]).read_bytes().startswith(PNG)
    webhook.stop()
    assert webhook.subjects == (["loans: a test"] if guide == "how-to/notifications.md" else [])


def _redirected(arguments: list[str]) -> tuple[list[str], list[str], list[str]]:
    at = arguments.index(">") if ">" in arguments else len(arguments)
    return arguments[:at], arguments[at : at + 1], arguments[at + 1 :]


def test_every_line_of_the_list_stands_in_a_guide() -> None:
    lines = [line for guide in GUIDES for line in _lines(guide)]
    assert [start for start in ELSEWHERE if not any(line.startswith(start) for line in lines)] == []
    assert sum(map(_runs, lines)) > len(lines) / 2
