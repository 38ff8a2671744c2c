"""What each commit of a log's table did: files that came, and files whose rows were put together into others."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from pyiceberg.manifest import ManifestContent, ManifestEntryStatus

if TYPE_CHECKING:
    from pyiceberg.manifest import ManifestEntry
    from pyiceberg.table import Table
    from pyiceberg.table.snapshots import Snapshot

#: In the summary of a commit that changed no row: small files of a partition became larger ones.
COMPACTED = "continual.compacted"
#: (paths that went, paths that came) of one partition.
Replaced = tuple[set[str], set[str]]


def after(table: Table, since: int | None) -> list[Snapshot] | None:
    """The snapshots after `since`, oldest first; None when it is no part of the present history."""
    by_id = {one.snapshot_id: one for one in table.metadata.snapshots}
    newer, now = list[Any](), table.current_snapshot()
    while now is not None and now.snapshot_id != since:
        newer.append(now)
        now = by_id.get(now.parent_snapshot_id) if now.parent_snapshot_id else None
    return newer[::-1] if now is not None else None


def compacts(snapshot: Snapshot) -> bool:
    return snapshot.summary is not None and snapshot.summary.additional_properties.get(COMPACTED) is not None


def appends(snapshot: Snapshot) -> bool:
    from pyiceberg.table.snapshots import Operation

    return snapshot.summary is not None and snapshot.summary.operation == Operation.APPEND


def came(table: Table, snapshot: Snapshot) -> list[ManifestEntry]:
    """The data files that this commit wrote."""
    return [entry for entry in _own(table, snapshot) if entry.status == ManifestEntryStatus.ADDED]


def replaced(table: Table, snapshot: Snapshot) -> list[Replaced]:
    """Of a commit that `compacts`: which files stand for which, one pair for each partition."""
    found: dict[tuple[Any, ...], Replaced] = defaultdict(lambda: (set(), set()))
    for entry in _own(table, snapshot):
        old, new = found[partition_of(entry.data_file)]
        (new if entry.status == ManifestEntryStatus.ADDED else old).add(entry.data_file.file_path)
    return list(found.values())


def partition_of(file: Any) -> tuple[Any, ...]:
    """Hashable: the spec and the values of the partition a data file lies in."""
    return (file.spec_id, *(file.partition[i] for i in range(len(file.partition))))


def _own(table: Table, snapshot: Snapshot) -> list[ManifestEntry]:
    lists = [one for one in snapshot.manifests(table.io) if one.added_snapshot_id == snapshot.snapshot_id]
    entries = [
        entry
        for one in lists
        if one.content == ManifestContent.DATA
        for entry in one.fetch_manifest_entry(table.io, discard_deleted=False)
    ]
    return [
        entry
        for entry in entries
        if entry.snapshot_id == snapshot.snapshot_id and entry.status != ManifestEntryStatus.EXISTING
    ]
