"""What became of one policy: who served which row with which answer, and what it took."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from continual.core.canonical import plain
from continual.core.window import utc
from continual.flows.shadow import KIND as SHADOW
from continual.replay.history import micros

if TYPE_CHECKING:
    from continual.replay.run import Passed
    from continual.replay.sandbox import Sandbox
    from continual.stores.versions import ModelVersion

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Reigned:
    """A version that served from `since` (ISO instant); trained_until: end of its training window, None = unknown."""

    version: str
    since: str
    kind: str
    trained_until: str | None


@dataclass(frozen=True)
class Played:
    """One policy's history. cpu_fits: CPU seconds of all its fits, as if no other policy had shared them. cpu_looks: of
    everything else. fits: instant (ISO) and CPU seconds of each candidate's; shadows: of each shadow's. labels:
    distinct rows whose label a dataset used. decisions: kind of ledger entry -> how many. served: (n,) number of the
    reign that answered, -1 = nobody. returns: rows of `retrain_result`, instants as ISO text, oldest first."""

    name: str
    policy: str
    looks: int
    retrains: int
    promotions: int
    rollbacks: int
    labels: int
    cpu_fits: float
    cpu_looks: float
    decisions: dict[str, int]
    reigns: tuple[Reigned, ...]
    fits: tuple[tuple[str, float], ...]
    shadows: tuple[tuple[str, float], ...]
    failed: dict[str, str]
    served: Ints
    answers: Floats
    returns: tuple[dict[str, Any], ...] = ()

    def save(self, folder: Path) -> None:
        """In the sandbox, for the report."""
        folder.mkdir(parents=True, exist_ok=True)
        kept = {k: v for k, v in asdict(self).items() if k not in ("served", "answers")}
        np.savez_compressed(folder / "played.npz", served=self.served, answers=self.answers)
        (folder / "played.json").write_text(json.dumps(kept), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Played:
        """As saved."""
        told = json.loads((folder / "played.json").read_text(encoding="utf-8"))
        for name in ("fits", "shadows"):
            told[name] = tuple((at, seconds) for at, seconds in told[name])
        told["reigns"] = tuple(Reigned(**r) for r in told["reigns"])
        told["returns"] = tuple(told.get("returns", ()))
        with np.load(folder / "played.npz") as kept:
            return cls(**told, served=kept["served"], answers=kept["answers"])

    def ages(self, event: Ints) -> Floats:
        """(n,) days between the end of training of the version that served a row and the row; NaN = nobody, or a
        version of unknown training."""
        until = [np.nan if r.trained_until is None else micros(utc(r.trained_until)) for r in self.reigns]
        ends = np.array([*until, np.nan])  # served is -1 where nobody did
        return np.asarray((event - ends[self.served]) / 86_400e6)


def outcome(ws: Sandbox, name: str, passed: Passed) -> Played:
    """Of a sandbox whose looks are done."""
    reigns, versions = ws.champions.read(), {v.version: v for v in ws.versions.versions()}
    trained = {v: known.trained.end.isoformat() if known.trained else None for v, known in versions.items()}
    kinds: dict[str, int] = {}
    for entry in ws.ledger.entries():
        kinds[entry.kind] = kinds.get(entry.kind, 0) + 1
    fits, shadows = tuple(_fits(ws, list(versions.values()))), tuple(_shadows(ws))
    return Played(
        name=name,
        policy=ws.loaded.hash,
        looks=passed.looks,
        retrains=kinds.get("retrain", 0),
        promotions=sum(reign.kind in ("promote", "bootstrap") for reign in reigns),
        rollbacks=sum(reign.kind == "rollback" for reign in reigns),
        labels=_labels(ws),
        cpu_fits=sum(seconds for _, seconds in (*fits, *shadows)),
        cpu_looks=passed.seconds,
        decisions=kinds,
        reigns=tuple(Reigned(r.version, r.as_of.isoformat(), r.kind, trained.get(r.version)) for r in reigns),
        fits=fits,
        shadows=shadows,
        failed=passed.failed,
        served=_served(ws, [micros(reign.as_of) for reign in reigns]),
        answers=ws.serving.answers,
        returns=tuple(_returns(ws)),
    )


def _fits(ws: Sandbox, versions: Sequence[ModelVersion]) -> Iterator[tuple[str, float]]:
    for version in versions:
        if version.dataset_id:
            key = ws.key_of(version.version)
            at = ws.datasets.get(version.dataset_id).spec.as_of
            yield at.isoformat(), ws.fits.seconds(key) + ws.fits.seconds(f"{key}-past")


def _returns(ws: Sandbox) -> list[dict[str, Any]]:
    """What each retrain was forecast to gain, what came and what it cost."""
    return [dict(plain(row)) for row in ws.retrains.results().to_dict("records")]


def _shadows(ws: Sandbox) -> Iterator[tuple[str, float]]:
    """A twin serves several shadows and is fitted once."""
    seen: set[str] = set()
    for entry in ws.ledger.entries(kind=SHADOW):
        keys = {entry.evidence["fresh"], entry.evidence["twin"]} - {None} - seen
        seen |= keys
        yield entry.as_of.isoformat(), sum(ws.fits.seconds(f"shadow-{key}") for key in sorted(keys))


def _served(ws: Sandbox, since: list[int]) -> Ints:
    """(n,) number of the reign that answered each row, -1 = nobody."""
    at = np.searchsorted(np.array(since, dtype=np.int64), ws.past.event, side="right") - 1
    answered = np.isfinite(ws.serving.answers.reshape(len(at), -1)).all(axis=1)
    return np.asarray(np.where(answered, at, -1), dtype=np.int64)


def _labels(ws: Sandbox) -> int:
    """Distinct rows in any dataset."""
    used = np.zeros(len(ws.past), dtype=bool)
    for dataset in {v.dataset_id for v in ws.versions.versions() if v.dataset_id}:
        used[ws.datasets.positions(dataset)] = True
    return int(used.sum())


def as_row(played: Played) -> dict[str, Any]:
    """Without the rows, for people and programs."""
    skip = ("served", "answers", "reigns", "fits", "shadows", "failed", "returns")
    return {k: v for k, v in asdict(played).items() if k not in skip}
