"""Alembic's entry: runs revisions over the connection that `parley.db.migrations` opened."""

from alembic import context

from parley.db.migrations import COMPARED
from parley.db.schema import metadata

context.configure(
    connection=context.config.attributes["connection"], target_metadata=metadata, **COMPARED
)

with context.begin_transaction():
    context.run_migrations()
