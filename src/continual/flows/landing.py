"""The folders that batches are delivered to."""

from __future__ import annotations

from pathlib import Path

from continual.policy.models import Policy


def make_landing(policy: Policy, home: Path) -> list[Path]:
    """Create the folders a folder source names, so that a delivery finds them; other sources need none."""
    from continual.sources.folder import Folder

    if not isinstance(policy.source, Folder):
        return []
    folders = policy.source.local_folders(home)
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
    return folders
