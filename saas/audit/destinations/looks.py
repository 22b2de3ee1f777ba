"""Which streams are behind: asked by the newest ids of events, and now and then of all accounts.

A look at the newest events costs what has happened since the last one. It can miss a transaction that took longer
than the overlap; the sweep over all heads, once a minute, misses nothing. What was put off is found by its time.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Select, and_, or_, select

from saas.audit.chain import SYSTEM_HEAD_ID
from saas.audit.destinations import Stream
from saas.models import Account, AuditCursor, AuditEventRow, AuditHead, SystemHead, Webhook

_events, _heads = AuditEventRow.__table__.c, AuditHead.__table__.c
_cursors, _system = AuditCursor.__table__.c, SystemHead.__table__.c
_hooks, _accounts = Webhook.__table__.c, Account.__table__.c
WEBHOOKS = "webhooks"
_FEW = 500  # accounts with new events; of more than these it is as well to ask all


def chains_behind(
    connection: Connection, destination: str, now: datetime, after: UUID | None, most: int
) -> list[Stream]:
    """Return the chains of accounts, and the system's, that a destination of all has not got to the end of."""
    heads = AuditHead.__table__.outerjoin(
        AuditCursor.__table__,
        and_(_cursors.destination == destination, _cursors.stream_id == _heads.account_id),
    )
    statement = select(_heads.account_id).select_from(heads)
    statement = statement.where(_behind(0), _heads.seq > 0, _due(now))
    found = _newest(connection, statement, after, most)
    system = SystemHead.__table__.outerjoin(
        AuditCursor.__table__,
        and_(_cursors.destination == destination, _cursors.stream_id == _system.id),
    )
    own = select(_system.id).select_from(system).where(_system.seq > 0, _due(now))
    own = own.where(or_(_cursors.seq.is_(None), _cursors.seq < _system.seq))
    streams = [Stream(row.account_id, row.account_id) for row in found]
    streams += [Stream(SYSTEM_HEAD_ID, None) for _ in connection.scalars(own)]
    known = {stream.id for stream in streams}
    return streams + [
        Stream(row.stream_id, None if row.stream_id == SYSTEM_HEAD_ID else row.stream_id)
        for row in _put_off(connection, destination, now, most)
        if row.stream_id not in known
    ]


def webhooks_behind(
    connection: Connection, now: datetime, after: UUID | None, most: int
) -> list[Stream]:
    """Return the webhooks that are switched on, of active accounts, and not at the end of their account's chain."""
    joined = Webhook.__table__.join(Account.__table__, _accounts.account_id == _hooks.account_id)
    joined = joined.join(AuditHead.__table__, _heads.account_id == _hooks.account_id)
    joined = joined.outerjoin(
        AuditCursor.__table__,
        and_(_cursors.destination == WEBHOOKS, _cursors.stream_id == _hooks.id),
    )
    statement = select(_hooks.id, _hooks.account_id, _hooks.from_seq).select_from(joined)
    on = (_hooks.status == "enabled", _accounts.status == "active")
    statement = statement.where(*on, _behind(_hooks.from_seq), _due(now))
    newest = _newest(connection, statement, after, most)
    again = statement.where(_cursors.not_before <= now).limit(most)
    found = {row.id: row for row in (*newest, *connection.execute(again).all())}
    return [Stream(row.id, row.account_id, row.from_seq) for row in found.values()]


def _behind(start: Any) -> ColumnElement[bool]:
    unmoved = and_(_cursors.seq.is_(None), _heads.seq > start)
    return or_(unmoved, _cursors.seq < _heads.seq)


def _due(now: datetime) -> ColumnElement[bool]:
    """Not put off, and held by no worker."""
    return and_(
        or_(_cursors.not_before.is_(None), _cursors.not_before <= now),
        or_(_cursors.lease_until.is_(None), _cursors.lease_until < now),
    )


def _newest(connection: Connection, statement: Select[Any], after: UUID | None, most: int) -> Any:
    """Run a statement about heads, of those accounts alone that have events with a greater id than ``after``.

    Their ids are fetched first: of a sub-select a planner may think that reading every head is cheaper.
    """
    if after is not None:
        ids = select(_events.account_id).where(_events.id > after).distinct().limit(_FEW + 1)
        accounts = connection.scalars(ids).all()
        if not accounts:
            return []
        if len(accounts) <= _FEW:
            statement = statement.where(_heads.account_id.in_(accounts))
    return connection.execute(statement.limit(most)).all()


def _put_off(connection: Connection, destination: str, now: datetime, most: int) -> Any:
    waited = select(_cursors.stream_id).where(
        _cursors.destination == destination, _cursors.not_before <= now, _due(now)
    )
    return connection.execute(waited.limit(most)).all()
