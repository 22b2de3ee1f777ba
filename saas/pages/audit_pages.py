"""The audit log of the account, to be read by people."""

from __future__ import annotations

from saas import routing
from saas.actor import Actor
from saas.pages import shared_pages
from saas.schemas.list_schemas import ListIn
from saas.services import audit_services


def list_audit_events(actor: Actor) -> str:
    """One page of the account's audit events, newest first."""
    query = routing.read_query(ListIn)
    page = audit_services.list_events(actor, limit=query.limit, cursor=query.cursor)
    return shared_pages.draw(
        "audit.html", actor, events=page.items, cursor=query.cursor, next_cursor=page.next_cursor
    )
