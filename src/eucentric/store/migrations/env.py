"""What Alembic runs for every command: it works on the connection that it is given."""

from alembic import context

from eucentric.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    # Tables that others keep in the same database are none of ours.
    include_name=lambda name, kind, _: kind != "table" or name in metadata.tables,
    render_as_batch=True,
    compare_type=True,
    compare_server_default=True,
)
context.run_migrations()
