"""Faults of inputs, kept: they are the same under every policy that looks at the same slices with the same detector."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from continual.core.diagnosis import DataFault
from continual.detectors.base import Beside


def recalled(file: Path, find: Callable[[], Beside]) -> Beside:
    """As `find` found it once."""
    if file.exists():
        kept = json.loads(file.read_text(encoding="utf-8"))
        faults = tuple(DataFault(**{**fault, "days": tuple(fault["days"])}) for fault in kept["faults"])
        return Beside(kept["looks"], kept["columns"], faults)
    found = find()
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_suffix(f".{os.getpid()}.part")
    part.write_text(json.dumps(asdict(found)), encoding="utf-8")
    part.replace(file)
    return found
