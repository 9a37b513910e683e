"""Runs the migrations over the connection that database.py opened, within the transaction that it began."""

from alembic import context

from mtts.adapters.store.schema import VERSION_TABLE

context.configure(connection=context.config.attributes["connection"], version_table=VERSION_TABLE)
with context.begin_transaction():
    context.run_migrations()
