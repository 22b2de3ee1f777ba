"""The declarative base, and what every model shares."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, ClassVar
from uuid import UUID

from sqlalchemy import MetaData, Table
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from uuid_utils.compat import uuid7

from saas.columns import UtcDateTime, Uuid, utc_now
from tenants import TenantOwned

# Names of our own making are the same on every database, so migrations can speak of them.
NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """Declarative base of every model."""

    if (
        TYPE_CHECKING
    ):  # every model of ours is a table, which SQLAlchemy's own annotation leaves open
        __table__: ClassVar[Table]

    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map = {datetime: UtcDateTime, UUID: Uuid()}  # noqa: RUF012 - read by SQLAlchemy as declared


class Identified:
    """Mixin: an id that we make (UUIDv7, RFC 9562: ordered by time, so the newest row has the greatest id)."""

    id: Mapped[UUID] = mapped_column(Uuid(), primary_key=True, default=uuid7, sort_order=-10)


class Created:
    """Mixin: when the row was made (UTC)."""

    created_at: Mapped[datetime] = mapped_column(default=utc_now, sort_order=90)


class TenantModel(TenantOwned, Identified, Created):
    """Mixin of an ordinary tenant-owned model: key ``(account_id, id)`` and ``created_at``."""
