"""The evaluation store: every table and column, documented in the schema itself.

Downstream systems read these tables with SQL: rename or drop nothing without a migration and a changelog line.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Date,
    DefaultClause,
    Float,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    UniqueConstraint,
    text,
)

from continual.stores.columns import APP, Id, Instant, Json, Words, metadata
from continual.stores.columns import column as c
from continual.stores.label_tables import annotator, label_answer, label_cursor, label_lease, label_request
from continual.stores.retrain_tables import day_gain, retrain_result
from continual.stores.tables_withdrawal import withdrawal, withdrawal_effect

__all__ = [
    "annotator",
    "day_gain",
    "label_answer",
    "label_cursor",
    "label_lease",
    "label_request",
    "metadata",
    "retrain_result",
    "withdrawal",
    "withdrawal_effect",
]

model_version = Table(
    "model_version",
    metadata,
    c("app", Id, APP, key=True),
    c("version", Id, "Model version in the registry.", key=True),
    c("run_id", Id, "Training run in the tracking server.", null=True),
    c("recipe_hash", Id, "Lineage: hash of everything that determined the model.", null=True),
    c("dataset_id", Id, "dataset_version.id it was trained on.", null=True),
    c("trained_start", Instant, "Start of the training window, event time, inclusive.", null=True),
    c("trained_end", Instant, "End of the training window, event time, exclusive.", null=True),
    c("state", String(16), "candidate, champion, previous, retired or quarantined."),
    c("reason", Words, "Why it is quarantined.", null=True),
    c("trusted", Json, "Types its artifact may hold; anything else refuses to load."),
    c("validation", Float(53), "Primary metric before the judging window; null = undefined.", null=True),
    c("base", Id, "Version whose fit it continues (warm start); null = it started anew.", null=True),
    c("recorded_at", Instant, "Audit: wall clock when first recorded."),
    Index(
        "ux_model_version_one_champion",
        "app",
        unique=True,
        sqlite_where=text("state = 'champion'"),
        postgresql_where=text("state = 'champion'"),
    ),
    Index("ix_model_version_app_recipe_hash", "app", "recipe_hash"),
    comment="Every trained version and its state; at most one champion per application.",
)

slice_ = Table(
    "slice",
    metadata,
    c("app", Id, APP, key=True),
    c("name", String(255), "Name of the slice.", key=True),
    c("version", Id, "Hash of the slice set this definition belongs to.", key=True),
    c("predicate", Words, "Expression over logged columns."),
    c("tier", String(16), "critical, standard or long_tail."),
    c("parent", String(255), "Slice it rolls up to.", null=True),
    c("first_seen", Instant, "as_of of the first run that used this definition."),
    comment="Definitions of slices; a changed definition is a new row.",
)

metric = Table(
    "metric",
    metadata,
    c("app", Id, APP, key=True),
    c("name", String(255), "Name of the metric.", key=True),
    c("policy_hash", Id, "Policy that stated this contract.", key=True),
    c("owner", String(255), "Who answers for the metric."),
    c("priority", String(16), "primary, guardrail or report."),
    c("direction", String(16), "Which way is better: higher or lower."),
    c("margin", Float(53), "Non-inferiority margin, in the metric's unit.", null=True),
    c("floor", Float(53), "Absolute bound a champion must meet, in the metric's unit.", null=True),
    comment="Metric contracts by policy.",
)

evaluation = Table(
    "evaluation",
    metadata,
    c("id", Id, "Hash of the columns that identify the row.", key=True),
    c("app", Id, APP),
    c("purpose", String(16), "gate, monitor or estimate."),
    c("window_start", Instant, "Start of the window, event time, inclusive."),
    c("window_end", Instant, "End of the window, event time, exclusive."),
    c("as_of", Instant, "Only rows and labels known by then were used."),
    c("model_version", Id, "Model version that was measured."),
    c("slice", String(255), "Slice; 'overall' is all rows."),
    c("metric", String(255), "Metric."),
    c("decision_key", String(255), "Key of the decision it served; '' when none."),
    c("value", Float(53), "Estimate in the metric's unit; null = undefined, never 0.", null=True),
    c("low", Float(53), "Lower end of the 95% interval.", null=True),
    c("high", Float(53), "Upper end of the 95% interval.", null=True),
    c("n", Integer(), "Rows in the slice."),
    c("n_labelled", Integer(), "Rows with a label."),
    c("method", Words, "How value and interval were computed."),
    Index("ix_evaluation_app_window_start", "app", "window_start"),
    Index("ix_evaluation_app_model_version", "app", "model_version"),
    comment="How good a model version was on a slice in a window, as known at an instant.",
)

dataset_version = Table(
    "dataset_version",
    metadata,
    c("app", Id, APP, key=True),
    c("id", Id, "Hash of specification and rows.", key=True),
    c("purpose", String(16), "train, calibrate or evaluate."),
    c("window_start", Instant, "Start of the window, inclusive."),
    c("window_end", Instant, "End of the window, exclusive."),
    c("as_of", Instant, "Only rows and labels known by then."),
    c("snapshot_id", String(32), "Iceberg snapshot of the predictions that was read.", null=True),
    c("sampler", Json, "Sampler and its parameters.", null=True),
    c("seed", BigInteger(), "Seed of the sampler.", null=True),
    c("n_rows", BigInteger(), "Rows."),
    c("columns", Json, "Names of the columns, in order."),
    c("path", Words, "Parquet file with the rows' keys and hashes, relative to the data root."),
    c("recorded_at", Instant, "Audit: wall clock when first recorded."),
    c(
        "n_erased",
        BigInteger(),
        "Rows erased since it was saved; above 0 it is no longer reproducible.",
        DefaultClause("0"),
    ),
    c("left_hash", Id, "Content hash of the rows that are left; null = all of them are.", null=True),
    c("labels_snapshot_id", String(32), "Iceberg snapshot of the labels that was read.", null=True),
    comment="What a model was trained or judged on.",
)

erasure = Table(
    "erasure",
    metadata,
    c("id", Id, "Hash of application, request and day.", key=True),
    c("app", Id, APP),
    c("day", Date(), "UTC day of event time whose numbers are affected."),
    c("n_rows", BigInteger(), "Predictions that went; 0 = only labels or scores."),
    c("reason", Words, "Why, as asked; never the keys."),
    c("as_of", Instant, "as_of of the request."),
    c("kind", String(16), "erase (record keys) or retention (whole days)."),
    Index("ix_erasure_app_day", "app", "day"),
    comment="Days whose rows were erased: what was computed of them before cannot be reproduced.",
)

decision = Table(
    "decision",
    metadata,
    c("app", Id, APP, key=True),
    c("seq", Integer(), "1, 2, 3, ... per application.", key=True),
    c("kind", String(64), "What was decided: trigger, verdict, promote, rollback, ..."),
    c("key", String(255), "Idempotency key: the same decision is recorded once."),
    c("as_of", Instant, "What was known when it was decided."),
    c("reason", Words, "One sentence for people."),
    c("evidence", Json, "Everything the decision rests on."),
    c("policy_hash", Id, "Policy in force."),
    c("run", String(255), "Run that decided.", null=True),
    c("recorded_at", Instant, "Audit: wall clock when recorded."),
    c("prev_hash", String(64), "hash of the row before; 64 zeros in the first."),
    c("hash", String(64), "SHA-256 over all other columns in canonical JSON."),
    UniqueConstraint("app", "key"),
    Index("ix_decision_app_kind_seq", "app", "kind", "seq"),
    Index("ix_decision_app_run", "app", "run", postgresql_ops={"run": "text_pattern_ops"}),
    comment="The Ledger: append-only, hash-chained record of every decision.",
)

champion_history = Table(
    "champion_history",
    metadata,
    c("app", Id, APP, key=True),
    c("seq", Integer(), "1, 2, 3, ... per application.", key=True),
    c("version", Id, "Champion from here on."),
    c("previous", Id, "Champion before; null at bootstrap.", null=True),
    c("kind", String(16), "bootstrap, promote, rollback or adopted (moved by hand)."),
    c("as_of", Instant, "as_of of the decision."),
    c("decision_key", String(255), "Key of the decision in the ledger."),
    c("recorded_at", Instant, "Audit: wall clock when recorded."),
    UniqueConstraint("app", "decision_key"),
    comment="Which version was champion, in order.",
)

batch = Table(
    "batch",
    metadata,
    c("id", Id, "Hash of application, stream and content hash.", key=True),
    c("app", Id, APP),
    c("stream", String(64), "predictions or labels."),
    c("name", String(1024), "Name at the source (file, topic offset, ...)."),
    c("content_hash", Id, "Hash of the content: the same content is the same batch."),
    c("state", String(16), "appended, quarantined, superseded or duplicate."),
    c("rows", Integer(), "Rows accepted."),
    c("rows_quarantined", Integer(), "Rows set aside."),
    c("window_start", Instant, "Start of the window, inclusive.", null=True),
    c("window_end", Instant, "End of the window, exclusive.", null=True),
    c("reason", Words, "Why it is in this state.", null=True),
    c("as_of", Instant, "as_of of the ingesting run."),
    Index("ix_batch_app_stream_name", "app", "stream", "name"),
    comment="Source batches seen by ingest.",
)

quarantine_item = Table(
    "quarantine_item",
    metadata,
    c("id", Id, "Stable identity of the item.", key=True),
    c("app", Id, APP),
    c("batch_id", Id, "batch.id it came from."),
    c("stream", String(64), "predictions or labels."),
    c("n_rows", Integer(), "Rows set aside."),
    c("reason", Words, "Which expectation failed and how."),
    c("state", String(16), "open, replayed, superseded or discarded."),
    c("ref", Words, "Where the rows are: item_id in the quarantine table, or a path."),
    c("opened_as_of", Instant, "as_of of the run that set them aside."),
    Index("ix_quarantine_item_app_state", "app", "state"),
    comment="Rows set aside by ingest, until a person or a replay resolves them.",
)

cell = Table(
    "cell",
    metadata,
    c("app", Id, APP, key=True),
    c("model_version", String(257), "Model version, 'live' (as served), or 'a~b' (a pair's differences).", key=True),
    c("layout", Id, "Hash of slices, carried statistics and score bins.", key=True),
    c("day", Integer(), "UTC day number (days since 1970-01-01) of the event time.", key=True),
    c("as_of", Instant, "Only rows and labels known by then are in; a newer generation is a new row.", key=True),
    c("n_rows", BigInteger(), "Rows of the day."),
    c("n_labelled", BigInteger(), "Rows with a label and a score."),
    c("blob", LargeBinary(), "The day's cells, compressed (continual.cells.block)."),
    comment="Mergeable statistics of a model version by day and slice; a window is a sum of them.",
)

cell_build = Table(
    "cell_build",
    metadata,
    c("app", Id, APP, key=True),
    c("model_version", String(257), "As in cell.", key=True),
    c("layout", Id, "As in cell.", key=True),
    c("as_of", Instant, "Everything known by then is in the cells.", key=True),
    c("snapshots", Json, "Iceberg snapshots of the log that were read, by table; later ones hold what came since."),
    comment="Instants up to which the cells were complete.",
)

lock = Table(
    "lock",
    metadata,
    c("app", Id, APP, key=True),
    c("holder", String(255), "Run that holds the lease; null = free.", null=True),
    c("expires_at", Instant, "Wall clock after which anybody may take it."),
    c("expected_champion", Id, "Champion the holder saw; null = none.", null=True),
    c("token", Integer(), "Fencing token, grows with every acquisition."),
    comment="The lease: one writer per application.",
)
