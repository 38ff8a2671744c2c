"""`continual schema`: what editors complete and check policy files against."""

from __future__ import annotations

import sys

import typer

from continual.cli.options import examples


def register(app: typer.Typer) -> None:
    app.command(epilog=examples("continual schema > docs/reference/policy.schema.json"))(schema)


def schema() -> None:
    """Print the JSON Schema of policy files, with every installed strategy.

    Name it in a file's first line, and an editor with a YAML language server completes and checks the fields:

    `# yaml-language-server: $schema=../docs/reference/policy.schema.json`
    """
    from continual.policy.schema import policy_schema

    sys.stdout.write(policy_schema())
