"""Projects: the example resource. Copy this file for your first tenant-owned model."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from saas.columns import utc_now
from saas.models.base import Base, TenantModel
from tenants.keys import account_key


class Project(TenantModel, Base):
    """Something the account works on; its name is unique within the account."""

    __tablename__ = "projects"
    LABEL = "name"
    __table_args__ = (account_key(), UniqueConstraint("account_id", "name"))

    name: Mapped[str] = mapped_column(String(120))
    description: Mapped[str] = mapped_column(String(2000), default="")
    updated_at: Mapped[datetime] = mapped_column(default=utc_now, onupdate=utc_now)
