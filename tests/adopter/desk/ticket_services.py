"""The rules of tickets."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import bindparam, select
from sqlalchemy.exc import IntegrityError
from ticket_models import Ticket

from saas import database, errors
from saas.actor import Actor
from saas.audit.events import AuditEvent
from saas.audit.record import changed, record
from saas.models import Project
from saas.paging import Keyset, Page
from saas.permissions import Permission, require
from saas.unit import Unit

_tickets = Ticket.__table__.c
_ROWS = select(
    _tickets.id, _tickets.project_id, _tickets.subject, _tickets.status, _tickets.created_at
)
_LIST = Keyset("tickets", _ROWS, owner=_tickets.account_id, key=_tickets.id)
_NAMED = Keyset(
    "tickets by subject",
    _ROWS.where(_tickets.subject == bindparam("subject")),
    owner=_tickets.account_id,
    key=_tickets.id,
)


def list_tickets(
    actor: Actor, *, limit: int = 20, cursor: str | None = None, subject: str | None = None
) -> Page:
    """Return one page of the account's tickets, newest first."""
    require(actor, Permission.TICKET_READ)
    with database.reading() as unit:
        if subject is None:
            return _LIST.page(unit, actor.account_id, limit=limit, cursor=cursor)
        return _NAMED.page(unit, actor.account_id, limit=limit, cursor=cursor, subject=subject)


def read_ticket(actor: Actor, *, ticket_id: UUID) -> Ticket:
    """Return one ticket; raises NotFoundError."""
    require(actor, Permission.TICKET_READ)
    with database.reading() as unit:
        return _find(unit, ticket_id)


def open_ticket(actor: Actor, *, project_id: UUID, subject: str) -> Ticket:
    """Open a ticket; raises NotFoundError for the project, NameAlreadyExistsError for the subject."""
    require(actor, Permission.TICKET_WRITE)
    with database.unit_of_work() as unit:
        if unit.session.scalar(select(Project.id).where(Project.id == project_id)) is None:
            raise errors.NotFoundError
        ticket_model = Ticket(project_id=project_id, subject=subject)
        unit.session.add(ticket_model)
        try:
            unit.flush()
        except IntegrityError as error:
            raise errors.NameAlreadyExistsError(field="subject") from error
        record(AuditEvent.TICKET_OPENED, actor=actor, target=ticket_model)
    return ticket_model


def close_ticket(actor: Actor, *, ticket_id: UUID) -> Ticket:
    """Close a ticket; raises NotFoundError."""
    require(actor, Permission.TICKET_WRITE)
    with database.unit_of_work() as unit:
        ticket_model = _find(unit, ticket_id)
        ticket_model.status = "closed"
        changes = changed(ticket_model, "status")
        unit.flush()
        record(AuditEvent.TICKET_CLOSED, actor=actor, target=ticket_model, changes=changes)
    return ticket_model


def _find(unit: Unit, ticket_id: UUID) -> Ticket:
    ticket_model = unit.session.scalar(select(Ticket).where(Ticket.id == ticket_id))
    if ticket_model is None:
        raise errors.NotFoundError
    return ticket_model
