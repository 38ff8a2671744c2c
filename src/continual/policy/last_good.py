"""Which policy is in force: the file if it is valid, else the last valid one; every run keeps one snapshot."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

from continual.errors import PolicyError
from continual.policy.document import read_document
from continual.policy.former import kept, meant, meant_before
from continual.policy.load import LoadedPolicy, load_policy, parse_policy


@dataclass(frozen=True)
class PolicyInForce:
    """loaded: the policy to act on. problem: why the file itself cannot be used, or None."""

    loaded: LoadedPolicy
    problem: str | None


class PolicyShelf:
    """Snapshots of every policy that was in force, `<home>/policies/<application>/<hash>.yaml`; beside it, `.json`,
    what the text meant then."""

    def __init__(self, home: Path, configs: Path) -> None:
        self.root, self.configs = home / "policies", configs

    def applications(self) -> list[str]:
        """Names of all policy files."""
        return sorted(p.stem for p in self.configs.glob("*.yaml") if not p.name.startswith("."))

    def strays(self) -> list[str]:
        """Files that look like policies and are not read: only `<application>.yaml` is."""
        return sorted(p.name for p in self.configs.glob("*.yml"))

    def in_force(self, application: str) -> PolicyInForce:
        """Read without writing (DAG-parse time).

        Raises
        ------
        PolicyError: the file is invalid and there never was a valid one.
        """
        try:
            return PolicyInForce(load_policy(self.configs / f"{application}.yaml"), None)
        except PolicyError as error:
            last = self._last_good(application)
            if last is None:
                raise
            return PolicyInForce(last, str(error))

    def snapshot(self, application: str) -> PolicyInForce:
        """`in_force`, kept for the whole run: later tasks ask for it by hash."""
        found = self.in_force(application)
        if found.problem is None:
            self._keep(found.loaded)
        return found

    def by_hash(self, application: str, policy_hash: str) -> LoadedPolicy:
        """The snapshot a run started with, whatever happened to the file since.

        Raises
        ------
        PolicyError: no such snapshot, or it means something else since an upgrade.
        """
        path = self.root / application / f"{policy_hash}.yaml"
        if not path.is_file():
            raise PolicyError(
                "A run's policy snapshot must exist.",
                f"{path.name} of {application} is missing.",
                "clear the whole run.",
            )
        loaded = _parse(path)
        if loaded.hash != policy_hash:
            loaded = _as_it_was(path, loaded, policy_hash) or loaded
        if loaded.hash != policy_hash:
            raise PolicyError(
                "A run's policy snapshot must mean what it meant when the run started.",
                f"{path.name} of {application} now means {loaded.hash}, since an upgrade or an edit of the snapshot.",
                "clear the whole run.",
            )
        return loaded

    def _keep(self, loaded: LoadedPolicy) -> None:
        folder = self.root / loaded.policy.application
        folder.mkdir(parents=True, exist_ok=True)
        _write(folder / f"{loaded.hash}.yaml", loaded.text)
        _write(folder / f"{loaded.hash}.json", kept(loaded.policy, loaded.text))
        _write(folder / "last_good", loaded.hash)

    def _last_good(self, application: str) -> LoadedPolicy | None:
        pointer = self.root / application / "last_good"
        if not pointer.is_file():
            return None
        try:
            return _parse(pointer.with_name(f"{pointer.read_text(encoding='utf-8').strip()}.yaml"))
        except (PolicyError, OSError):
            return None  # written by a release with other fields: as if there never was one


def _as_it_was(path: Path, today: LoadedPolicy, policy_hash: str) -> LoadedPolicy | None:
    """What the snapshot meant when it was kept, by a release with other fields or defaults."""
    beside = path.with_suffix(".json")
    found = meant(beside.read_text(encoding="utf-8"), today.text, policy_hash) if beside.is_file() else None
    if found is None:
        found = meant_before(today.policy, read_document(today.text, today.path).data, policy_hash)
    return None if found is None else replace(today, policy=found, hash=policy_hash)


def _parse(snapshot: Path) -> LoadedPolicy:
    return parse_policy(snapshot.read_text(encoding="utf-8"), f"{snapshot.parent.name}.yaml")


def _write(path: Path, text: str) -> None:
    """Atomic, and leaves an equal file alone so that parsing processes see no churn."""
    if path.is_file() and path.read_text(encoding="utf-8") == text:
        return
    part = path.with_suffix(f".{os.getpid()}.part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)
