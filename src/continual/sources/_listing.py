"""Which bytes were hashed already: a listing costs a hash only for what is new. Derived state: delete it freely."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from continual.core.canonical import digest

_FORMAT = 1


@dataclass
class ListingCache:
    """name -> (mark, SHA-256) of the files of one location, in `<home>/cache/sources/`.

    mark: changes whenever the file does (size, times and inode of a local file; size and ETag of an object).
    """

    path: Path
    _known: dict[str, list[str]]
    _seen: dict[str, list[str]] = field(default_factory=dict)

    @classmethod
    def open(cls, home: Path, location: str) -> ListingCache:
        """The cache of `location`; empty when there is none or it cannot be understood."""
        path = home / "cache" / "sources" / f"{digest([location])[:16]}.json"
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
            return cls(path, _checked(found))
        except (OSError, ValueError):
            return cls(path, {})

    def hash_of(self, name: str, mark: str, compute: Callable[[], str]) -> str:
        """SHA-256 (hex) of the file's bytes; `compute` is called only for a new mark. '' = could not be read, not
        remembered."""
        known = self._known.get(name)
        content = known[1] if known and known[0] == mark else compute()
        if content:
            self._seen[name] = [mark, content]
        return content

    def save(self) -> None:
        """Keep what was asked for since `open`, whole or not at all; without a place to write, the next listing
        hashes again."""
        if self._seen == self._known:
            return
        part = self.path.with_suffix(f".{os.getpid()}.tmp")
        with suppress(OSError):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            part.write_text(json.dumps({"format": _FORMAT, "files": self._seen}), encoding="utf-8")
            part.replace(self.path)


def _checked(found: object) -> dict[str, list[str]]:
    if not isinstance(found, Mapping) or found.get("format") != _FORMAT or not isinstance(found.get("files"), dict):
        raise ValueError("not a listing of this format")
    files: dict[str, list[str]] = found["files"]
    if not all(isinstance(v, list) and len(v) == 2 and all(isinstance(t, str) for t in v) for v in files.values()):
        raise ValueError("not a listing of this format")
    return files
