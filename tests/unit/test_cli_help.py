"""Every command explains itself without importing anything heavy, and wrong usage is exit code 2."""

from __future__ import annotations

import json
import pkgutil
import re
import shlex
import subprocess
import sys

import pytest
import typer
from typer.testing import CliRunner

from continual.cli.main import app
from continual.cli.twins import TWINS, WITHOUT

API = "continual.api.application.Application"
HEAVY = ("pandas", "sklearn", "scipy", "mlflow", "great_expectations", "pyiceberg", "sqlalchemy", "pyarrow", "airflow",
         "numpy", "numba", "fsspec")  # fmt: skip


def _commands(group, path=()):
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _commands(command, (*path, name))
        else:
            yield (*path, name), command


COMMANDS = dict(_commands(typer.main.get_command(app)))


def run(*arguments, **environment):
    return CliRunner().invoke(app, arguments, env={"COLUMNS": "200", **environment})


def test_the_commands_are_all_there():
    assert {" ".join(path) for path in COMMANDS} == {
        "init", "deliver", "check", "up", "down", "status", "explain", "ingest", "retrain", "rollback", "schema",
        "completion", "notify", "db upgrade", "db check",
        "ledger show", "ledger verify", "ledger replay",
        "quarantine list", "quarantine show", "quarantine replay", "quarantine discard", "quarantine release",
        "metrics", "compare", "labels", "drift", "slices list", "slices discover", "score", "cells build",
        "data erase", "data expire", "data list", "data withdraw", "data restore", "data withdrawals", "exporter",
        "dataset list", "dataset show", "dataset diff", "dataset export", "dataset rollback",
        "expectations suggest", "replay", "policy preview", "policy tune", "pnl", "backup", "restore", "serve",
        "labelling status", "labelling ask", "labelling queue", "labelling export", "labelling import",
        "labelling answer",
        "labelling collect", "labelling agreement", "labelling review", "labelling annotators add",
        "labelling annotators list", "labelling annotators remove", "labelling serve",
    }  # fmt: skip


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_help_says_what_it_does_with_an_example_of_itself(path):
    answer = run(*path, "--help")
    assert answer.exit_code == 0
    assert f"continual {' '.join(path)}" in answer.output.split("Examples", 1)[1]
    assert COMMANDS[path].help


#: A JSON document already; a server, which answers to scrapes in the format of those who scrape.
NO_JSON = {("schema",), ("completion",), ("exporter",), ("labelling", "serve"), ("serve",)}


@pytest.mark.parametrize("path", [p for p in COMMANDS if p not in NO_JSON], ids=" ".join)
def test_whatever_prints_data_prints_json_too(path):
    assert "--json" in {flag for option in COMMANDS[path].params for flag in option.opts}


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_an_unknown_option_is_wrong_usage(path):
    answer = run(*path, "--frobnicate")
    assert answer.exit_code == 2
    assert "frobnicate" in answer.stderr


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["frobnicate"], "frobnicate"),
        (["retrain", "flights"], "--reason"),
        (["rollback", "flights"], "--reason"),
        (["quarantine", "discard", "abc"], "--reason"),
        (["quarantine", "show"], "ITEM"),
        (["quarantine", "replay", "abc", "--rename", "temperature"], "FROM=TO"),
        (["quarantine", "replay", "abc", "--rename", "a=b", "--rename", "a=c"], "FROM=TO"),
        (["quarantine", "replay", "abc", "--as-of", "yesterday"], "yesterday"),
        (["ledger", "show", "--since", "2013-02-30"], "2013-02-30"),
        (["ledger", "show", "--limit", "0"], "limit"),
        (["completion", "tcsh"], "bash"),
        (["metrics", "--plot", "auc.docx"], ".png, .svg, .pdf"),
        (["compare", "3"], "CHAMPION"),
        (["data", "erase", "--key", "a"], "--reason"),
        (["data", "erase", "--reason", "x"], "--key KEY or --keys FILE"),
        (["data", "expire", "--reason", "x"], "--older-than"),
        (["exporter", "--port", "70000"], "port"),
    ],
)
def test_wrong_usage_names_what_is_wrong(arguments, named):
    answer = run(*arguments)
    assert answer.exit_code == 2
    assert named in answer.stderr
    assert "Traceback" not in answer.output


def test_every_command_has_a_python_twin():
    assert {" ".join(path) for path in COMMANDS} == TWINS.keys() | WITHOUT
    for call in TWINS.values():
        assert pkgutil.resolve_name(f"{API}.{call.partition('.')[2]}" if call.startswith("Application.") else call)


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_examples_have_the_arguments_that_the_command_takes(path):
    command = COMMANDS[path]
    lines = re.findall(r"`continual ([^`]*)`", command.epilog or "")
    own = [
        words
        for words in (shlex.split(line.partition(" > ")[0]) for line in lines)
        if tuple(words[: len(path)]) == path
    ]
    assert own
    for words in own:
        context = typer.Context(command)
        _, left, _ = command.make_parser(context).parse_args(words[len(path) :])
        assert left == [], f"too many arguments: {' '.join(words)}"


ABOUT_ONE = [p for p, c in COMMANDS.items() if any(one.name in {"app", "apps"} for one in c.params)]


@pytest.mark.parametrize("path", ABOUT_ONE, ids=" ".join)
def test_the_application_is_an_option_everywhere_and_an_argument_where_it_is_the_only_one(path):
    arguments = [one.name for one in COMMANDS[path].params if one.param_type_name == "argument"]
    assert "--app" in {flag for one in COMMANDS[path].params for flag in one.opts}
    assert arguments[:1] in (["app"], ["apps"]) if not {*arguments} - {"app", "apps"} else True


@pytest.mark.parametrize("given", [["--app", "loans"], ["--app=loans"], ["loans"]])
@pytest.mark.parametrize("path", [("metrics",), ("ingest",), ("slices", "list"), ("labelling", "queue"), ("check",)])
def test_the_application_can_be_named_both_ways(path, given):
    command = COMMANDS[path]
    context = command.make_context("continual", [*given, "--json"])
    assert context.params.get("app", context.params.get("apps")) in ("loans", ["loans"], ("loans",))


def test_help_imports_nothing_heavy():
    code = (
        "import sys, json\n"
        "from continual.cli.main import app\n"
        "try: app(['quarantine', 'replay', '--help'], prog_name='continual')\n"
        "except SystemExit: print(json.dumps(sorted(m for m in sys.modules if '.' not in m)))"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(json.loads(answer.stdout.splitlines()[-1])).isdisjoint(HEAVY)


def test_it_runs_as_a_module_too():
    command = [sys.executable, "-m", "continual.cli", "--help"]
    assert "Usage: continual" in subprocess.run(command, capture_output=True, text=True, check=True).stdout
