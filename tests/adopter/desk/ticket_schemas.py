"""Tickets, in and out."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from saas.schemas.fields import In, Out, PlainText, TextRule
from saas.schemas.list_schemas import ListIn


class OpenTicketIn(In):
    """A new ticket."""

    project_id: UUID
    subject: Annotated[str, PlainText(80)]


class ListTicketsIn(ListIn):
    """``subject``: this one alone."""

    subject: Annotated[str, TextRule(80)] | None = None


class TicketOut(Out):
    """A ticket."""

    id: UUID
    project_id: UUID
    subject: str
    status: str
    created_at: datetime
