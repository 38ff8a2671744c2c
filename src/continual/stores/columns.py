"""Column types that read the same from SQLite and PostgreSQL, and where tables are registered."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, Column, DateTime, Dialect, MetaData, String, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeDecorator

from continual.core.window import utc

#: JSON text on SQLite, JSONB (indexable) on PostgreSQL.
Json = JSON().with_variant(JSONB(), "postgresql")

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)
Id, Words = String(128), Text()
APP = "Application (registered model name)."


class Instant(TypeDecorator[datetime]):
    """A tz-aware UTC instant, microseconds; naive values are refused (ValueError)."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        instant = utc(value)
        return instant.replace(tzinfo=None) if dialect.name == "sqlite" else instant

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def column(name: str, kind: Any, comment: str, *rest: Any, null: bool = False, key: bool = False) -> Column[Any]:
    """A column that is documented, and NOT NULL unless said otherwise."""
    return Column(name, kind, *rest, primary_key=key, nullable=null and not key, comment=comment)
