"""Application names become table namespaces and folders, so they are checked once, here."""

from __future__ import annotations

import re

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
