"""The label queue: what a request is for, its deadline and its answers; leases, annotators, memory of backends."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)
APP = "Application (registered model name)."
COLUMNS = (
    sa.Column(
        "use",
        sa.String(16),
        server_default="evaluation",
        nullable=False,
        comment="evaluation, or training: its label never judges a model.",
    ),
    sa.Column(
        "needed", sa.Integer(), server_default="1", nullable=False, comment="People who must answer, by the draw."
    ),
    sa.Column(
        "opinions",
        sa.Integer(),
        server_default="0",
        nullable=False,
        comment="Further people who must, because somebody asked for a review.",
    ),
    sa.Column("votes", sa.Integer(), server_default="0", nullable=False, comment="People whose answer is a label."),
    sa.Column("priority", sa.Float(53), server_default="0", nullable=False, comment="The larger is asked first."),
    sa.Column("deadline", INSTANT, nullable=True, comment="Unanswered from then on it is expired."),
    sa.Column(
        "closed",
        sa.String(16),
        nullable=True,
        comment="expired or cancelled: nobody is asked any more; null = somebody is.",
    ),
    sa.Column("value", sa.Float(53), nullable=True, comment="Label its answers make, as in the log; null = none yet."),
    sa.Column("known_at", INSTANT, nullable=True, comment="When that label was known."),
    sa.Column("written", sa.Float(53), nullable=True, comment="Label that was last written to the log; null = none."),
)


def upgrade() -> None:
    for column in COLUMNS:
        op.add_column("label_request", column._copy())
    _say_states("open, disputed, answered, expired, cancelled, repeated or unchosen.")
    _answers()
    _leases()
    _people()


def _say_states(comment: str) -> None:
    if op.get_bind().dialect.name == "postgresql":  # SQLite keeps no comments
        op.alter_column("label_request", "state", existing_type=sa.String(16), existing_nullable=False, comment=comment)


def _answers() -> None:
    op.create_table(
        "label_answer",
        sa.Column("app", sa.String(128), nullable=False, comment=APP),
        sa.Column("id", sa.String(128), nullable=False, comment="Hash of the answer: the same answer twice is one."),
        sa.Column("key", sa.String(255), nullable=False, comment="Record key."),
        sa.Column("annotator", sa.String(255), nullable=False, comment="Who answered."),
        sa.Column("value", sa.Float(53), nullable=True, comment="Label as in the log; null = cannot tell."),
        sa.Column("answered_at", INSTANT, nullable=False, comment="When it was given."),
        sa.Column("via", sa.String(32), nullable=False, comment="Backend it came through."),
        sa.Column("decides", sa.Integer(), nullable=False, comment="1 = of an adjudicator, outweighs all others."),
        sa.Column("recorded_at", INSTANT, nullable=False, comment="Audit: wall clock when first recorded."),
        sa.PrimaryKeyConstraint("app", "id", name="pk_label_answer"),
        comment="What annotators answered; append-only, a changed mind is a new row.",
    )
    op.create_index("ix_label_answer_app_key", "label_answer", ["app", "key"])


def _leases() -> None:
    op.create_table(
        "label_lease",
        sa.Column("app", sa.String(128), nullable=False, comment=APP),
        sa.Column("key", sa.String(255), nullable=False, comment="Record key."),
        sa.Column("annotator", sa.String(255), nullable=False, comment="Who holds the row."),
        sa.Column("expires_at", INSTANT, nullable=False, comment="Wall clock from which the row is free again."),
        sa.PrimaryKeyConstraint("app", "key", "annotator", name="pk_label_lease"),
        comment="Rows that annotators have before them; one that expired counts for nothing.",
    )


def _people() -> None:
    op.create_table(
        "annotator",
        sa.Column("app", sa.String(128), nullable=False, comment=APP),
        sa.Column("name", sa.String(255), nullable=False, comment="Who may answer on the labelling page."),
        sa.Column(
            "token_hash",
            sa.String(64),
            nullable=False,
            comment="SHA-256 of the access token; empty = access withdrawn.",
        ),
        sa.Column("added_at", INSTANT, nullable=False, comment="Audit: wall clock when added."),
        sa.PrimaryKeyConstraint("app", "name", name="pk_annotator"),
        comment="People who may label.",
    )
    op.create_table(
        "label_cursor",
        sa.Column("app", sa.String(128), nullable=False, comment=APP),
        sa.Column("labeler", sa.String(128), nullable=False, comment="Kind of the labeler."),
        sa.Column("name", sa.String(128), nullable=False, comment="What is remembered: project, cursor, ..."),
        sa.Column("value", sa.Text(), nullable=False, comment="As the labeler wrote it."),
        sa.PrimaryKeyConstraint("app", "labeler", "name", name="pk_label_cursor"),
        comment="What a labeling backend must remember between runs.",
    )


def downgrade() -> None:
    _say_states("open, answered, expired, cancelled or unchosen.")
    for table in ("label_cursor", "annotator", "label_lease", "label_answer"):
        op.drop_table(table)
    for column in reversed(COLUMNS):
        op.drop_column("label_request", column.name)
