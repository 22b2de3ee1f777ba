"""A writing transaction of the system engine, for what belongs to no account and no customer: operators.

It is a unit like every other: what changes is accounted for by an event of the system's chain, or it is refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, event

from saas import database
from saas.actor import NOWHERE
from saas.audit import chain, coverage
from saas.audit.events import is_audited
from saas.unit import Unit, _unit, find_unit


@contextmanager
def system_unit_of_work() -> Iterator[Unit]:
    """Open the transaction; change and events commit together or not at all.

    Raises RuntimeError inside another unit, UnauditedChangeError, DatabaseAwayError.
    """
    if find_unit() is not None:
        raise RuntimeError("a unit of the system engine inside another unit")
    connection = database._begin(database.current_database().system_engine)
    event.listen(connection, "after_cursor_execute", _note_write)
    unit = Unit(connection, NOWHERE, read_only=False)
    _unit.set(unit)
    try:
        yield unit
        unit.flush()
        coverage.check(unit)
        chain.write(unit)
        database._commit(unit)
    except BaseException:
        database._roll_back(unit)
        raise
    finally:
        event.remove(connection, "after_cursor_execute", _note_write)
        database.close_unit(unit)
    for follow_up in unit.after_commit:
        follow_up()


def _note_write(
    conn: Connection, cursor: Any, statement: str, parameters: Any, context: Any, executemany: bool
) -> None:
    """Remember which audited tables were changed, and where; the system engine has no guard to say so."""
    unit = find_unit()
    if unit is None or not (context.isinsert or context.isupdate or context.isdelete):
        return
    table = context.compiled.statement.table.name
    columns = frozenset(context.compiled.column_keys or ()) if context.isupdate else None
    values = getattr(context.compiled.statement, "_values", None)
    if columns is not None and values:
        columns = frozenset(getattr(key, "key", key) for key in values)
    if cursor.rowcount != 0 and table not in unit.written and is_audited(table, columns):
        unit.written[table] = coverage._place()
