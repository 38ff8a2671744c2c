"""Withdrawals: rows out of use, and what had been made of them; the labels a dataset was read from."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)
JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
APP = "Application (registered model name)."


def _c(name: str, kind: Any, comment: str, null: bool = False) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=null, comment=comment)


def upgrade() -> None:
    op.create_table(
        "withdrawal",
        _c("app", sa.String(128), APP),
        _c("id", sa.String(128), "Beginning of the hash of application, rows and instant."),
        _c("stream", sa.String(64), "predictions or labels."),
        _c("window_start", INSTANT, "Event time of the rows (labels: when known), inclusive."),
        _c("window_end", INSTANT, "Event time of the rows (labels: when known), exclusive."),
        _c("predicate", sa.Text(), "Expression over logged columns; null = every row of the window.", null=True),
        _c("projections", JSON, "Computed columns the predicate reads: name to expression."),
        _c("batches", JSON, "batch.id of the batches the rows came in; null = any.", null=True),
        _c("reason", sa.Text(), "Why, as a person or a diagnosis said."),
        _c("by", sa.String(255), "Who withdrew."),
        _c("as_of", INSTANT, "Reads as of then and later do not see the rows."),
        _c("seq", sa.Integer(), "Order of changes per application, restorations counted."),
        _c("n_rows", sa.BigInteger(), "Rows it took out when it was made."),
        _c("restored_as_of", INSTANT, "Reads as of then and later see them again; null = withdrawn.", null=True),
        _c("restored_by", sa.String(255), "Who restored.", null=True),
        _c("restored_reason", sa.Text(), "Why restored.", null=True),
        _c("restored_seq", sa.Integer(), "As seq, of the restoration.", null=True),
        sa.PrimaryKeyConstraint("app", "id", name="pk_withdrawal"),
        comment="Rows taken out of use from an instant on; they stay in the log, and nothing reads them.",
    )
    op.create_table(
        "withdrawal_effect",
        _c("app", sa.String(128), APP),
        _c("withdrawal", sa.String(128), "withdrawal.id"),
        _c("kind", sa.String(16), "day, dataset, version or verdict."),
        _c("ref", sa.String(255), "UTC day, dataset_version.id, model_version.version, or decision.key."),
        _c("n_rows", sa.BigInteger(), "Withdrawn rows it rests on."),
        sa.PrimaryKeyConstraint("app", "withdrawal", "kind", "ref", name="pk_withdrawal_effect"),
        comment="What had been made of withdrawn rows: its numbers stand, and rest on them.",
    )
    op.create_index("ix_withdrawal_effect_app_kind_ref", "withdrawal_effect", ["app", "kind", "ref"])
    labels = "Iceberg snapshot of the labels that was read."
    op.add_column("dataset_version", sa.Column("labels_snapshot_id", sa.String(32), nullable=True, comment=labels))


def downgrade() -> None:
    op.drop_column("dataset_version", "labels_snapshot_id")
    op.drop_index("ix_withdrawal_effect_app_kind_ref", "withdrawal_effect")
    op.drop_table("withdrawal_effect")
    op.drop_table("withdrawal")
