"""A version may continue another one."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    comment = "Version whose fit it continues (warm start); null = it started anew."
    op.add_column("model_version", sa.Column("base", sa.String(128), nullable=True, comment=comment))


def downgrade() -> None:
    with op.batch_alter_table("model_version") as table:
        table.drop_column("base")
