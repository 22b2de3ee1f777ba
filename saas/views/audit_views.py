"""The account's own audit log over HTTP."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from saas.actor import Actor
from saas.audit import chain
from saas.paging import Page
from saas.schemas.audit_schemas import ListEventsIn
from saas.services import audit_services


def list_events(actor: Actor, query: ListEventsIn) -> Page:
    """GET /api/audit-events: newest first; ascending after ``after_seq`` for readers."""
    page = audit_services.list_events(
        actor,
        limit=query.limit,
        cursor=query.cursor,
        after_seq=query.after_seq,
        action=query.action,
        actor_id=str(query.actor_id) if query.actor_id else None,
        target_id=str(query.target_id) if query.target_id else None,
        outcome=query.outcome,
        since=query.since,
        until=query.until,
    )
    return Page([_out(row) for row in page.items], page.next_cursor)


def read_event(actor: Actor, event_id: UUID) -> dict[str, Any]:
    """GET /api/audit-events/<event_id>."""
    return _out(audit_services.read_event(actor, event_id=event_id))


def _out(row: Any) -> dict[str, Any]:
    # The time as it was digested, so that whoever reads this can recompute the chain.
    return {**row._mapping, "time": chain.as_text(row.time)}
