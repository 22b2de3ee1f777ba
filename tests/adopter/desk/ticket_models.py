"""Tickets: what somebody asks of the account, about one of its projects."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from saas.models.base import Base, TenantModel
from tenants.keys import account_key, tenant_key


class Ticket(TenantModel, Base):
    """A question about a project; its subject is unique within the account."""

    __tablename__ = "tickets"
    LABEL = "subject"
    __table_args__ = (
        account_key(),
        tenant_key("project_id", "projects", ondelete="CASCADE"),
        UniqueConstraint("account_id", "subject"),
    )

    project_id: Mapped[UUID]
    subject: Mapped[str] = mapped_column(String(80))
    status: Mapped[str] = mapped_column(String(8), default="open")
