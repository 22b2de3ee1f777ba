"""Law four: no transaction that changes an audited row commits without the event that accounts for it."""

from __future__ import annotations

import sys
from typing import Any

from sqlalchemy import Connection

from saas.audit.events import LOG_TABLES, is_audited
from saas.unit import Unit, find_unit

_OURS = (
    "sqlalchemy",
    "saas.database",
    "saas.unit",
    "saas.audit",
    "tenants",
    "contextlib",
    "saas.services.guards",
)


class UnauditedChangeError(RuntimeError):
    """A change would have been committed without its event; the message names table and place."""


def refuse_unit_less_write(
    conn: Connection, cursor: Any, statement: str, parameters: Any, context: Any, executemany: bool
) -> None:
    """Refuse a write outside ``unit_of_work()``: nobody would ask for its event (engine event)."""
    verdict = getattr(context.compiled, "verdict", None)
    if verdict is not None and verdict.writes and find_unit() is None:
        raise UnauditedChangeError(
            f"{verdict.writes[0][0]} is written outside database.unit_of_work() at {_place()}"
        )


class LogIsAppendOnlyError(RuntimeError):
    """A statement would change or remove audit events; nothing but pruning may."""


def refuse_log_change(
    conn: Connection, cursor: Any, statement: str, parameters: Any, context: Any, executemany: bool
) -> None:
    """Refuse UPDATE and DELETE of audit events, on every database and whatever its role may (engine event)."""
    if context.isinsert:
        return
    if _written_table(context) in LOG_TABLES:
        raise LogIsAppendOnlyError(f"audit events are only ever added; refused at {_place()}")


def refuse_unaudited_outside(
    conn: Connection, cursor: Any, statement: str, parameters: Any, context: Any, executemany: bool
) -> None:
    """Refuse writes of audited tables on the system engine, where nobody would ask for their event (engine event)."""
    unit = find_unit()
    if unit is not None and unit.is_on(conn):
        return  # a unit of the system engine (saas.system_unit), which asks for its events at the end
    table = _written_table(context)
    if table and is_audited(table, None):
        raise UnauditedChangeError(
            f"{table} is written outside database.unit_of_work() at {_place()}"
        )


def note_write(
    conn: Connection, cursor: Any, statement: str, parameters: Any, context: Any, executemany: bool
) -> None:
    """Remember which audited tables the open unit has changed, and where (engine event)."""
    verdict = getattr(context.compiled, "verdict", None)
    unit = find_unit()
    if verdict is None or not verdict.writes or unit is None or cursor.rowcount == 0:
        return
    for table, columns in verdict.writes:
        if table not in unit.written and is_audited(table, columns):
            unit.written[table] = _place()


def note_system_write(
    conn: Connection, cursor: Any, statement: str, parameters: Any, context: Any, executemany: bool
) -> None:
    """The same for a unit of the system engine, which has no guard to say what a statement writes (engine event)."""
    unit, table = find_unit(), _written_table(context)
    if unit is None or not unit.is_on(conn) or not table or cursor.rowcount == 0:
        return
    values = getattr(context.compiled.statement, "_values", None) if context.isupdate else None
    columns = frozenset(getattr(key, "key", key) for key in values) if values else None
    if table not in unit.written and is_audited(table, columns):
        unit.written[table] = _place()


def check(unit: Unit) -> None:
    """Raise UnauditedChangeError when a changed table is accounted for by no recorded event."""
    accounted = {table for pending in unit.events for table in pending.event.tables}
    missing = [
        f"{table} (changed at {place})"
        for table, place in unit.written.items()
        if table not in accounted
    ]
    if missing:
        recorded = ", ".join(str(pending.event) for pending in unit.events) or "nothing"
        raise UnauditedChangeError(
            f"no event accounts for {', '.join(missing)}; recorded: {recorded}"
        )


def _written_table(context: Any) -> str:
    """Return the name of the table that a statement writes, "" for one that writes none."""
    if not (context.isinsert or context.isupdate or context.isdelete):
        return ""
    table = getattr(getattr(context.compiled, "statement", None), "table", None)
    return str(getattr(table, "name", ""))


def _place() -> str:
    """Return "file:line module.function" of the nearest caller that is product code."""
    frame: Any = sys._getframe(1)
    while frame is not None:
        name = frame.f_globals.get("__name__", "")
        if not name.startswith(_OURS):
            return f"{'/'.join(frame.f_code.co_filename.split('/')[-3:])}:{frame.f_lineno} {frame.f_code.co_name}"
        frame = frame.f_back
    return "an unknown place"
