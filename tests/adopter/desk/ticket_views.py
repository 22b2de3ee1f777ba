"""Tickets over HTTP, and the desk's route table."""

from __future__ import annotations

from uuid import UUID

import ticket_services
from ticket_schemas import ListTicketsIn, OpenTicketIn, TicketOut

from saas import errors
from saas.actor import Actor
from saas.paging import Page
from saas.permissions import Permission
from saas.routing import Route


def list_tickets(actor: Actor, query: ListTicketsIn) -> Page:
    """GET /api/tickets: newest first."""
    page = ticket_services.list_tickets(
        actor, limit=query.limit, cursor=query.cursor, subject=query.subject
    )
    return Page([dict(row._mapping) for row in page.items], page.next_cursor)


def read_ticket(actor: Actor, ticket_id: UUID) -> TicketOut:
    """GET /api/tickets/<ticket_id>."""
    return TicketOut.model_validate(ticket_services.read_ticket(actor, ticket_id=ticket_id))


def open_ticket(actor: Actor, body: OpenTicketIn) -> TicketOut:
    """POST /api/tickets."""
    opened = ticket_services.open_ticket(actor, project_id=body.project_id, subject=body.subject)
    return TicketOut.model_validate(opened)


def close_ticket(actor: Actor, ticket_id: UUID) -> TicketOut:
    """POST /api/tickets/<ticket_id>/close."""
    return TicketOut.model_validate(ticket_services.close_ticket(actor, ticket_id=ticket_id))


ROUTES = (
    Route("GET", "/api/tickets", list_tickets, Permission.TICKET_READ, query=ListTicketsIn,
          answer=TicketOut, many=True),
    Route("POST", "/api/tickets", open_ticket, Permission.TICKET_WRITE, body=OpenTicketIn,
          answer=TicketOut, status=201, errors=(errors.NameAlreadyExistsError,)),
    Route("GET", "/api/tickets/<ticket_id>", read_ticket, Permission.TICKET_READ, answer=TicketOut),
    Route("POST", "/api/tickets/<ticket_id>/close", close_ticket, Permission.TICKET_WRITE,
          answer=TicketOut),
)  # fmt: skip
