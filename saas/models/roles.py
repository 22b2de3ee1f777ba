"""Roles of an account, and who holds them."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from sqlalchemy import Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from saas.columns import CanonicalJson, utc_now
from saas.models.base import Base, TenantModel
from tenants import TenantOwned
from tenants.keys import account_key, tenant_key, to_many, to_one

if TYPE_CHECKING:
    from saas.models.accounts import User


class Role(TenantModel, Base):
    """A named set of permissions. A system role follows the code; a custom role holds what its maker chose."""

    __tablename__ = "roles"
    LABEL = "name"
    __table_args__ = (account_key(), UniqueConstraint("account_id", "name"))

    name: Mapped[str] = mapped_column(String(40))
    system_key: Mapped[str | None] = mapped_column(String(16))
    permissions: Mapped[list[str]] = mapped_column(CanonicalJson, default=list)

    user_links: Mapped[list[UserRole]] = to_many(
        "Role",
        "UserRole",
        "role_id",
        back_populates="role",
        cascade="all, delete-orphan",
        passive_deletes=True,
    )


class UserRole(TenantOwned, Base):
    """One role held by one user, since when and by whose hand."""

    __tablename__ = "users_x_roles"
    __table_args__ = (
        tenant_key("user_id", "users", ondelete="CASCADE"),
        tenant_key("role_id", "roles", ondelete="CASCADE"),
        tenant_key("assigned_by_id", "users"),
        Index(None, "account_id", "role_id"),
    )

    user_id: Mapped[UUID] = mapped_column(primary_key=True)
    role_id: Mapped[UUID] = mapped_column(primary_key=True)
    assigned_at: Mapped[datetime] = mapped_column(default=utc_now)
    assigned_by_id: Mapped[UUID | None]

    user: Mapped[User] = to_one("UserRole", "User", "user_id", back_populates="role_links")
    role: Mapped[Role] = to_one("UserRole", "Role", "role_id", back_populates="user_links")
