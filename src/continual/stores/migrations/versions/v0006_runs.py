"""What a run wrote is found by its name."""

from __future__ import annotations

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_decision_app_run", "decision", ["app", "run"], postgresql_ops={"run": "text_pattern_ops"})


def downgrade() -> None:
    op.drop_index("ix_decision_app_run", "decision")
