"""`continual ingest`, `retrain` and `rollback`: start a DAG run in the local Airflow of this home."""

from __future__ import annotations

import json
import shlex
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from continual.cli.deployment import Deployment, deployment, stack_runs
from continual.cli.options import HOME, AsOf, ConfigsOption, HomeOption, JsonOption, Reason, examples, now
from continual.cli.output import print_json, say
from continual.cli.watch import Wait
from continual.core.window import Window
from continual.errors import ContinualError

if TYPE_CHECKING:
    from continual.local.airflow_api import AirflowClient

App = Annotated[str, typer.Argument(metavar="APP", help="Application.", show_default=False)]


def register(app: typer.Typer) -> None:
    app.command(epilog=examples("continual ingest bikes --wait", "continual ingest bikes --as-of 2012-07-01"))(ingest)
    app.command(
        epilog=examples(
            "continual retrain flights --reason 'new feature code'", "continual retrain flights --reason monthly --wait"
        )
    )(retrain)
    app.command(
        epilog=examples(
            "continual rollback flights --reason 'complaints about new aircraft'",
            "continual rollback flights --to 2 --reason 'version 3 was no better'",
        )
    )(rollback)


def ingest(
    app: App,
    as_of: AsOf = None,
    wait: Wait = False,
    home: HomeOption = HOME,
    configs: ConfigsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take in now what was delivered, and let everything follow: measure, watch, retrain if it is due.

    --as-of plays history: days before it are taken in, and nothing later is known.
    """
    until = as_of or now()
    _start(deployment(home, configs), app, "ingest", {}, as_json, wait, Window(until - timedelta(days=1), until))


def retrain(
    app: App,
    reason: Reason,
    as_of: AsOf = None,
    wait: Wait = False,
    home: HomeOption = HOME,
    configs: ConfigsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Start a retrain now: curate, train, judge, and promote if the gate says so."""
    conf = {"reason": reason} | ({"as_of": as_of.isoformat()} if as_of else {})
    _start(deployment(home, configs), app, "retrain", conf, as_json, wait)


def rollback(
    app: App,
    reason: Reason,
    to: Annotated[str | None, typer.Option("--to", help="Version; default: the last known good one.")] = None,
    as_of: AsOf = None,
    wait: Wait = False,
    home: HomeOption = HOME,
    configs: ConfigsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Leave the champion: back to the last known good version. The version that is left is quarantined."""
    conf = {"reason": reason} | ({"to": to} if to else {}) | ({"as_of": as_of.isoformat()} if as_of else {})
    _start(deployment(home, configs), app, "rollback", conf, as_json, wait)


def _start(
    here: Deployment,
    app: str,
    name: str,
    conf: dict[str, Any],
    as_json: bool,
    wait: bool,
    window: Window | None = None,
) -> None:
    from continual.cli.watch import follow, show

    application = here.application(app)
    dag = f"{application}.{name}"
    client = _local_airflow(here, dag, conf)
    run = _trigger(here, client, dag, conf, window)
    url = f"{here.settings.airflow_url}/dags/{dag}/runs/{run}"
    if not as_json:
        say(f"started {dag}; watch it at {url}", "green")
    found = follow(client, application, dag, run) if wait else None
    if as_json:
        print_json({"dag": dag, "run": run, "url": url, "conf": conf} | ({"runs": found} if wait else {}))
    elif found is not None:
        show(found)
    if found and any(r["state"] != "success" for r in found):
        raise typer.Exit(1)


def _trigger(here: Deployment, client: AirflowClient, dag: str, conf: dict[str, Any], window: Window | None) -> str:
    from continual.local.airflow_http import AirflowError

    try:
        date = window.end if window else None
        return client.trigger(dag, window, conf=conf, logical_date=date, note=conf.get("reason"))
    except AirflowError as error:
        if error.status in (0, 401, 403):
            raise _elsewhere(here, dag, conf) from error
        raise


def _local_airflow(here: Deployment, dag: str, conf: dict[str, Any]) -> AirflowClient:
    from continual.local.airflow_api import AirflowClient
    from continual.local.environment import ADMIN
    from continual.local.home import Home

    if not stack_runs(here.settings.home):
        raise _elsewhere(here, dag, conf)
    password = Home(here.settings.home).secrets().admin_password
    return AirflowClient(here.settings.airflow_url, ADMIN, password, patience=0.0)


def _elsewhere(here: Deployment, dag: str, conf: dict[str, Any]) -> ContinualError:
    return ContinualError(
        "A local stack of this home must run.",
        f"none runs on {here.settings.home}.",
        "start it with `continual up` | "
        f"or where your Airflow runs: airflow dags trigger {dag} --conf {shlex.quote(json.dumps(conf))} | "
        f"or use the trigger form of {dag} in its UI",
    )
