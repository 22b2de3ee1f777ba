"""The account's own audit log, read."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, select

from saas import database, errors, paging
from saas.actor import Actor
from saas.models import AuditEventRow
from saas.paging import Page
from saas.permissions import Permission, require
from saas.unit import AnyRow

_table = AuditEventRow.__table__
_events = _table.c


def list_events(
    actor: Actor,
    *,
    limit: int = 20,
    cursor: str | None = None,
    after_seq: int | None = None,
    action: str | None = None,
    actor_id: str | None = None,
    target_id: str | None = None,
    outcome: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> Page:
    """Return one page of the account's events: newest first, or ascending for readers that pass ``after_seq``.

    ``seq`` has no gaps, so a reader that continues after the last seq it saw can miss nothing.
    """
    require(actor, Permission.AUDIT_READ)
    owner = actor.account_id
    statement = _filtered(owner, action, actor_id, target_id, outcome, since, until)
    if after_seq is not None:
        statement = statement.where(_events.seq > after_seq).order_by(_events.seq)
    elif cursor is not None:
        statement = statement.where(
            _events.seq < paging.open_cursor("audit", owner, cursor)
        ).order_by(_events.seq.desc())
    else:
        statement = statement.order_by(_events.seq.desc())
    with database.reading() as unit:
        rows = unit.rows(statement.limit(limit + 1), {})
    if after_seq is not None:
        return Page(rows[:limit], None)
    return paging.cut("audit", owner, rows, limit, key="seq")


def read_event(actor: Actor, *, event_id: UUID) -> AnyRow:
    """Return one event of the account; raises NotFoundError for an id that this account does not have."""
    require(actor, Permission.AUDIT_READ)
    with database.reading() as unit:
        statement = select(_table).where(
            _events.account_id == actor.account_id, _events.id == event_id
        )
        found = unit.rows(statement, {})
    if not found:
        raise errors.NotFoundError
    return found[0]


def _filtered(
    owner: UUID,
    action: str | None,
    actor_id: str | None,
    target_id: str | None,
    outcome: str | None,
    since: datetime | None,
    until: datetime | None,
) -> Select[Any]:
    statement = select(_table).where(_events.account_id == owner)
    equal = (
        (_events.action, action),
        (_events.actor_id, actor_id),
        (_events.target_id, target_id),
        (_events.outcome, outcome),
    )
    for column, value in equal:
        statement = statement if value is None else statement.where(column == value)
    statement = statement if since is None else statement.where(_events.time >= since)
    return statement if until is None else statement.where(_events.time < until)
