"""
What Alembic runs to apply migrations to the connection that ``database.migrate`` gives it.

The transaction belongs to the caller, so that all steps are applied or none.
"""

from __future__ import annotations

from alembic import context

from fileserve.catalogue.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,  # SQLite alters a table by copying it.
)
context.run_migrations()
