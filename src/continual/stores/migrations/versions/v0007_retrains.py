"""Staleness by day, and profit and loss of retrains."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)


def _column(name: str, kind: Any, comment: str, null: bool = False) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=null, comment=comment)


def upgrade() -> None:
    text, number = sa.String(128), sa.Float(53)
    op.create_table(
        "day_gain",
        _column("app", text, "Application (registered model name)."),
        _column("reign", sa.Integer(), "champion_history.seq of the champion it is about."),
        _column("day", sa.String(10), "UTC day of event time; the last one where days were put together."),
        _column("version", text, "Model version of the champion."),
        _column("shadow", text, "Key of the fresh model it was compared with; null = none yet.", null=True),
        _column("as_of", INSTANT, "Only rows and labels known by then were used."),
        _column("age", number, "Days since the champion could be trained."),
        _column("n", sa.Integer(), "Predictions."),
        _column("n_labelled", sa.Integer(), "Rows with a label."),
        _column("champion", number, "Primary metric of the champion; null = undefined.", null=True),
        _column("low", number, "Lower end of its 95% interval.", null=True),
        _column("high", number, "Upper end of its 95% interval.", null=True),
        _column("fresh", number, "Primary metric of the fresh model on the same rows.", null=True),
        _column("gain", number, "How much better the fresh model is; positive = the champion is stale.", null=True),
        _column("se", number, "Standard error of gain.", null=True),
        sa.PrimaryKeyConstraint("app", "reign", "day", name="pk_day_gain"),
        comment="The champion against a fresh, cheaply fitted model by day: what triggers read as staleness.",
    )
    _results(text, number)


def _results(text: sa.String, number: sa.Float[float]) -> None:
    op.create_table(
        "retrain_result",
        _column("app", text, "Application (registered model name)."),
        _column("retrain_key", sa.String(255), "Ledger key of the retrain."),
        _column("as_of", INSTANT, "as_of of the retrain."),
        _column("unit", sa.String(20), "Unit of all prices in the row."),
        _column("outcome", sa.String(16), "open (not judged yet), rejected, promoted or first (no champion before)."),
        _column("version", text, "Version that was promoted.", null=True),
        _column("forecast", number, "Gain expected when it was decided; null = none was forecast.", null=True),
        _column("forecast_low", number, "Lower end of its 95% interval.", null=True),
        _column("forecast_high", number, "Upper end of its 95% interval.", null=True),
        _column("forecast_cost", number, "Price expected when it was decided.", null=True),
        _column("horizon", number, "Days the forecast is about.", null=True),
        _column("cpu_seconds", number, "CPU-seconds its training took; null = not measured.", null=True),
        _column("labels", sa.Integer(), "Labels asked for because of it."),
        _column("cost", number, "What it cost."),
        _column("window_end", INSTANT, "End of the window its gain is measured on, from promotion.", null=True),
        _column("gain", number, "Measured worth over the model before; null = not matured.", null=True),
        _column("gain_low", number, "Lower end of its 95% interval.", null=True),
        _column("gain_high", number, "Upper end of its 95% interval.", null=True),
        _column("n", sa.Integer(), "Labelled rows behind gain."),
        _column("scored_as_of", INSTANT, "as_of of the look that wrote this row."),
        _column("reason", sa.Text(), "One sentence for people."),
        sa.PrimaryKeyConstraint("app", "retrain_key", name="pk_retrain_result"),
        comment="Profit and loss of every retrain: what was forecast, what it cost, what came.",
    )
    op.create_index("ix_retrain_result_app_as_of", "retrain_result", ["app", "as_of"])


def downgrade() -> None:
    op.drop_index("ix_retrain_result_app_as_of", "retrain_result")
    op.drop_table("retrain_result")
    op.drop_table("day_gain")
