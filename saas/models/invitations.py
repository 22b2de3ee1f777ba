"""Invitations into an account, and the roles they bring."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from saas.models.base import Base, TenantModel
from tenants import TenantOwned
from tenants.keys import account_key, tenant_key


class Invitation(TenantModel, Base):
    """An address that is asked to join, bound to that address; the token in the mail is kept as its hash."""

    __tablename__ = "invitations"
    LABEL = "email"
    __table_args__ = (
        account_key(),
        tenant_key("invited_by_id", "users"),
        UniqueConstraint("account_id", "token_hash"),
        Index(None, "account_id", "email_key"),
    )

    email: Mapped[str] = mapped_column(String(254))
    email_key: Mapped[str] = mapped_column(String(254))
    token_hash: Mapped[str] = mapped_column(String(64))
    # None: whoever sent it is gone, and the invitation with them.
    invited_by_id: Mapped[UUID | None]
    expires_at: Mapped[datetime]
    accepted_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class InvitationRole(TenantOwned, Base):
    """One role that an invitation brings."""

    __tablename__ = "invitations_x_roles"
    __table_args__ = (
        tenant_key("invitation_id", "invitations", ondelete="CASCADE"),
        tenant_key("role_id", "roles", ondelete="CASCADE"),
        Index(None, "account_id", "role_id"),
    )

    invitation_id: Mapped[UUID] = mapped_column(primary_key=True)
    role_id: Mapped[UUID] = mapped_column(primary_key=True)


class OwnershipOffer(TenantModel, Base):
    """An owner's offer to hand the account over; it moves only when the other accepts."""

    __tablename__ = "ownership_offers"
    __table_args__ = (
        account_key(),
        tenant_key("from_user_id", "users", ondelete="CASCADE"),
        tenant_key("to_user_id", "users", ondelete="CASCADE"),
    )

    from_user_id: Mapped[UUID]
    to_user_id: Mapped[UUID]
    expires_at: Mapped[datetime]
    accepted_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
