"""Tables of the evaluation store about rows that were taken out of use."""

from __future__ import annotations

from sqlalchemy import BigInteger, Index, Integer, String, Table

from continual.stores.columns import APP, Id, Instant, Json, Words, metadata
from continual.stores.columns import column as c

withdrawal = Table(
    "withdrawal",
    metadata,
    c("app", Id, APP, key=True),
    c("id", Id, "Beginning of the hash of application, rows and instant.", key=True),
    c("stream", String(64), "predictions or labels."),
    c("window_start", Instant, "Event time of the rows (labels: when known), inclusive."),
    c("window_end", Instant, "Event time of the rows (labels: when known), exclusive."),
    c("predicate", Words, "Expression over logged columns; null = every row of the window.", null=True),
    c("projections", Json, "Computed columns the predicate reads: name to expression."),
    c("batches", Json, "batch.id of the batches the rows came in; null = any.", null=True),
    c("reason", Words, "Why, as a person or a diagnosis said."),
    c("by", String(255), "Who withdrew."),
    c("as_of", Instant, "Reads as of then and later do not see the rows."),
    c("seq", Integer(), "Order of changes per application, restorations counted."),
    c("n_rows", BigInteger(), "Rows it took out when it was made."),
    c("restored_as_of", Instant, "Reads as of then and later see them again; null = withdrawn.", null=True),
    c("restored_by", String(255), "Who restored.", null=True),
    c("restored_reason", Words, "Why restored.", null=True),
    c("restored_seq", Integer(), "As seq, of the restoration.", null=True),
    comment="Rows taken out of use from an instant on; they stay in the log, and nothing reads them.",
)

withdrawal_effect = Table(
    "withdrawal_effect",
    metadata,
    c("app", Id, APP, key=True),
    c("withdrawal", Id, "withdrawal.id", key=True),
    c("kind", String(16), "day, dataset, version or verdict.", key=True),
    c("ref", String(255), "UTC day, dataset_version.id, model_version.version, or decision.key.", key=True),
    c("n_rows", BigInteger(), "Withdrawn rows it rests on."),
    Index("ix_withdrawal_effect_app_kind_ref", "app", "kind", "ref"),
    comment="What had been made of withdrawn rows: its numbers stand, and rest on them.",
)
