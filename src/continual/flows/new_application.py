"""A table of a user's own becomes an application: its policy file, and its history where ingest finds it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from continual.core.target import Target
from continual.flows import deliver as flow
from continual.flows.new_policy import facts_of, policy_text
from continual.policy.load import parse_policy

if TYPE_CHECKING:
    import pyarrow as pa

    from continual.flows.table import Columns


@dataclass(frozen=True)
class Origin:
    """Where rows come from. place: a file, or the URL of a database; then `table` names the table, or is a SELECT."""

    place: str
    table: str | None = None

    @property
    def name(self) -> str:
        """Of the policy's first comment; a URL may hold a password."""
        return "a database" if "://" in self.place else Path(self.place).name

    @property
    def lasting(self) -> str:
        """Found again from another folder."""
        return self.place if "://" in self.place else str(Path(self.place).expanduser().resolve())


def create(
    home: Path,
    policy: Path,
    owner: str,
    origin: Origin,
    rows: pa.Table,
    columns: Columns,
    until: datetime,
    now: datetime,
    progress: flow.Progress = lambda *_: None,
) -> flow.Delivered:
    """Write the policy file and deliver the days before `until` as history; later ones are for `deliver`.

    policy: file to write; its name is the application's. rows, columns: of `flows.table.read_table` and
    `guess_columns`.

    Raises
    ------
    PolicyError: no valid policy can be made of it; then nothing is written.
    """
    name = policy.stem
    text = policy_text(name, owner, columns, facts_of(rows, columns), origin.name, now)
    parse_policy(text, str(policy))
    policy.parent.mkdir(parents=True, exist_ok=True)
    policy.write_text(text, encoding="utf-8")
    folder, target = flow.landing(home, name), Target(columns.task, columns.classes)  # type: ignore[arg-type]
    flow.remember(folder, origin.lasting, origin.table, columns)
    return flow.deliver(flow.rows_of(rows, columns, target), folder, target, until, None, progress)
