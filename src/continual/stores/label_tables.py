"""Tables of the label queue: what was asked, who holds a row, what was answered, who may answer."""

from __future__ import annotations

from sqlalchemy import DefaultClause, Float, Index, Integer, String, Table, Text

from continual.stores.columns import Instant, Json, metadata
from continual.stores.columns import column as c

Id = String(128)
APP = "Application (registered model name)."
KEY = "Record key."

label_request = Table(
    "label_request",
    metadata,
    c("app", Id, APP, key=True),
    c("key", String(255), "Record key to label.", key=True),
    c("asked_at", Instant, "as_of of the run that asked.", key=True),
    c("probability", Float(53), "Inclusion probability in (0, 1]."),
    c("components", Json, "Inclusion probability by component of the sampler."),
    c("sampler", Id, "Kind of the sampler."),
    c("state", String(16), "open, disputed, answered, expired, cancelled, repeated or unchosen."),
    c("model_version", Id, "Model version whose predictions the sampler read.", null=True),
    c("window_start", Instant, "Start of the sampled window, inclusive."),
    c("window_end", Instant, "End of the sampled window, exclusive."),
    c("use", String(16), "evaluation, or training: its label never judges a model.", DefaultClause("evaluation")),
    c("needed", Integer(), "People who must answer, by the draw.", DefaultClause("1")),
    c("opinions", Integer(), "Further people who must, because somebody asked for a review.", DefaultClause("0")),
    c("votes", Integer(), "People whose answer is a label.", DefaultClause("0")),
    c("priority", Float(53), "The larger is asked first.", DefaultClause("0")),
    c("deadline", Instant, "Unanswered from then on it is expired.", null=True),
    c("closed", String(16), "expired or cancelled: nobody is asked any more; null = somebody is.", null=True),
    c("value", Float(53), "Label its answers make, as in the log; null = none yet.", null=True),
    c("known_at", Instant, "When that label was known.", null=True),
    c("written", Float(53), "Label that was last written to the log; null = none.", null=True),
    Index("ix_label_request_app_state", "app", "state"),
    comment="Rows sent to labelers, with the probability that makes estimates unbiased.",
)

label_answer = Table(
    "label_answer",
    metadata,
    c("app", Id, APP, key=True),
    c("id", Id, "Hash of the answer: the same answer twice is one.", key=True),
    c("key", String(255), KEY),
    c("annotator", String(255), "Who answered."),
    c("value", Float(53), "Label as in the log; null = cannot tell.", null=True),
    c("answered_at", Instant, "When it was given."),
    c("via", String(32), "Backend it came through."),
    c("decides", Integer(), "1 = of an adjudicator, outweighs all others."),
    c("recorded_at", Instant, "Audit: wall clock when first recorded."),
    Index("ix_label_answer_app_key", "app", "key"),
    comment="What annotators answered; append-only, a changed mind is a new row.",
)

label_lease = Table(
    "label_lease",
    metadata,
    c("app", Id, APP, key=True),
    c("key", String(255), KEY, key=True),
    c("annotator", String(255), "Who holds the row.", key=True),
    c("expires_at", Instant, "Wall clock from which the row is free again."),
    comment="Rows that annotators have before them; one that expired counts for nothing.",
)

annotator = Table(
    "annotator",
    metadata,
    c("app", Id, APP, key=True),
    c("name", String(255), "Who may answer on the labelling page.", key=True),
    c("token_hash", String(64), "SHA-256 of the access token; empty = access withdrawn."),
    c("added_at", Instant, "Audit: wall clock when added."),
    comment="People who may label.",
)

label_cursor = Table(
    "label_cursor",
    metadata,
    c("app", Id, APP, key=True),
    c("labeler", Id, "Kind of the labeler.", key=True),
    c("name", Id, "What is remembered: project, cursor, ...", key=True),
    c("value", Text(), "As the labeler wrote it."),
    comment="What a labeling backend must remember between runs.",
)
