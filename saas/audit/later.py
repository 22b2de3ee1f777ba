"""An event for the log of another account than the one whose transaction it comes from.

A transaction belongs to one account. What another one's log must tell of it goes into the outbox, inside that
transaction: it is told if, and only if, the change was committed, whatever dies meanwhile. It says when it happened,
not when it was told.
"""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Any, TypeAlias
from uuid import UUID

import structlog
from sqlalchemy import bindparam, select
from sqlalchemy.exc import SQLAlchemyError

from saas import database, errors, outbox
from saas.audit.canonical import time_text
from saas.audit.chain import hold_head
from saas.audit.events import AuditEvent
from saas.audit.record import PendingEvent
from saas.models.events import AuditEventRow
from saas.unit import Unit
from tenants import enter_account

Promise: TypeAlias = dict[str, Any]  # as the outbox holds it

_events = AuditEventRow.__table__.c
_THERE = select(_events.seq).where(
    _events.account_id == bindparam("owner"), _events.id == bindparam("event_id")
)

_log = structlog.get_logger(__name__)


def promise(unit: Unit, account_id: UUID, pending: PendingEvent) -> None:
    """Promise an event to another account's log: by the outbox of this unit of work, and at once after its commit."""
    envelope = pending.envelope
    told = {"id": str(envelope["id"]), "time": time_text(envelope["time"])}
    promised = {
        "account_id": str(account_id),
        "event": pending.event.value,
        "envelope": envelope | told,
    }
    outbox.put(unit, outbox.AUDIT, promised)
    unit.after_commit.append(partial(_append_now, promised))


def append(promised: Promise) -> None:
    """Append a promised event to its account's log, once however often this is called; not where the account is gone.

    Raises DatabaseAwayError.
    """
    envelope = dict(promised["envelope"])
    envelope["id"] = UUID(envelope["id"])
    envelope["time"] = datetime.fromisoformat(envelope["time"])
    owner = UUID(promised["account_id"])
    with enter_account(owner), database.unit_of_work() as unit:
        # Whoever holds the head appends alone: of two who come with the same event the second finds it there.
        head = hold_head(unit)
        there = unit.execute(_THERE, {"owner": owner, "event_id": envelope["id"]}).first()
        if head and not there:
            event = AuditEvent(promised["event"])  # type: ignore[call-arg]
            unit.events.append(PendingEvent(event, envelope))


def _append_now(promised: Promise) -> None:
    """Append it without waiting for a worker; where that fails, it is the worker's again."""
    try:
        append(promised)
    except (SQLAlchemyError, errors.DatabaseAwayError) as error:
        _log.warning("audit.append_put_off", error=type(error).__name__)
