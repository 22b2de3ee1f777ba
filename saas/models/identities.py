"""A person and their sign-ins. Global: one person may sit in any number of accounts."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKeyConstraint, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from saas.models.base import Base, Created, Identified


class Identity(Identified, Created, Base):
    """A person: one address, one password, whatever the number of accounts."""

    __tablename__ = "identities"
    LABEL = "email"
    # The app's database role can write a password hash and never read one.
    __table_args__ = {"info": {"hidden": ("password_hash",)}}  # noqa: RUF012 - read by SQLAlchemy as declared

    email_key: Mapped[str] = mapped_column(String(254), unique=True)
    email: Mapped[str] = mapped_column(String(254))
    password_hash: Mapped[str] = mapped_column(String(200), deferred=True, deferred_raiseload=True)
    confirmed_at: Mapped[datetime | None]
    suspended_at: Mapped[datetime | None]


class UserSession(Identified, Created, Base):
    """A signed-in browser: the hash of its token, and the seat it entered."""

    __tablename__ = "sessions"
    __table_args__ = (
        ForeignKeyConstraint(["identity_id"], ["identities.id"], ondelete="CASCADE"),
        ForeignKeyConstraint(
            ["account_id", "user_id"], ["users.account_id", "users.id"], ondelete="CASCADE"
        ),
        Index(None, "identity_id"),
        Index(None, "account_id", "user_id"),
    )

    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    identity_id: Mapped[UUID]
    account_id: Mapped[UUID]
    user_id: Mapped[UUID]
    last_seen_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    ip: Mapped[str] = mapped_column(String(45))
    user_agent: Mapped[str] = mapped_column(String(256))
