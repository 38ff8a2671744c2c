"""One row of the Ledger and the bytes its hash stands for."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any

from continual.core.canonical import digest, plain

GENESIS = "0" * 64


@dataclass(frozen=True)
class Entry:
    """A decision as recorded. seq counts from 1 per application; hash covers every other field."""

    app: str
    seq: int
    kind: str
    key: str
    as_of: datetime
    reason: str
    evidence: dict[str, Any]
    policy_hash: str
    run: str | None
    recorded_at: datetime
    prev_hash: str
    hash: str = ""

    def as_dict(self) -> dict[str, Any]:
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def computed_hash(self) -> str:
        """SHA-256 (hex) of the canonical JSON of all fields but `hash`."""
        content = self.as_dict()
        del content["hash"]
        return digest(content)

    def sealed(self) -> Entry:
        return replace(self, hash=self.computed_hash())


def storable(value: Any) -> Any:
    """JSON that every database gives back exactly as it was hashed.

    JSONB keeps numbers as decimals and text as UTF-8: 1e16 comes back as an integer, -0.0 as 0.0, and NUL or a
    lone surrogate is refused. So these are settled before hashing.
    """
    return _settle(plain(value))


def _settle(value: Any) -> Any:
    if isinstance(value, dict):
        return {clean_text(k): _settle(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_settle(v) for v in value]
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, float) and value.is_integer() and (value == 0 or abs(value) >= 1e16):
        return int(value) if value else 0.0
    return value


def clean_text(text: str) -> str:
    """`text` with what a UTF-8 database cannot hold replaced by U+FFFD or '?'."""
    return text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()
