"""All tables of the evaluation store."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)
JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def _c(name: str, kind: Any, comment: str, null: bool = False) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=null, comment=comment)


def _batch() -> None:
    op.create_table(
        "batch",
        _c("id", sa.String(128), "Hash of application, stream and content hash."),
        _c("app", sa.String(128), "Application (registered model name)."),
        _c("stream", sa.String(64), "predictions or labels."),
        _c("name", sa.String(1024), "Name at the source (file, topic offset, ...)."),
        _c("content_hash", sa.String(128), "Hash of the content: the same content is the same batch."),
        _c("state", sa.String(16), "appended, quarantined, superseded or duplicate."),
        _c("rows", sa.Integer(), "Rows accepted."),
        _c("rows_quarantined", sa.Integer(), "Rows set aside."),
        _c("window_start", INSTANT, "Start of the window, inclusive.", null=True),
        _c("window_end", INSTANT, "End of the window, exclusive.", null=True),
        _c("reason", sa.Text(), "Why it is in this state.", null=True),
        _c("as_of", INSTANT, "as_of of the ingesting run."),
        sa.PrimaryKeyConstraint("id", name="pk_batch"),
        comment="Source batches seen by ingest.",
    )
    op.create_index("ix_batch_app_stream_name", "batch", ["app", "stream", "name"])


def _champion_history() -> None:
    op.create_table(
        "champion_history",
        _c("app", sa.String(128), "Application (registered model name)."),
        _c("seq", sa.Integer(), "1, 2, 3, ... per application."),
        _c("version", sa.String(128), "Champion from here on."),
        _c("previous", sa.String(128), "Champion before; null at bootstrap.", null=True),
        _c("kind", sa.String(16), "bootstrap, promote, rollback or adopted (moved by hand)."),
        _c("as_of", INSTANT, "as_of of the decision."),
        _c("decision_key", sa.String(255), "Key of the decision in the ledger."),
        _c("recorded_at", INSTANT, "Audit: wall clock when recorded."),
        sa.PrimaryKeyConstraint("app", "seq", name="pk_champion_history"),
        sa.UniqueConstraint("app", "decision_key", name="uq_champion_history_app_decision_key"),
        comment="Which version was champion, in order.",
    )


def _dataset_version() -> None:
    op.create_table(
        "dataset_version",
        _c("app", sa.String(128), "Application (registered model name)."),
        _c("id", sa.String(128), "Hash of specification and rows."),
        _c("purpose", sa.String(16), "train, calibrate or evaluate."),
        _c("window_start", INSTANT, "Start of the window, inclusive."),
        _c("window_end", INSTANT, "End of the window, exclusive."),
        _c("as_of", INSTANT, "Only rows and labels known by then."),
        _c("snapshot_id", sa.String(32), "Iceberg snapshot of the predictions that was read.", null=True),
        _c("sampler", JSON, "Sampler and its parameters.", null=True),
        _c("seed", sa.BigInteger(), "Seed of the sampler.", null=True),
        _c("n_rows", sa.BigInteger(), "Rows."),
        _c("columns", JSON, "Names of the columns, in order."),
        _c("path", sa.Text(), "Parquet file with the rows' keys and hashes, relative to the data root."),
        _c("recorded_at", INSTANT, "Audit: wall clock when first recorded."),
        sa.PrimaryKeyConstraint("app", "id", name="pk_dataset_version"),
        comment="What a model was trained or judged on.",
    )


def _decision() -> None:
    op.create_table(
        "decision",
        _c("app", sa.String(128), "Application (registered model name)."),
        _c("seq", sa.Integer(), "1, 2, 3, ... per application."),
        _c("kind", sa.String(64), "What was decided: trigger, verdict, promote, rollback, ..."),
        _c("key", sa.String(255), "Idempotency key: the same decision is recorded once."),
        _c("as_of", INSTANT, "What was known when it was decided."),
        _c("reason", sa.Text(), "One sentence for people."),
        _c("evidence", JSON, "Everything the decision rests on."),
        _c("policy_hash", sa.String(128), "Policy in force."),
        _c("run", sa.String(255), "Run that decided.", null=True),
        _c("recorded_at", INSTANT, "Audit: wall clock when recorded."),
        _c("prev_hash", sa.String(64), "hash of the row before; 64 zeros in the first."),
        _c("hash", sa.String(64), "SHA-256 over all other columns in canonical JSON."),
        sa.PrimaryKeyConstraint("app", "seq", name="pk_decision"),
        sa.UniqueConstraint("app", "key", name="uq_decision_app_key"),
        comment="The Ledger: append-only, hash-chained record of every decision.",
    )
    op.create_index("ix_decision_app_kind_seq", "decision", ["app", "kind", "seq"])


def _evaluation() -> None:
    op.create_table(
        "evaluation",
        _c("id", sa.String(128), "Hash of the columns that identify the row."),
        _c("app", sa.String(128), "Application (registered model name)."),
        _c("purpose", sa.String(16), "gate, monitor or estimate."),
        _c("window_start", INSTANT, "Start of the window, event time, inclusive."),
        _c("window_end", INSTANT, "End of the window, event time, exclusive."),
        _c("as_of", INSTANT, "Only rows and labels known by then were used."),
        _c("model_version", sa.String(128), "Model version that was measured."),
        _c("slice", sa.String(255), "Slice; 'overall' is all rows."),
        _c("metric", sa.String(255), "Metric."),
        _c("decision_key", sa.String(255), "Key of the decision it served; '' when none."),
        _c("value", sa.Float(53), "Estimate in the metric's unit; null = undefined, never 0.", null=True),
        _c("low", sa.Float(53), "Lower end of the 95% interval.", null=True),
        _c("high", sa.Float(53), "Upper end of the 95% interval.", null=True),
        _c("n", sa.Integer(), "Rows in the slice."),
        _c("n_labelled", sa.Integer(), "Rows with a label."),
        _c("method", sa.Text(), "How value and interval were computed."),
        sa.PrimaryKeyConstraint("id", name="pk_evaluation"),
        comment="How good a model version was on a slice in a window, as known at an instant.",
    )
    op.create_index("ix_evaluation_app_model_version", "evaluation", ["app", "model_version"])
    op.create_index("ix_evaluation_app_window_start", "evaluation", ["app", "window_start"])


def _label_request() -> None:
    op.create_table(
        "label_request",
        _c("app", sa.String(128), "Application (registered model name)."),
        _c("key", sa.String(255), "Record key to label."),
        _c("asked_at", INSTANT, "as_of of the run that asked."),
        _c("probability", sa.Float(53), "Inclusion probability in (0, 1]."),
        _c("components", JSON, "Inclusion probability by component of the sampler."),
        _c("sampler", sa.String(128), "Kind of the sampler."),
        _c("state", sa.String(16), "open, answered, expired, cancelled or unchosen."),
        _c("model_version", sa.String(128), "Model version whose predictions the sampler read.", null=True),
        _c("window_start", INSTANT, "Start of the sampled window, inclusive."),
        _c("window_end", INSTANT, "End of the sampled window, exclusive."),
        sa.PrimaryKeyConstraint("app", "key", "asked_at", name="pk_label_request"),
        comment="Rows sent to labelers, with the probability that makes estimates unbiased.",
    )
    op.create_index("ix_label_request_app_state", "label_request", ["app", "state"])


def _lock() -> None:
    op.create_table(
        "lock",
        _c("app", sa.String(128), "Application (registered model name)."),
        _c("holder", sa.String(255), "Run that holds the lease; null = free.", null=True),
        _c("expires_at", INSTANT, "Wall clock after which anybody may take it."),
        _c("expected_champion", sa.String(128), "Champion the holder saw; null = none.", null=True),
        _c("token", sa.Integer(), "Fencing token, grows with every acquisition."),
        sa.PrimaryKeyConstraint("app", name="pk_lock"),
        comment="The lease: one writer per application.",
    )


def _metric() -> None:
    op.create_table(
        "metric",
        _c("app", sa.String(128), "Application (registered model name)."),
        _c("name", sa.String(255), "Name of the metric."),
        _c("policy_hash", sa.String(128), "Policy that stated this contract."),
        _c("owner", sa.String(255), "Who answers for the metric."),
        _c("priority", sa.String(16), "primary, guardrail or report."),
        _c("direction", sa.String(16), "Which way is better: higher or lower."),
        _c("margin", sa.Float(53), "Non-inferiority margin, in the metric's unit.", null=True),
        _c("floor", sa.Float(53), "Absolute bound a champion must meet, in the metric's unit.", null=True),
        sa.PrimaryKeyConstraint("app", "name", "policy_hash", name="pk_metric"),
        comment="Metric contracts by policy.",
    )


def _model_version() -> None:
    op.create_table(
        "model_version",
        _c("app", sa.String(128), "Application (registered model name)."),
        _c("version", sa.String(128), "Model version in the registry."),
        _c("run_id", sa.String(128), "Training run in the tracking server.", null=True),
        _c("recipe_hash", sa.String(128), "Lineage: hash of everything that determined the model.", null=True),
        _c("dataset_id", sa.String(128), "dataset_version.id it was trained on.", null=True),
        _c("trained_start", INSTANT, "Start of the training window, event time, inclusive.", null=True),
        _c("trained_end", INSTANT, "End of the training window, event time, exclusive.", null=True),
        _c("state", sa.String(16), "candidate, champion, previous, retired or quarantined."),
        _c("reason", sa.Text(), "Why it is quarantined.", null=True),
        _c("trusted", JSON, "Types its artifact may hold; anything else refuses to load."),
        _c("validation", sa.Float(53), "Primary metric before the judging window; null = undefined.", null=True),
        _c("recorded_at", INSTANT, "Audit: wall clock when first recorded."),
        sa.PrimaryKeyConstraint("app", "version", name="pk_model_version"),
        comment="Every trained version and its state; at most one champion per application.",
    )
    op.create_index("ix_model_version_app_recipe_hash", "model_version", ["app", "recipe_hash"])
    where = sa.text("state = 'champion'")
    op.create_index(
        "ux_model_version_one_champion",
        "model_version",
        ["app"],
        unique=True,
        sqlite_where=where,
        postgresql_where=where,
    )


def _quarantine_item() -> None:
    op.create_table(
        "quarantine_item",
        _c("id", sa.String(128), "Stable identity of the item."),
        _c("app", sa.String(128), "Application (registered model name)."),
        _c("batch_id", sa.String(128), "batch.id it came from."),
        _c("stream", sa.String(64), "predictions or labels."),
        _c("n_rows", sa.Integer(), "Rows set aside."),
        _c("reason", sa.Text(), "Which expectation failed and how."),
        _c("state", sa.String(16), "open, replayed, superseded or discarded."),
        _c("ref", sa.Text(), "Where the rows are: item_id in the quarantine table, or a path."),
        _c("opened_as_of", INSTANT, "as_of of the run that set them aside."),
        sa.PrimaryKeyConstraint("id", name="pk_quarantine_item"),
        comment="Rows set aside by ingest, until a person or a replay resolves them.",
    )
    op.create_index("ix_quarantine_item_app_state", "quarantine_item", ["app", "state"])


def _slice() -> None:
    op.create_table(
        "slice",
        _c("app", sa.String(128), "Application (registered model name)."),
        _c("name", sa.String(255), "Name of the slice."),
        _c("version", sa.String(128), "Hash of the slice set this definition belongs to."),
        _c("predicate", sa.Text(), "Expression over logged columns."),
        _c("tier", sa.String(16), "critical, standard or long_tail."),
        _c("parent", sa.String(255), "Slice it rolls up to.", null=True),
        _c("first_seen", INSTANT, "as_of of the first run that used this definition."),
        sa.PrimaryKeyConstraint("app", "name", "version", name="pk_slice"),
        comment="Definitions of slices; a changed definition is a new row.",
    )


def upgrade() -> None:
    _batch()
    _champion_history()
    _dataset_version()
    _decision()
    _evaluation()
    _label_request()
    _lock()
    _metric()
    _model_version()
    _quarantine_item()
    _slice()


def downgrade() -> None:
    for name in (
        "slice",
        "quarantine_item",
        "model_version",
        "metric",
        "lock",
        "label_request",
        "evaluation",
        "decision",
        "dataset_version",
        "champion_history",
        "batch",
    ):
        op.drop_table(name)
