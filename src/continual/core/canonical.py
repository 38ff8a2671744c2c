"""One canonical JSON form, so that equal evidence has equal bytes and equal hashes."""

from __future__ import annotations

import hashlib
import json
import math
from datetime import datetime
from typing import Any


def plain(value: Any) -> Any:
    """Reduce `value` to JSON types; non-finite floats become None (undefined is not zero)."""
    if hasattr(value, "as_dict"):
        value = value.as_dict()
    elif hasattr(value, "item"):  # numpy scalars
        value = value.item()
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        items = sorted(value) if isinstance(value, (set, frozenset)) else value
        return [plain(v) for v in items]
    if isinstance(value, datetime):
        return value.isoformat()
    return None if isinstance(value, float) and not math.isfinite(value) else value


def canonical_json(value: Any) -> str:
    """Sorted keys, no spaces, no NaN."""
    return json.dumps(plain(value), sort_keys=True, separators=(",", ":"), allow_nan=False)


def digest(value: Any) -> str:
    """SHA-256 (hex, 64 characters) of the canonical JSON of `value`."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()
