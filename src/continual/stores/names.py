"""Application names become table namespaces and folders, so they are checked once, here."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

from continual.core.canonical import digest
from continual.errors import StoreError


def checked_app(app: str) -> str:
    """`app` itself.

    Raises
    ------
    StoreError: it could leave its folder or name a nested namespace.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", app):
        raise StoreError(
            "An application's name must be letters, digits, '_' or '-', at most 64, starting with a letter or digit.",
            f"{app!r}.",
            "rename the application in its policy file.",
        )
    return app


def index_folder(catalog_uri: str, warehouse: str, app: str) -> Path:
    """Where the derived key index of an application's log is kept: beside a warehouse in a folder, else in the home of
    the deployment; any process may build it anew, so losing it loses nothing."""
    place = urlsplit(warehouse)
    if place.scheme in ("", "file"):
        return Path(unquote(place.path)) / "_keys" / app
    from continual.settings import Settings

    return Settings.from_environment().home / "keys" / digest([catalog_uri, warehouse])[:16] / app
