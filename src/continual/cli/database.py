"""`continual db`: the schema of the evaluation store."""

from __future__ import annotations

import typer

from continual.cli.deployment import Deployment, deployment
from continual.cli.options import HOME, ConfigsOption, HomeOption, JsonOption, examples
from continual.cli.output import print_json, say

commands = typer.Typer(no_args_is_help=True, help="The schema of the evaluation store.", rich_markup_mode="markdown")


def register(app: typer.Typer) -> None:
    app.add_typer(commands, name="db")


@commands.command(epilog=examples("continual db upgrade", "continual db upgrade --home var/demo"))
def upgrade(home: HomeOption = HOME, configs: ConfigsOption = None, as_json: JsonOption = False) -> None:
    """Bring the schema to the installed version; harmless when it is there. Runs do this by themselves."""
    here = deployment(home, configs)
    here.settings.make_folders()
    _tell(here, as_json, upgrade=True)


@commands.command(
    epilog=examples("continual db check", "CONTINUAL_DATABASE_URL=postgresql://me@host/db continual db check")
)
def check(home: HomeOption = HOME, configs: ConfigsOption = None, as_json: JsonOption = False) -> None:
    """Exit code 1 when the database does not answer or its schema is not the installed version's."""
    here = deployment(home, configs)
    here.check_exists()
    _tell(here, as_json, upgrade=False)


def _tell(here: Deployment, as_json: bool, upgrade: bool) -> None:
    from continual.stores.database import open_database

    database = open_database(here.settings.database_url)
    before = database.revision()
    if upgrade:
        database.upgrade()
    database.check()
    after = database.revision()
    if as_json:
        print_json({"database": database.name, "before": before, "revision": after})
    else:
        moved = f"from {before or 'nothing'} to {after}" if before != after else f"{after}, up to date"
        say(f"schema {moved} ({database.name})")
