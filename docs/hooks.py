"""Reference pages of the documentation site, made from the policy's JSON Schema and the commands at every build."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """mkdocs calls this before it reads pages."""
    pages = {
        "reference/policy.md": policy_page(),
        "reference/commands.md": commands_page(),
        "reference/python.md": python_page(),
        "tutorial/minicontinual.md": reading_copy(),
    }
    for path, text in pages.items():
        files.append(File.generated(config, path, content=text))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """A link to a file of the source tree that is no page becomes its name."""
    return re.sub(r"\[([^\]]+)\]\((?:\.\./)+(?!adr|explanation|how-to|operations|reference|results|tutorial|images)"
                  r"([^)]+)\)", r"\1 (`\2`)", markdown)  # fmt: skip


def reading_copy() -> str:
    """minicontinual as a page; what it prints is what its test expects."""
    code = (Path(__file__).parent / "tutorial" / "minicontinual.py").read_text(encoding="utf-8")
    return (
        "# minicontinual\nThe whole control loop in one file, to be read in half an hour. It plays a year of bicycle "
        "rentals: a first champion, promotions, a candidate whose feature code reads weekends in another time zone "
        "(blocked, the slice named), and one that breaks after it went live (rolled back).\n\n"
        "```console\npython docs/tutorial/minicontinual.py\n```\n\n```python\n" + code + "```\n"
    )


def policy_page() -> str:
    """Every field of a policy, then every strategy by family."""
    from continual.policy.schema import policy_schema

    schema = json.loads(policy_schema())
    lines = ["# Policy file", "", schema["description"], "", *_fields(schema), "", "## Parts and strategies", ""]
    for name, part in sorted(schema["$defs"].items()):
        if "properties" in part:
            kind = part["properties"].get("kind", {}).get("const")
            lines += [f"### {name}" + (f" (`kind: {kind}`)" if kind else ""), "", part.get("description", ""), ""]
            lines += [*_fields(part), ""]
    return "\n".join(lines)


def _fields(part: dict[str, Any]) -> Iterator[str]:
    yield "| field | type | default | what it says |"
    yield "|---|---|---|---|"
    needed = set(part.get("required", []))
    for name, field in part["properties"].items():
        default = (
            "**needed**" if name in needed else f"`{json.dumps(field.get('default'))}`" if "default" in field else ""
        )
        if len(default) > 60:
            default = "see the schema"
        yield f"| `{name}` | {_cell(_type(field))} | {_cell(default)} | {_cell(field.get('description', ''))} |"


def _type(field: dict[str, Any]) -> str:
    if "$ref" in field:
        return str(field["$ref"].rpartition("/")[2])
    if "enum" in field or "const" in field:
        return ", ".join(f"`{v}`" for v in field.get("enum", [field.get("const")]))
    for several in ("anyOf", "oneOf"):
        if several in field:
            kinds = [_type(f) for f in field[several] if f.get("type") != "null"]
            return ", ".join(kinds[:4]) + (" ..." if len(kinds) > 4 else "")
    if field.get("type") == "array":
        return f"list of {_type(field.get('items', {}))}"
    return str(field.get("type", "any"))


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")


def commands_page() -> str:
    """Every command with its arguments and options."""
    import typer

    from continual.cli.main import app

    lines = [
        "# Commands",
        "",
        "Every command has `--help`; exit codes: 0 done, 1 a problem (on stderr), 2 wrong usage.",
        "",
    ]
    for path, command in sorted(_commands(typer.main.get_command(app), ("continual",))):
        lines += [f"## {' '.join(path)}", "", (command.help or "").strip(), "", "| | |", "|---|---|"]
        for parameter in command.params:
            names = ", ".join(f"`{o}`" for o in parameter.opts)
            lines.append(f"| {names} | {_cell(getattr(parameter, 'help', None) or '')} |")
        lines += ["", (command.epilog or "").strip(), ""]
    return "\n".join(lines)


def python_page() -> str:
    """What each command is in Python, then the methods of `Application` with their docstrings."""
    import inspect

    from continual.api import Application
    from continual.cli.twins import TWINS

    lines = ["# Python", "", "```python", "from continual.api import Application", "", 'Application("loans").status()']
    lines += ["```", "", "| command | in Python |", "|---|---|"]
    lines += [f"| `continual {command}` | `{call}` |" for command, call in TWINS.items()]
    lines += ["", "## Application", "", "```text", inspect.getdoc(Application) or "", "```", ""]
    for name, member in inspect.getmembers(Application):
        if name.startswith("_") or not member.__doc__:
            continue
        shown = str(inspect.signature(member)) if callable(member) else ""
        lines += [f"### {name}", "", "```text", f"{name}{shown}", "", inspect.getdoc(member) or "", "```", ""]
    return "\n".join(lines)


def _commands(group: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _commands(command, (*path, name))
        else:
            yield (*path, name), command
