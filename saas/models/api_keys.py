"""API keys: how a program acts inside one account, for the person who made the key."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index, String
from sqlalchemy.orm import Mapped, mapped_column

from saas.columns import CanonicalJson
from saas.models.base import Base, TenantModel
from tenants.keys import account_key, tenant_key


class ApiKey(TenantModel, Base):
    """A key: the hash of its secret, and a chosen part of its maker's permissions. It dies with the maker's seat."""

    __tablename__ = "api_keys"
    LABEL = "name"
    __table_args__ = (
        account_key(),
        tenant_key("user_id", "users", ondelete="CASCADE"),
        Index(None, "account_id", "user_id"),
    )

    user_id: Mapped[UUID]
    name: Mapped[str] = mapped_column(String(80))
    secret_hash: Mapped[str] = mapped_column(String(64))
    permissions: Mapped[list[str]] = mapped_column(CanonicalJson, default=list)
    expires_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
