"""The house rules that make the code easy to read: small files, layers, nothing heavy where DAGs are parsed."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path
from statistics import median

SRC = Path(__file__).parents[2] / "src" / "continual"
FILES = sorted(SRC.rglob("*.py"))
MAX_FILE, MAX_FUNCTION = 300, 40
FUNCTION = (ast.FunctionDef, ast.AsyncFunctionDef)


def _tree(path):
    return ast.parse(path.read_text(encoding="utf-8"))


def _name(path):
    return str(path.relative_to(SRC))


def _functions(tree):
    return [node for node in ast.walk(tree) if isinstance(node, FUNCTION)]


def _lines(function):
    return function.end_lineno - function.lineno + 1


def test_the_source_is_found():
    assert len(FILES) > 100
    assert sum(len(_functions(_tree(f))) for f in FILES) > 500


def test_files_have_at_most_300_lines():
    long = {_name(f): n for f in FILES if (n := len(f.read_text(encoding="utf-8").splitlines())) > MAX_FILE}
    assert long == {}


def test_functions_have_at_most_40_lines_and_most_under_10():
    sizes = {f"{_name(f)}:{g.name}": _lines(g) for f in FILES for g in _functions(_tree(f))}
    assert {name: n for name, n in sizes.items() if n > MAX_FUNCTION} == {}
    assert median(sizes.values()) < 10


def _is_public(name):
    return not name.startswith("_")


def _public(tree):
    """Public functions and classes at module level."""
    for node in tree.body:
        if isinstance(node, (ast.ClassDef, *FUNCTION)) and _is_public(node.name):
            yield node


def test_every_module_and_every_public_class_says_what_it_is():
    silent = []
    for path in FILES:
        tree = _tree(path)
        if tree.body and not ast.get_docstring(tree):
            silent.append(_name(path))
        silent += [
            f"{_name(path)}:{n.name}" for n in _public(tree) if isinstance(n, ast.ClassDef) and not ast.get_docstring(n)
        ]
    assert silent == []


#: Packages whose functions everybody else calls.
EXPLAINED = (
    "core",
    "estimators",
    "policy",
    "samplers",
    "triggers",
    "gates",
    "monitors",
    "metrics",
    "labelers",
    "sources",
    "api",
    "cells",
    "distances",
    "exporter",
    "plots",
    "sdk",
)


def test_every_public_function_of_the_pure_layers_has_a_docstring():
    silent = [
        f"{_name(path)}:{node.name}"
        for path in FILES
        if path.relative_to(SRC).parts[0] in EXPLAINED and _is_public(path.stem)
        for node in _public(_tree(path))
        if not ast.get_docstring(node)
    ]
    assert silent == []


def _texts(tree):
    return [n.value for n in ast.walk(tree) if isinstance(n, ast.Constant) and isinstance(n.value, str)]


def test_no_module_names_a_registry_host_or_a_path_of_somebodys_machine():
    place = re.compile(
        r"/home/\w|/work/|/Users/|/root\b|/tmp/|C:\\|pypi\.org|pythonhosted|anaconda\.org|registry\.npmjs|ghcr\.io|"
        r"proxy\.golang|artifactory|\bnexus\b",
        re.IGNORECASE,
    )
    named = {
        f"{_name(path)}: {found[0]}"
        for path in FILES
        for line in path.read_text(encoding="utf-8").splitlines()
        if (found := place.search(line))
    }
    assert named == set()


def test_s57_nothing_binds_to_every_interface_and_no_pickle_is_loaded():
    offending = []
    for path in FILES:
        tree = _tree(path)
        offending += [f"{_name(path)}: 0.0.0.0" for text in _texts(tree) if "0.0.0.0" in text]
        for node in ast.walk(tree):
            names = {a.name for a in node.names} if isinstance(node, ast.Import) else set()
            names |= {node.module} if isinstance(node, ast.ImportFrom) else set()
            offending += [f"{_name(path)}: {n}" for n in names & {"pickle", "cloudpickle", "dill", "joblib", "marshal"}]
    assert offending == []


#: Packages that take `as_of` as an argument; audit stamps in stores may read the clock.
NO_CLOCK = (
    "core",
    "estimators",
    "policy",
    "samplers",
    "triggers",
    "gates",
    "monitors",
    "metrics",
    "flows",
    "labelers",
    "sources",
    "api",
    "cells",
    "distances",
    "plots",
)
CLOCKS = {"now", "utcnow", "today", "time", "monotonic"}


def test_decisions_do_not_read_the_wall_clock():
    def reads(node):
        called = node.func
        return isinstance(called, ast.Attribute) and called.attr in CLOCKS and isinstance(called.value, ast.Name)

    found = [
        f"{_name(path)}:{node.lineno}"
        for path in FILES
        if path.relative_to(SRC).parts[0] in NO_CLOCK
        for node in ast.walk(_tree(path))
        if isinstance(node, ast.Call) and reads(node) and node.func.value.id in {"datetime", "date", "time"}
    ]
    assert found == []


def test_no_eval_exec_or_shell():
    found = []
    for path in FILES:
        for node in ast.walk(_tree(path)):
            if not isinstance(node, ast.Call):
                continue
            if isinstance(node.func, ast.Name) and node.func.id in {"eval", "exec", "__import__"}:
                found.append(f"{_name(path)}:{node.lineno} {node.func.id}")
            if any(k.arg == "shell" and getattr(k.value, "value", None) is True for k in node.keywords):
                found.append(f"{_name(path)}:{node.lineno} shell=True")
    assert found == []


def test_dag_and_plugin_files_hold_registration_and_no_logic(repository):
    files = [f for folder in ("dags", "plugins") for f in (repository / folder).glob("*.py")]
    assert files
    for path in files:
        allowed = (ast.Import, ast.ImportFrom, ast.Expr, ast.Assign, ast.If)
        assert all(isinstance(node, allowed) for node in _tree(path).body), path.name
        assert len(path.read_text().splitlines()) <= 20, path.name


def test_layers_are_imported_downwards_only(repository):
    command = [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"]
    done = subprocess.run(command, cwd=repository, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    assert "2 kept, 0 broken" in done.stdout
