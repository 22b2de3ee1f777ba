"""The audit logs of all accounts and of the house, read by operators; the look itself is told."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import Select, null, select

from saas import database, errors, paging
from saas.columns import utc_now
from saas.models import Account, AuditEventRow, SystemEventRow
from saas.operator import ConsolePermission, Operator, require_operator
from saas.paging import Page
from saas.services import console_looks
from saas.unit import AnyRow

PAGE, CHUNK, MOST_EXPORTED = 25, 1000, 100_000
DEFAULT_DAYS = 7
_a = Account.__table__.c
_TABLES: dict[str, Any] = {"accounts": AuditEventRow.__table__, "house": SystemEventRow.__table__}


@dataclass(frozen=True, slots=True)
class EventFilter:
    """What is asked of a log. ``days`` back from now, unless ``since``; None for both: all there is.

    ``action``: a whole action, or its beginning up to a dot ("role." is all about roles).
    """

    log: Literal["accounts", "house"] = "accounts"
    account_id: UUID | None = None
    action: str | None = None
    actor: str | None = None
    target_id: str | None = None
    outcome: str | None = None
    request_id: str | None = None
    days: int | None = DEFAULT_DAYS
    since: datetime | None = None
    until: datetime | None = None

    def told(self) -> str:
        """Return the filter in words, for the log of the house."""
        parts = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return " ".join(f"{name}={value}" for name, value in parts.items() if value is not None)


def list_events(operator: Operator, wanted: EventFilter, *, cursor: str | None = None) -> Page:
    """Return one page of events, newest first, each with ``account_name`` where it has an account.

    One statement beside the record of the look; keyset on the id, never a count. Raises NotFoundError for an
    account that there is not.
    """
    require_operator(operator, ConsolePermission.AUDIT_READ)
    _tell(operator, "audit log", wanted)
    key = _TABLES[wanted.log].c.id
    statement = _statement(wanted)
    if cursor is not None:
        statement = statement.where(key < paging.open_cursor("console log", operator.id, cursor))
    with database.looking_across("console: a page of the audit log") as connection:
        rows = connection.execute(statement.order_by(key.desc()).limit(PAGE + 1)).all()
    return paging.cut("console log", operator.id, list(rows), PAGE)


def read_event(operator: Operator, *, event_id: UUID) -> AnyRow:
    """Return one event of any log with ``account_name``; raises NotFoundError."""
    require_operator(operator, ConsolePermission.AUDIT_READ)
    for log, table in _TABLES.items():
        statement = _rows_of(log).where(table.c.id == event_id)
        with database.looking_across("console: one event of the audit log") as connection:
            found = connection.execute(statement).one_or_none()
        if found is not None:
            _tell(operator, "event", EventFilter(account_id=found.account_id))
            return found
    raise errors.NotFoundError


def export_events(operator: Operator, wanted: EventFilter) -> Iterator[AnyRow]:
    """Return the events of a filter, newest first, MOST_EXPORTED at most, in flat memory.

    What is asked is asked and told at once; the rows are read while they are taken, a chunk at a time.
    """
    require_operator(operator, ConsolePermission.AUDIT_EXPORT)
    _tell(operator, "audit log: export", wanted)
    return _chunks(database.current_database(), wanted)


def last_acts(operator: Operator, *, of: UUID | None = None, limit: int = 8) -> list[AnyRow]:
    """Return the last acts of operators in the house's log, or (``of``) all that one of them did and looked at."""
    require_operator(operator, ConsolePermission.OPERATOR_READ)
    system = SystemEventRow.__table__
    statement = select(system).where(system.c.actor_type == "operator")
    if of is None:
        since = console_looks.first_id_at(utc_now() - timedelta(days=30))
        statement = statement.where(system.c.action == "console.acted", system.c.id >= since)
    else:
        statement = statement.where(system.c.actor_id == str(of))
    with database.looking_across("console: what operators did last") as connection:
        return list(connection.execute(statement.order_by(system.c.seq.desc()).limit(limit)).all())


def _chunks(in_use: database.Database, wanted: EventFilter) -> Iterator[AnyRow]:
    key = _TABLES[wanted.log].c.id
    statement, left, after = _statement(wanted), MOST_EXPORTED, None
    while left > 0:
        part = statement if after is None else statement.where(key < after)
        with (
            database.use(in_use),
            database.looking_across("console: a chunk of an export") as connection,
        ):
            rows = connection.execute(part.order_by(key.desc()).limit(min(CHUNK, left))).all()
        yield from rows
        if len(rows) < CHUNK:
            return
        left, after = left - len(rows), rows[-1].id


def _rows_of(log: str) -> Select[Any]:
    table = _TABLES[log]
    if log == "house":
        return select(table, null().label("account_name"), null().label("account_id"))
    return select(table, _a.name.label("account_name")).join_from(
        table, Account.__table__, _a.account_id == table.c.account_id
    )


def _statement(wanted: EventFilter) -> Select[Any]:
    events = _TABLES[wanted.log].c
    statement = _rows_of(wanted.log)
    for name in ("target_id", "outcome", "request_id"):
        value = getattr(wanted, name)
        statement = statement if value is None else statement.where(events[name] == value)
    if wanted.account_id is not None and wanted.log == "accounts":
        statement = statement.where(events.account_id == wanted.account_id)
    if wanted.action is not None:
        statement = statement.where(_action_is(events.action, wanted.action))
    if wanted.actor is not None:
        mine = (events.actor_id == wanted.actor) | (events.actor_label == wanted.actor)
        statement = statement.where(mine)
    since = wanted.since
    if since is None and wanted.days is not None:
        since = utc_now() - timedelta(days=wanted.days)
    if since is not None:
        statement = statement.where(events.id >= console_looks.first_id_at(since))
    if wanted.until is not None:
        statement = statement.where(events.id < console_looks.first_id_at(wanted.until))
    return statement


def _action_is(column: Any, action: str) -> Any:
    return column.startswith(action, autoescape=True) if action.endswith(".") else column == action


def _tell(operator: Operator, page: str, wanted: EventFilter) -> None:
    """Tell the account whose log is read, or the house when it is everybody's."""
    if wanted.account_id is None:
        console_looks.look_across(operator, page, wanted.told())
        return
    statement = select(_a.account_id.label("id"), _a.name)
    with database.looking_across("console: whose audit log is read?") as connection:
        account = connection.execute(
            statement.where(_a.account_id == wanted.account_id)
        ).one_or_none()
    if account is None:
        raise errors.NotFoundError
    console_looks.look_inside(operator, page, [account])
