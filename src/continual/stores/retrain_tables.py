"""Tables of the evaluation store about staleness and what became of retrains."""

from __future__ import annotations

from sqlalchemy import Float, Index, Integer, String, Table, Text

from continual.stores.columns import Instant, metadata
from continual.stores.columns import column as c

Id, Words = String(128), Text()
APP = "Application (registered model name)."

day_gain = Table(
    "day_gain",
    metadata,
    c("app", Id, APP, key=True),
    c("reign", Integer(), "champion_history.seq of the champion it is about.", key=True),
    c("day", String(10), "UTC day of event time; the last one where days were put together.", key=True),
    c("version", Id, "Model version of the champion."),
    c("shadow", Id, "Key of the fresh model it was compared with; null = none yet.", null=True),
    c("as_of", Instant, "Only rows and labels known by then were used."),
    c("age", Float(53), "Days since the champion could be trained."),
    c("n", Integer(), "Predictions."),
    c("n_labelled", Integer(), "Rows with a label."),
    c("champion", Float(53), "Primary metric of the champion; null = undefined.", null=True),
    c("low", Float(53), "Lower end of its 95% interval.", null=True),
    c("high", Float(53), "Upper end of its 95% interval.", null=True),
    c("fresh", Float(53), "Primary metric of the fresh model on the same rows.", null=True),
    c("gain", Float(53), "How much better the fresh model is; positive = the champion is stale.", null=True),
    c("se", Float(53), "Standard error of gain.", null=True),
    comment="The champion against a fresh, cheaply fitted model by day: what triggers read as staleness.",
)

retrain_result = Table(
    "retrain_result",
    metadata,
    c("app", Id, APP, key=True),
    c("retrain_key", String(255), "Ledger key of the retrain.", key=True),
    c("as_of", Instant, "as_of of the retrain."),
    c("unit", String(20), "Unit of all prices in the row."),
    c("outcome", String(16), "open (not judged yet), rejected, promoted or first (no champion before)."),
    c("version", Id, "Version that was promoted.", null=True),
    c("forecast", Float(53), "Gain expected when it was decided; null = none was forecast.", null=True),
    c("forecast_low", Float(53), "Lower end of its 95% interval.", null=True),
    c("forecast_high", Float(53), "Upper end of its 95% interval.", null=True),
    c("forecast_cost", Float(53), "Price expected when it was decided.", null=True),
    c("horizon", Float(53), "Days the forecast is about.", null=True),
    c("cpu_seconds", Float(53), "CPU-seconds its training took; null = not measured.", null=True),
    c("labels", Integer(), "Labels asked for because of it."),
    c("cost", Float(53), "What it cost."),
    c("window_end", Instant, "End of the window its gain is measured on, from promotion.", null=True),
    c("gain", Float(53), "Measured worth over the model before; null = not matured.", null=True),
    c("gain_low", Float(53), "Lower end of its 95% interval.", null=True),
    c("gain_high", Float(53), "Upper end of its 95% interval.", null=True),
    c("n", Integer(), "Labelled rows behind gain."),
    c("scored_as_of", Instant, "as_of of the look that wrote this row."),
    c("reason", Words, "One sentence for people."),
    Index("ix_retrain_result_app_as_of", "app", "as_of"),
    comment="Profit and loss of every retrain: what was forecast, what it cost, what came.",
)
