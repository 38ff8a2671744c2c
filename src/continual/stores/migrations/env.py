"""Run by Alembic; the caller supplies an open connection that is already in a transaction."""

from __future__ import annotations

from alembic import context

from continual.stores.migrations import VERSION_TABLE
from continual.stores.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=VERSION_TABLE,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
