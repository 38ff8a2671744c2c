"""docker/compose.yaml as Docker reads it: anchors, merges, `${NAME:-default}`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

REPOSITORY = Path(__file__).parents[2]
DOCKER = REPOSITORY / "docker"
_REFERENCE = re.compile(r"\$(?:\$|\{(\w+)(?::-([^}]*))?\})")


def compose(**environment: str) -> dict[str, Any]:
    """The file with its variables replaced by `environment` or their defaults; a variable with neither is an error."""

    def value(found: re.Match[str]) -> str:
        name, default = found.groups()
        if name is None:
            return "$"
        if name not in environment and default is None:
            raise KeyError(f"compose.yaml needs {name} and has no default for it")
        return environment.get(name, default)

    def filled(node: Any) -> Any:
        if isinstance(node, dict):
            return {key: filled(item) for key, item in node.items()}
        if isinstance(node, list):
            return [filled(item) for item in node]
        return _REFERENCE.sub(value, node) if isinstance(node, str) else node

    found: dict[str, Any] = filled(yaml.safe_load((DOCKER / "compose.yaml").read_text(encoding="utf-8")))
    return found


def order(services: dict[str, Any]) -> list[str]:
    """Names of the services, each after those it depends on."""
    done: list[str] = []

    def visit(name: str, above: tuple[str, ...] = ()) -> None:
        assert name not in above, f"{name} depends on itself: {above}"
        for other in services[name].get("depends_on", {}):
            visit(other, (*above, name))
        if name not in done:
            done.append(name)

    for name in services:
        visit(name)
    return done


def image_environment() -> dict[str, str]:
    """What the Dockerfile's last stage sets with ENV."""
    text = (DOCKER / "Dockerfile").read_text(encoding="utf-8").rpartition("\nFROM ")[2].replace("\\\n", " ")
    lines = [line.removeprefix("ENV ") for line in text.splitlines() if line.startswith("ENV ")]
    return dict(pair.split("=", 1) for line in lines for pair in line.split())
