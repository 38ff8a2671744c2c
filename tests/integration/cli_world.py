"""Commands as people type them, on the world of the flows' tests."""

from __future__ import annotations

from flow_world import World
from typer.testing import CliRunner, Result

from continual.cli.main import app


def env_of(world: World, columns: int = 200) -> dict[str, str]:
    return {
        "CONTINUAL_HOME": str(world.home),
        "CONTINUAL_CONFIGS": str(world.settings.configs),
        "MLFLOW_TRACKING_URI": world.settings.tracking_uri,
        "COLUMNS": str(columns),
    }


def cli(world: World, *arguments: str, code: int = 0) -> Result:
    answer = CliRunner().invoke(app, [*arguments], env=env_of(world))
    assert answer.exit_code == code, answer.output
    assert "Traceback" not in answer.output
    return answer
