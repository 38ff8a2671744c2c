"""Shared by unit and integration tests."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parent.parent
# A shell's background job ignores Ctrl-C, and so would every program that a test starts and interrupts.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def repository() -> Path:
    """Root of the source tree."""
    return REPOSITORY


@pytest.fixture(scope="session")
def flights_text(repository) -> str:
    """The policy that ships, as text to edit."""
    return (repository / "configs" / "flights.yaml").read_text(encoding="utf-8")
