"""The account, which is the tenant, and the seats in it."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship, synonym

from saas.models.base import Base, Created, TenantModel
from tenants import TenantOwned
from tenants.keys import account_key, to_many


class Account(TenantOwned, Created, Base):
    """The tenant boundary: everything that is owned is owned by one of these. It owns itself."""

    __tablename__ = "accounts"
    LABEL = "name"

    id: Mapped[UUID] = synonym("account_id")
    name: Mapped[str] = mapped_column(String(80))
    status: Mapped[str] = mapped_column(String(16), default="active")
    # Goes up with every change of a role or of who holds it, so cached permissions are never stale.
    roles_version: Mapped[int] = mapped_column(default=1)
    # For how many days audit events are kept; not set, for ever.
    audit_retention_days: Mapped[int | None]

    users: Mapped[list[User]] = relationship("User", viewonly=True, order_by="User.id")


class User(TenantModel, Base):
    """A person's seat in one account; roles hang on the seat."""

    __tablename__ = "users"
    LABEL = "username"
    __table_args__ = (
        account_key(),
        UniqueConstraint("account_id", "username"),
        UniqueConstraint("account_id", "identity_id"),
        Index(None, "identity_id"),
        Index(None, "id"),  # for the console, which looks a seat up without knowing its account
    )

    identity_id: Mapped[UUID] = mapped_column(ForeignKey("identities.id"))
    username: Mapped[str] = mapped_column(String(15))
    status: Mapped[str] = mapped_column(String(16), default="active")
    last_used_at: Mapped[datetime | None]

    role_links: Mapped[list[UserRole]] = to_many(
        "User",
        "UserRole",
        "user_id",
        back_populates="user",
        cascade="all, delete-orphan",
        passive_deletes=True,
    )
    roles: Mapped[list[Role]] = relationship(
        "Role",
        secondary="users_x_roles",
        primaryjoin="and_(User.account_id == UserRole.account_id, User.id == UserRole.user_id)",
        secondaryjoin="and_(Role.account_id == UserRole.account_id, Role.id == UserRole.role_id)",
        viewonly=True,
        order_by="Role.name",
    )


from saas.models.roles import Role, UserRole  # noqa: E402 - the other half of the relationship
