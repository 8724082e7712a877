"""Alembic runs this: the migrations go over the connection, and within the transaction, that ``migrate`` holds."""

from __future__ import annotations

from alembic import context

from bridge.store.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, render_as_batch=True)
context.run_migrations()
