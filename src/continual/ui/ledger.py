"""The ledger page: search, one entry with its evidence, and whether the chain holds."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from continual.core.canonical import canonical_json
from continual.errors import LedgerError
from continual.flows.workspace import Workspace
from continual.stores.entry import GENESIS
from continual.stores.ledger_pages import LIMIT, LedgerPages, Line, Wanted
from continual.ui.asked import Asked, NotFound

if TYPE_CHECKING:
    from continual.stores.entry import Entry

#: Entries whose hashes one request recomputes.
STEP = 5000
#: Items of a list, and characters of a text, that a page shows of an entry's evidence.
SHOWN, LONGEST = 40, 2000
DEPTH = 6


@dataclass(frozen=True)
class ChainState:
    """How far this server has recomputed the chain. verified: entries from the first on. total: entries there are.
    problem: of the first that does not hold."""

    verified: int
    total: int
    problem: str | None = None

    @property
    def complete(self) -> bool:
        return self.problem is None and self.verified == self.total


class Chains:
    """What this process verified so far, by application; later requests go on from there."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[int, str]] = {}

    def state(self, ws: Workspace, go_on: bool) -> ChainState:
        """go_on: recompute up to STEP more entries; what was recorded since a complete verification always is."""
        seq, prev_hash = self._known.get(ws.app, (0, GENESIS))
        newest = LedgerPages(ws.db, ws.app).newest()
        total = newest.seq if newest else 0
        if go_on or 0 < total - seq <= LIMIT or total <= LIMIT:
            try:
                seq, prev_hash = ws.ledger.verify_from(seq, prev_hash, STEP)
            except LedgerError as error:
                return ChainState(seq, total, str(error))
            self._known[ws.app] = (seq, prev_hash)
        return ChainState(seq, max(total, seq))


@dataclass(frozen=True)
class LedgerPage:
    """lines: newest first. newer, older: sequence numbers the neighbouring pages start from; None = there is none."""

    wanted: Wanted
    lines: tuple[Line, ...]
    kinds: dict[str, int]
    chain: ChainState
    newer: int | None
    older: int | None


def ledger_page(ws: Workspace, asked: Asked, chains: Chains) -> LedgerPage:
    """
    Raises
    ------
    ContinualError: a number or an instant of the query cannot be read.
    """
    pages = LedgerPages(ws.db, ws.app)
    kind = asked.text("kind")
    wanted = Wanted(
        kinds=(kind,) if kind else (),
        words=asked.text("q"),
        since=asked.instant("since"),
        until=asked.instant("until"),
        before=asked.number("before"),
        after=asked.number("after"),
    )
    found = pages.page(wanted, LIMIT)
    every = replace(wanted, before=None, after=None)
    newer = older = None
    if found:
        newer = found[0].seq if pages.page(replace(every, after=found[0].seq), 1) else None
        older = found[-1].seq if pages.page(replace(every, before=found[-1].seq), 1) else None
    chain = chains.state(ws, bool(asked.text("verify")))
    return LedgerPage(wanted, tuple(found), pages.kinds(), chain, newer, older)


@dataclass(frozen=True)
class EntryPage:
    """holds: whether the entry's hash is that of its content and follows the entry before."""

    entry: Entry
    evidence: Node
    holds: bool
    size: int


@dataclass(frozen=True)
class Node:
    """Evidence for reading. kind: fields (name -> Node), table (columns and rows of texts), items or text. more: of a
    list, what is left out."""

    kind: str
    text: str = ""
    fields: tuple[tuple[str, Node], ...] = ()
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    items: tuple[Node, ...] = ()
    more: int = 0


def entry_page(ws: Workspace, seq: int) -> EntryPage:
    """
    Raises
    ------
    NotFound: the ledger has no such entry.
    """
    entry = _entry(ws, seq)
    before = LedgerPages(ws.db, ws.app).page(Wanted(before=seq), 1)
    follows = entry.prev_hash == (before[0].hash if before else GENESIS)
    size = len(canonical_json(entry.evidence))
    return EntryPage(entry, node(entry.evidence), follows and entry.hash == entry.computed_hash(), size)


def evidence_json(ws: Workspace, seq: int) -> str:
    """All of an entry's evidence.

    Raises
    ------
    NotFound: the ledger has no such entry.
    """
    return canonical_json(_entry(ws, seq).evidence)


def _entry(ws: Workspace, seq: int) -> Entry:
    entry = LedgerPages(ws.db, ws.app).entry(seq)
    if entry is None:
        raise NotFound("An entry must be in the ledger.", f"there is no entry {seq}.", "look in the list.")
    return entry


def node(value: Any, depth: int = 0) -> Node:
    """Evidence as it is shown: dicts as fields, lists of alike dicts as tables, everything else as text."""
    if isinstance(value, dict) and value and depth < DEPTH:
        return Node("fields", fields=tuple((str(k), node(v, depth + 1)) for k, v in value.items()))
    if isinstance(value, list) and value and depth < DEPTH:
        return _list(value, depth)
    return Node("text", text=_text(value))


def _list(value: list[Any], depth: int) -> Node:
    shown, more = value[:SHOWN], max(0, len(value) - SHOWN)
    if all(isinstance(item, dict) for item in shown):
        flat = all(not isinstance(v, (dict, list)) for item in shown for v in item.values())
        if flat:
            columns = tuple(dict.fromkeys(str(k) for item in shown for k in item))
            rows = tuple(tuple(_text(item.get(c)) for c in columns) for item in shown)
            return Node("table", columns=columns, rows=rows, more=more)
    if all(not isinstance(item, (dict, list)) for item in shown):
        return Node("text", text=", ".join(_text(item) for item in shown), more=more)
    return Node("items", items=tuple(node(item, depth + 1) for item in shown), more=more)


def _text(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}"
    text = value if isinstance(value, str) else canonical_json(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]} ..."
