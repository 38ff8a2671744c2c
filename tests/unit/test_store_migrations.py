"""Revisions of the schema are one line: two that follow the same one would stop every deployment."""

from __future__ import annotations

from pathlib import Path

from continual.stores import migrations


def test_every_revision_follows_the_one_before_and_is_named_for_its_number():
    files = sorted(Path(migrations.__file__).parent.glob("versions/v*.py"))
    found = []
    for file in files:
        values: dict[str, object] = {}
        lines = [
            line for line in file.read_text(encoding="utf-8").splitlines() if line.startswith(("revision", "down_"))
        ]
        exec("\n".join(lines), values)
        found.append((file.name[1:5], values["revision"], values["down_revision"]))
    numbers = [f"{n:04d}" for n in range(1, len(files) + 1)]
    assert found == list(zip(numbers, numbers, [None, *numbers[:-1]], strict=True))
