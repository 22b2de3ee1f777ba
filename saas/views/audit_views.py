"""The account's own audit log over HTTP."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import flask

from saas.actor import Actor
from saas.audit import chain, export
from saas.paging import Page
from saas.schemas.audit_schemas import (
    EventFiltersIn,
    ExportEventsIn,
    ListEventsIn,
    VerifyEventsIn,
)
from saas.services import audit_services


def list_events(actor: Actor, query: ListEventsIn) -> Page:
    """GET /api/audit-events: newest first; ascending after ``after_seq`` for readers."""
    page = audit_services.list_events(
        actor,
        limit=query.limit,
        cursor=query.cursor,
        after_seq=query.after_seq,
        filters=_filters(query),
    )
    return Page([_out(row) for row in page.items], page.next_cursor)


def read_event(actor: Actor, event_id: UUID) -> dict[str, Any]:
    """GET /api/audit-events/<event_id>."""
    return _out(audit_services.read_event(actor, event_id=event_id))


def export_events(actor: Actor, query: ExportEventsIn) -> flask.Response:
    """GET /api/audit-events/export: the whole log as a file, oldest first, streamed."""
    pieces = audit_services.export_events(actor, form=query.format, filters=_filters(query))
    ending = "ecs.ndjson" if query.format == "ecs" else query.format
    name = f"audit-{actor.account_id}.{ending}"
    return flask.Response(
        pieces,
        content_type=export.MEDIA_TYPES[query.format],
        headers={
            "Content-Disposition": f'attachment; filename="{name}"',
            "Cache-Control": "no-store",
        },
    )


def verify_events(actor: Actor, query: VerifyEventsIn) -> dict[str, Any]:
    """GET /api/audit-events/verify: is the chain whole? A long one is verified part by part, by ``after_seq``."""
    return audit_services.verify_events(actor, after_seq=query.after_seq).as_dict()


def _filters(query: EventFiltersIn) -> audit_services.Filters:
    return audit_services.Filters(
        action=query.action,
        actor_id=str(query.actor_id) if query.actor_id else None,
        target_id=str(query.target_id) if query.target_id else None,
        outcome=query.outcome,
        since=query.since,
        until=query.until,
    )


def _out(row: Any) -> dict[str, Any]:
    # The time as it was digested, so that whoever reads this can recompute the chain.
    return {**row._mapping, "time": chain.as_text(row.time)}
