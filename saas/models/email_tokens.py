"""Tokens that went out by mail."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from saas.models.base import Base, Created, Identified


class EmailToken(Identified, Created, Base):
    """A token that was sent to an address: one purpose, one use, and a newer one ends the older."""

    __tablename__ = "email_tokens"
    __table_args__ = (Index(None, "identity_id", "purpose"),)

    identity_id: Mapped[UUID] = mapped_column(ForeignKey("identities.id", ondelete="CASCADE"))
    purpose: Mapped[str] = mapped_column(String(8))  # verify, change or reset
    email: Mapped[str] = mapped_column(String(254))
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
