"""Act on a verdict: promote, suggest, or say why not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from continual.core.verdict import Answer
from continual.errors import PromotionRefused, Skipped
from continual.flows.champion import Move, move_champion, reconcile
from continual.flows.serving_check import check_serves
from continual.flows.workspace import Outcome, Workspace
from continual.models.registry import CHALLENGER

if TYPE_CHECKING:
    from continual.stores.entry import Entry


def promote(ws: Workspace, verdict_key: str) -> Outcome:
    """Make the candidate of this verdict champion, once.

    Raises
    ------
    Skipped: the verdict is not 'promote', or a person declined. PromotionRefused: the champion changed since the
    verdict, a newer decision was taken, the candidate's lineage is quarantined, rows it learnt from were withdrawn, or
    nobody approved although the policy demands it. LeaseHeld, ModelUnavailable: try again.
    """
    verdict = _verdict(ws, verdict_key)
    reconcile(ws, verdict.as_of)
    candidate, champion = verdict.evidence["candidate"], verdict.evidence["champion"]
    done = ws.ledger.get(f"promote:{verdict_key}:confirmed") or ws.ledger.get(f"suggest:{verdict_key}")
    if done is not None:
        return Outcome(f"already done: {done.reason}", {"version": candidate})
    _check_answer(verdict)
    _check_approval(ws, verdict)
    _check_order(ws, verdict)
    _check_lineage(ws, candidate)
    _check_rows(ws, candidate)
    check_serves(ws, candidate, verdict.as_of)
    if ws.policy.promotion.mode == "suggest":
        return _suggest(ws, verdict, candidate)
    move = Move(
        kind="promote" if champion else "bootstrap",
        base=f"promote:{verdict_key}",
        target=candidate,
        expected=champion,
        next_previous=champion,
        as_of=verdict.as_of,
        reason=f"promote version {candidate} over {champion or 'nothing'}: {verdict.reason}",
        evidence={"verdict": verdict_key},
    )
    entry = move_champion(ws, move)
    return Outcome(entry.reason, {"version": candidate, "previous": champion})


def _verdict(ws: Workspace, key: str) -> Entry:
    verdict = ws.ledger.get(key)
    if verdict is None or verdict.kind != "verdict":
        raise PromotionRefused(
            "Only a verdict in the ledger promotes.", f"no verdict {key!r}.", "clear the judge task."
        )
    return verdict


def _check_answer(verdict: Entry) -> None:
    if verdict.evidence["verdict"]["answer"] != Answer.PROMOTE:
        raise Skipped("Only the verdict 'promote' promotes.", verdict.reason, "nothing; the champion stays.")


def _check_approval(ws: Workspace, verdict: Entry) -> None:
    if ws.policy.promotion.mode != "approve":
        return
    answer = ws.ledger.get(f"approval:{verdict.key}")
    if answer is None:
        raise PromotionRefused(
            "A person must approve (promotion.mode: approve).", "no answer in the ledger.", "answer the approve task."
        )
    if not answer.evidence["approved"]:
        raise Skipped("Only an approved version is promoted.", answer.reason, "nothing; the champion stays.")


def _check_lineage(ws: Workspace, candidate: str) -> None:
    """Nor a sister of a quarantined version, trained before that one was found to be bad (s45), nor one that continues
    a quarantined version."""
    found, *bases = ws.versions.lineage(candidate)
    bad = next((one for one in (found, *bases) if one.state == "quarantined"), None)
    why = f"version {bad.version}: {bad.reason}" if bad is not None else None
    if why is None and found.recipe_hash and found.trained:
        why = ws.versions.blocked(found.recipe_hash, found.trained)
    if why is not None:
        raise PromotionRefused("A quarantined lineage is never promoted.", f"{why}.", "change the recipe and retrain.")


def _check_rows(ws: Workspace, candidate: str) -> None:
    """Rows may be withdrawn while a verdict waits for its approval."""
    effects = ws.withdrawals.effects("version")
    found = [one for version in ws.versions.lineage(candidate) for one in effects.get(version.version, [])]
    if found:
        rows, why = sum(n for _, n in found), "; ".join(withdrawal.reason for withdrawal, _ in found)
        raise PromotionRefused(
            "A version that learnt from withdrawn rows is not promoted.",
            f"version {candidate} learnt from {rows:,} of them: {why}.",
            "retrain, or put the rows back with `continual data restore`.",
        )


def _check_order(ws: Workspace, verdict: Entry) -> None:
    """A backfill or a cleared old task must not replace a newer champion (s33, s34)."""
    current, expected = ws.champions.current(), verdict.evidence["champion"]
    now = current.version if current else None
    if now != expected:
        raise PromotionRefused(
            f"The champion must still be the one judged against (version {expected or 'none'}).",
            f"version {now or 'none'} since {current.as_of:%Y-%m-%d}." if current else "none.",
            "start a new retrain: it judges against the present champion.",
        )
    if current is not None and current.as_of > verdict.as_of:
        raise PromotionRefused(
            "A verdict must be newer than the champion.",
            f"verdict as of {verdict.as_of:%Y-%m-%d}, champion since {current.as_of:%Y-%m-%d}.",
            "nothing: this is an old window; the newer champion stays.",
        )


def _suggest(ws: Workspace, verdict: Entry, candidate: str) -> Outcome:
    ws.registry.set_alias(CHALLENGER, candidate)
    reason = f"suggested version {candidate} (alias challenger); promotion mode is 'suggest': {verdict.reason}"
    key = f"suggest:{verdict.key}"
    entry = ws.ledger.append("suggested", key, verdict.as_of, reason, {"version": candidate}, ws.loaded.hash, ws.run)
    return Outcome(entry.reason, {"version": candidate})
