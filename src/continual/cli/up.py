"""`continual up`: Airflow and MLflow on this machine, for the policies in the configs folder."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from continual.cli import background
from continual.cli.deployment import Deployment, deployment
from continual.cli.options import HOME, ConfigsOption, HomeOption, JsonOption, examples
from continual.cli.output import print_fields, print_json, say
from continual.errors import ContinualError, PolicyError

if TYPE_CHECKING:
    from continual.local.stack import LocalStack

#: Of a source checkout; an installed package is told with --dags.
REPOSITORY = Path(__file__).parents[3]
Dags = Annotated[
    Path | None,
    typer.Option(
        "--dags", help="Folder with the DAG files; default: ./dags, else this checkout's.", show_default=False
    ),
]
Workers = Annotated[int, typer.Option("--workers", min=1, help="Tasks that run at once.")]


def register(app: typer.Typer) -> None:
    app.command(epilog=examples("continual up", "continual up --detach", "continual up --configs my-policies"))(up)
    app.command(epilog=examples("continual down"))(background.down)


def up(
    home: HomeOption = HOME,
    configs: ConfigsOption = None,
    dags: Dags = None,
    workers: Workers = 2,
    detach: Annotated[
        bool, typer.Option("--detach", "-d", help="Return when it runs; `continual down` ends it.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Start Airflow and MLflow on loopback and serve until Ctrl-C, or in the background.

    Everything is kept in the home: databases, models, the prediction log, generated secrets. For one machine; not for
    production.
    """
    here = deployment(home, configs)
    if detach:
        facts = background.start(here, _dags(dags), workers)
        return print_json(facts) if as_json else print_fields("running", [*facts.items(), ("stop", "continual down")])
    _prepare(here)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # what stops services stops this as Ctrl-C does
    try:
        with _stack(here, _dags(dags), workers) as stack:
            _tell(here, stack, as_json)
            while True:
                time.sleep(1)
                stack.check()
    except KeyboardInterrupt:
        say("stopped", stderr=True)


def _prepare(here: Deployment) -> None:
    """Landing folders of every application; a broken policy file stops only its own application."""
    from continual.flows.landing import make_landing

    for application in here.applications():
        try:
            found = here.shelf.in_force(application)
        except PolicyError as error:
            say(f"{application} has no DAGs until its policy is valid: {error}", "red", stderr=True)
            continue
        if found.problem:
            say(f"{application} runs under its last good policy: {found.problem}", "red", stderr=True)
        make_landing(found.loaded.policy, here.settings.home)


def _dags(given: Path | None) -> Path:
    for folder in [given] if given else [Path("dags"), REPOSITORY / "dags"]:
        if (folder / "applications.py").is_file():
            return folder
    raise ContinualError(
        "There must be a folder with the product's DAG files.",
        f"no applications.py in {given or 'dags'}.",
        "name the folder `dags` of the source tree with --dags.",
    )


def _stack(here: Deployment, dags: Path, workers: int) -> LocalStack:
    from continual.local.home import Home
    from continual.local.stack import LocalStack

    plugins = dags.resolve().parent / "plugins"
    return LocalStack(
        Home(here.settings.home),
        dags,
        plugins if plugins.is_dir() else None,
        here.settings.configs,
        progress=lambda text: say(text, stderr=True),
        parallelism=workers,
    )


def _tell(here: Deployment, stack: LocalStack, as_json: bool) -> None:
    from continual.local.environment import ADMIN

    password = stack.home.secrets().admin_password
    facts: dict[str, Any] = {"airflow": stack.airflow_url, "user": ADMIN, "password": password}
    facts |= {"mlflow": stack.mlflow_uri, "home": str(stack.home.root), "configs": str(here.settings.configs)}
    if as_json:
        print_json(facts)
    else:
        print_fields("running", [*facts.items(), ("stop", "Ctrl-C")])
