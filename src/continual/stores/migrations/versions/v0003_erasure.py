"""Erasure and retention: which days lost rows, and which datasets."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "erasure",
        sa.Column("id", sa.String(128), nullable=False, comment="Hash of application, request and day."),
        sa.Column("app", sa.String(128), nullable=False, comment="Application (registered model name)."),
        sa.Column("day", sa.Date(), nullable=False, comment="UTC day of event time whose numbers are affected."),
        sa.Column(
            "n_rows", sa.BigInteger(), nullable=False, comment="Predictions that went; 0 = only labels or scores."
        ),
        sa.Column("reason", sa.Text(), nullable=False, comment="Why, as asked; never the keys."),
        sa.Column("as_of", sa.DateTime(timezone=True), nullable=False, comment="as_of of the request."),
        sa.Column("kind", sa.String(16), nullable=False, comment="erase (record keys) or retention (whole days)."),
        sa.PrimaryKeyConstraint("id", name="pk_erasure"),
        comment="Days whose rows were erased: what was computed of them before cannot be reproduced.",
    )
    op.create_index("ix_erasure_app_day", "erasure", ["app", "day"])
    n_erased = "Rows erased since it was saved; above 0 it is no longer reproducible."
    op.add_column(
        "dataset_version", sa.Column("n_erased", sa.BigInteger(), server_default="0", nullable=False, comment=n_erased)
    )
    left = "Content hash of the rows that are left; null = all of them are."
    op.add_column("dataset_version", sa.Column("left_hash", sa.String(128), nullable=True, comment=left))


def downgrade() -> None:
    op.drop_column("dataset_version", "left_hash")
    op.drop_column("dataset_version", "n_erased")
    op.drop_index("ix_erasure_app_day", "erasure")
    op.drop_table("erasure")
