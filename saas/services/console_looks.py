"""What an operator looks at is told: to the customer in their own log, and to the house in its own."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from saas import database
from saas.audit.events import AuditEvent
from saas.audit.record import Target, clean, record
from saas.operator import Operator
from saas.system_unit import system_unit_of_work
from tenants import enter_account


def look_inside(operator: Operator, page: str, accounts: Iterable[Any]) -> None:
    """Record that an operator reads one page of the data of these accounts (rows with ``id`` and ``name``).

    It is recorded before anything is shown: what cannot be told is not shown.
    """
    for account in accounts:
        with enter_account(account.id), database.unit_of_work():
            record(
                AuditEvent.ACCOUNT_VIEWED,
                actor=operator.acting_in(account.id),
                target=Target("account", str(account.id), clean(account.name, 254) or ""),
                data={"page": page},
            )
            _record_view(operator, page, account.id, None)


def look_across(operator: Operator, page: str, query: str | None = None) -> None:
    """Record that an operator reads a list over many accounts, and what they asked it for."""
    with system_unit_of_work():
        _record_view(operator, page, None, query)


def _record_view(operator: Operator, page: str, account_id: UUID | None, query: str | None) -> None:
    data = {
        "page": page,
        "account_id": str(account_id) if account_id else None,
        "query": clean(query, 500),
    }
    record(AuditEvent.CONSOLE_VIEWED, actor=operator.nowhere(), data=data)


def first_id_at(moment: datetime) -> UUID:
    """Return the least id (UUIDv7, RFC 9562) that can have been made at a moment: ids are ordered by time."""
    milliseconds = max(0, int(moment.timestamp() * 1000))
    return UUID(int=(milliseconds << 80) | (7 << 76) | (2 << 62))
