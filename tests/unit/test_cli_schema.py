"""The committed JSON Schema is the one the program writes."""

from __future__ import annotations

from typer.testing import CliRunner

from continual.cli.main import app


def test_the_committed_schema_is_up_to_date(repository):
    committed = (repository / "docs" / "reference" / "policy.schema.json").read_text(encoding="utf-8")
    answer = CliRunner().invoke(app, ["schema"])
    assert answer.exit_code == 0
    assert answer.stdout == committed, "run `make schema`"


def test_the_policy_that_ships_names_it_in_its_first_line(repository, flights_text):
    named = flights_text.splitlines()[0].rpartition("$schema=")[2]
    assert (repository / "configs" / named).resolve() == repository / "docs" / "reference" / "policy.schema.json"
