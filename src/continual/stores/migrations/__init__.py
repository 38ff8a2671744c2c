"""Alembic revisions of the evaluation store."""

#: Own name, so that the store can share a database with other tools that use Alembic.
VERSION_TABLE = "continual_schema"
