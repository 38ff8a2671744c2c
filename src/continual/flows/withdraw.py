"""Take rows out of use, or back into it: nothing is deleted, and what was made of them before is found and marked.

The rows are masked when the log is read, by (window, predicate, batches) and instant of knowledge: a read as of before
the withdrawal still sees them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from continual.core.window import Window, utc
from continual.core.withdrawal import Scope, Withdrawal
from continual.errors import ContinualError, ModelUnavailable, Skipped
from continual.flows.knowledge import newest
from continual.flows.withdrawn_lineage import affected, in_use
from continual.flows.withdrawn_rows import Rows, scope_of
from continual.flows.workspace import Outcome, Workspace
from continual.stores.withdrawals import Effect

#: Tag of a version in the registry that learnt from withdrawn rows.
TAG = "continual.withdrawn"
TICK = timedelta(microseconds=1)


@dataclass(frozen=True)
class Found:
    """What a withdrawal would take out of use, and what rests on it. champion: version that serves, when it does."""

    scope: Scope
    as_of: datetime
    n_rows: int
    effects: Sequence[Effect]
    champion: str | None

    def of(self, kind: str) -> dict[str, int]:
        """ref -> rows, of one kind of effect."""
        return {effect.ref: effect.n_rows for effect in self.effects if effect.kind == kind}

    def as_dict(self) -> dict[str, Any]:
        lists = {f"{kind}s": self.of(kind) for kind in ("day", "dataset", "version", "verdict")}
        return {"scope": self.scope.as_dict(), "n_rows": self.n_rows, **lists, "champion": self.champion}


def find(ws: Workspace, rows: Rows, as_of: datetime | None = None) -> Found:
    """Count the rows and everything that rests on them; changes nothing. Of rows that are withdrawn already by the very
    same words it is what was found then.

    Raises
    ------
    Skipped: no row that is in use is meant. ContinualError, SliceError: which rows are meant is not clear.
    """
    at = known_from(ws, as_of)
    scope = scope_of(ws, rows, at)
    standing = next((w for w in ws.withdrawals.all() if w.scope == scope and w.restored_as_of is None), None)
    if standing is not None:
        return _found(ws, scope, standing.as_of, standing.n_rows, ws.withdrawals.effects_of(standing.id))
    frame = in_use(ws, scope, at)
    if frame.empty:
        raise Skipped(
            "There must be rows in use to withdraw.",
            f"none among {scope}.",
            "look at `continual data withdrawals` and at the window and expression.",
        )
    return _found(ws, scope, at, len(frame), affected(ws, frame))


def _found(ws: Workspace, scope: Scope, as_of: datetime, n_rows: int, effects: Sequence[Effect]) -> Found:
    reign = ws.champions.current()
    learnt = {effect.ref for effect in effects if effect.kind == "version"}
    return Found(scope, as_of, n_rows, effects, reign.version if reign and reign.version in learnt else None)


def withdraw(ws: Workspace, found: Found, reason: str, by: str) -> Outcome:
    """Take the rows out of use from `found.as_of` on. The same rows again: the first withdrawal stands, and what a kill
    left undone (ledger, marks in the registry) is done."""
    made = ws.withdrawals.add(found.scope, reason, by, found.as_of, found.n_rows, found.effects)
    said = f"withdrawn by {made.by}: {made.n_rows:,} {made.scope.stream} ({made.scope}): {made.reason}"
    record = {**found.as_dict(), "withdrawal": made.id, "by": made.by, "why": made.reason}
    entry = ws.ledger.append("withdraw", f"withdraw:{made.id}", made.as_of, said, record, ws.loaded.hash, ws.run)
    problem = _mark(ws, list(found.of("version")))
    parts = [entry.reason, *consequences(ws.app, found), *([problem] if problem else [])]
    return Outcome("; ".join(parts), {**entry.evidence, "as_of": made.as_of.isoformat()})


def restore(ws: Workspace, withdrawal: str, reason: str, by: str, as_of: datetime | None = None) -> Outcome:
    """Take the rows back into use from `as_of` on; between the two instants they stay out. Idempotent.

    Raises
    ------
    StoreError: no such withdrawal.
    """
    found = ws.withdrawals.get(withdrawal)
    at = found.restored_as_of or known_from(ws, as_of)
    made = ws.withdrawals.restore(found.id, reason, by, at)
    said = f"restored by {made.restored_by}: {made.n_rows:,} {made.scope.stream} ({made.scope}): {made.restored_reason}"
    record = {"withdrawal": made.id, "by": made.restored_by, "why": made.restored_reason, "n_rows": made.n_rows}
    entry = ws.ledger.append("restore", f"restore:{made.id}", at, said, record, ws.loaded.hash, ws.run)
    problem = _mark(ws, [e.ref for e in ws.withdrawals.effects_of(made.id) if e.kind == "version"])
    reason = "; ".join([entry.reason, *([problem] if problem else [])])
    return Outcome(reason, {**entry.evidence, "as_of": at.isoformat()})


def known_from(ws: Workspace, as_of: datetime | None) -> datetime:
    """The instant from which a change is known: just after everything known so far, unless stated.

    Raises
    ------
    ContinualError: stated before something that was decided with the rows as they were.
    """
    last = newest(ws)
    if as_of is None:
        return last + TICK
    if utc(as_of) <= last:
        raise ContinualError(
            "Rows are withdrawn or restored from an instant on that nothing was decided at or after.",
            f"{utc(as_of).isoformat()}; the newest batch or decision is as of {last.isoformat()}.",
            "leave --as-of out: it takes effect just after that.",
        )
    return utc(as_of)


def consequences(app: str, found: Found) -> list[str]:
    """What rests on the rows and what to do about it, a sentence each."""
    said = []
    counts = {"datasets": len(found.of("dataset")), "verdicts": len(found.of("verdict"))}
    rest = ", ".join(f"{n} {what}" for what, n in counts.items() if n)
    if rest:
        said.append(f"{rest} rest on them and are marked")
    versions = found.of("version")
    if versions:
        shown = ", ".join(f"{version} ({n:,})" for version, n in versions.items())
        said.append(f"versions that learnt from them (rows): {shown}")
    if found.champion:
        said.append(
            f"version {found.champion} SERVES and learnt from {versions[found.champion]:,} of them: "
            f"`continual retrain {app} --reason ...` leaves them out, `continual rollback {app} --reason ...` "
            "goes back to an earlier version"
        )
    return said


def marks(ws: Workspace, kind: Any, as_of: datetime | None = None) -> Mapping[str, tuple[int, list[Withdrawal]]]:
    """ref -> withdrawn rows it rests on and the withdrawals, of those in force at `as_of` (None: now)."""
    found = ws.withdrawals.effects(kind, as_of)
    return {ref: (sum(n for _, n in each), [w for w, _ in each]) for ref, each in found.items()}


def _mark(ws: Workspace, versions: Sequence[str]) -> str | None:
    """Say so on the versions' pages in the registry; a sentence when that failed."""
    known = marks(ws, "version")
    try:
        for version in versions:
            rows, why = known.get(version, (0, []))
            text = f"{rows:,} training rows withdrawn: {'; '.join(w.reason for w in why)}" if rows else "none any more"
            ws.registry.tag(version, {TAG: text[:4000]}, missing_ok=True)
    except ModelUnavailable as error:
        return f"the versions could not be marked in MLflow ({error.got}): run the same command again"
    return None


def day_span(first: str, last: str) -> Window:
    """Whole UTC days from `first` to `last`, ISO dates, both included."""
    return Window(utc(f"{first}T00:00:00+00:00"), utc(f"{last}T00:00:00+00:00") + timedelta(days=1))
