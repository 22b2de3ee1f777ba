"""What alembic runs: our models against the connection that `config.migrating` holds the lock on."""

import logging
from typing import Any, Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext
from alembic.runtime.migration import MigrationContext, MigrationInfo

from saas import columns
from saas.models import Base

_log = logging.getLogger("migrations")


def _render_item(kind: str, item: Any, autogenerate: AutogenContext) -> str | Literal[False]:
    """Write our own column types by their names in `saas.columns`; alembic writes all others."""
    if kind != "type":
        return False
    if type(item).__module__ == columns.__name__:
        name = f"{type(item).__name__}()"
    elif repr(item) == repr(columns.UtcDateTime) and item._variant_mapping:
        name = "UtcDateTime"  # one value, not a class: DateTime with variants
    else:
        return False
    autogenerate.imports.add("from saas import columns")
    return f"columns.{name}"


def _tell(ctx: MigrationContext, step: MigrationInfo, heads: object, run_args: object) -> None:
    """Log one step; alembic gives all four by name."""
    verb = "upgrade" if step.is_upgrade else "downgrade"
    _log.info("migration.done", extra={"verb": verb, "revision": step.up_revision_id})


def _run() -> None:
    connection = context.config.attributes.get("connection")
    if connection is None:
        raise RuntimeError("migrations run under a lock: use `flask db upgrade` and its sisters")
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        render_as_batch=True,  # SQLite changes a table by making it anew
        render_item=_render_item,
        compare_type=True,
        on_version_apply=_tell,
        transaction_per_migration=True,  # what is done stays done, and its number with it
    )
    with context.begin_transaction():
        context.run_migrations()


_run()
