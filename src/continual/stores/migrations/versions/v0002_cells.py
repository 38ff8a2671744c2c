"""Cells and the sequence of their builds."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)
JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def _c(name: str, kind: Any, comment: str) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=False, comment=comment)


def upgrade() -> None:
    op.create_table(
        "cell",
        _c("app", sa.String(128), "Application (registered model name)."),
        _c("model_version", sa.String(257), "Model version, 'live' (as served), or 'a~b' (a pair's differences)."),
        _c("layout", sa.String(128), "Hash of slices, carried statistics and score bins."),
        _c("day", sa.Integer(), "UTC day number (days since 1970-01-01) of the event time."),
        _c("as_of", INSTANT, "Only rows and labels known by then are in; a newer generation is a new row."),
        _c("n_rows", sa.BigInteger(), "Rows of the day."),
        _c("n_labelled", sa.BigInteger(), "Rows with a label and a score."),
        _c("blob", sa.LargeBinary(), "The day's cells, compressed (continual.cells.block)."),
        sa.PrimaryKeyConstraint("app", "model_version", "layout", "day", "as_of", name="pk_cell"),
        comment="Mergeable statistics of a model version by day and slice; a window is a sum of them.",
    )
    op.create_table(
        "cell_build",
        _c("app", sa.String(128), "Application (registered model name)."),
        _c("model_version", sa.String(257), "As in cell."),
        _c("layout", sa.String(128), "As in cell."),
        _c("as_of", INSTANT, "Everything known by then is in the cells."),
        _c(
            "snapshots", JSON, "Iceberg snapshots of the log that were read, by table; later ones hold what came since."
        ),
        sa.PrimaryKeyConstraint("app", "model_version", "layout", "as_of", name="pk_cell_build"),
        comment="Instants up to which the cells were complete.",
    )


def downgrade() -> None:
    op.drop_table("cell_build")
    op.drop_table("cell")
