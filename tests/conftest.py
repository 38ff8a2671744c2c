"""Shared by unit and integration tests."""

from __future__ import annotations

from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parent.parent


@pytest.fixture(scope="session")
def repository() -> Path:
    """Root of the source tree."""
    return REPOSITORY


@pytest.fixture(scope="session")
def flights_text(repository) -> str:
    """The policy that ships, as text to edit."""
    return (repository / "configs" / "flights.yaml").read_text(encoding="utf-8")
