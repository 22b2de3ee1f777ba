"""The events after a cursor, as they are delivered."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Select, select

from saas.audit.destinations import Event
from saas.models import AuditEventRow, AuditHead, SystemEventRow, SystemHead

BATCH = 200  # events read at once
_events, _heads = AuditEventRow.__table__.c, AuditHead.__table__.c
_system_events, _system = SystemEventRow.__table__.c, SystemHead.__table__.c


def read_after(
    connection: Connection, account_id: UUID | None, seq: int, actions: Sequence[str] | None
) -> tuple[int, list[Event]]:
    """Return the head's seq and the first events after ``seq``, up to the head, in order; of ``actions`` alone.

    The head is read first and what it counts is committed, so an empty list means that there is nothing up to it.
    """
    statement: Select[Any]
    if account_id is None:
        head = connection.scalar(select(_system.seq)) or 0
        statement = select(SystemEventRow.__table__)
        columns = _system_events
    else:
        head = connection.scalar(select(_heads.seq).where(_heads.account_id == account_id)) or 0
        statement = select(AuditEventRow.__table__).where(_events.account_id == account_id)
        columns = _events
    statement = statement.where(columns.seq > seq, columns.seq <= head).order_by(columns.seq)
    if actions is not None:
        statement = statement.where(columns.action.in_(actions))
    return head, [Event.of(row) for row in connection.execute(statement.limit(BATCH))]
