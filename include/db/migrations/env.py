"""Alembic's environment: always run from ``include.db.migrate`` with a connection at hand."""

from alembic import context

from include.db.tables import SCHEMA, metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    include_schemas=True,
    include_name=lambda name, kind, _parents: kind != "schema" or name == SCHEMA,
    version_table_schema=SCHEMA,
    compare_server_default=True,
)
with context.begin_transaction():
    context.run_migrations()
