"""Models by the content they are made of: fitted once, kept on disk, shared by policies and processes."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

#: Models held in memory: champion, previous, candidate and some to come back to.
HELD = 6


class Fits:
    """key: digest of dataset, recipe and seed. Beside each model stands what it cost: CPU seconds of the fit."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._held: OrderedDict[str, Any] = OrderedDict()

    def fitted(self, key: str, fit: Callable[[], Any], trusted: tuple[str, ...]) -> Any:
        """The model of this key, fitted unless it was before."""
        if key in self._held:
            return self.load(key, trusted)
        with self._alone(key):
            if self._path(key).exists():
                return self.load(key, trusted)
            start = time.process_time()
            model = fit()
            self._write(key, model, time.process_time() - start)
        return self._hold(key, model)

    @contextmanager
    def _alone(self, key: str) -> Iterator[None]:
        """Of two policies that need one model at once, one fits and the other waits for it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with self._path(key).with_suffix(".lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def load(self, key: str, trusted: tuple[str, ...]) -> Any:
        """A model that was fitted before."""
        import skops.io

        if key in self._held:
            self._held.move_to_end(key)
            return self._held[key]
        return self._hold(key, skops.io.load(self._path(key), trusted=list(trusted)))

    def seconds(self, key: str) -> float:
        """CPU seconds its fit took, whoever made it; 0 when unknown."""
        path = self._path(key).with_suffix(".json")
        return float(json.loads(path.read_text(encoding="utf-8"))["seconds"]) if path.exists() else 0.0

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}.skops"

    def _write(self, key: str, model: Any, seconds: float) -> None:
        import skops.io

        cost = self._path(key).with_suffix(f".{os.getpid()}.cost")
        cost.write_text(json.dumps({"seconds": seconds}), encoding="utf-8")
        cost.replace(self._path(key).with_suffix(".json"))
        part = self._path(key).with_suffix(f".{os.getpid()}.part")
        part.write_bytes(skops.io.dumps(model))
        part.replace(self._path(key))

    def _hold(self, key: str, model: Any) -> Any:
        self._held[key] = model
        while len(self._held) > HELD:
            self._held.popitem(last=False)
        return model
