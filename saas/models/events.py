"""Audit events and the heads of their chains; what they mean stands in ``saas.audit``."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Index, SmallInteger, String, UniqueConstraint
from sqlalchemy.orm import Mapped, declared_attr, mapped_column

from saas.columns import CanonicalJson
from saas.models.base import Base, Identified
from tenants import TenantOwned
from tenants.keys import account_key


class EventColumns:
    """Mixin: the envelope, version 1, one column a key, in the order of the envelope."""

    v: Mapped[int] = mapped_column(SmallInteger)
    seq: Mapped[int] = mapped_column(BigInteger)
    time: Mapped[datetime]
    action: Mapped[str] = mapped_column(String(64))
    crud: Mapped[str] = mapped_column(String(1))
    outcome: Mapped[str] = mapped_column(String(8))
    reason: Mapped[str | None] = mapped_column(String(1000))
    severity: Mapped[str] = mapped_column(String(8))
    actor_type: Mapped[str] = mapped_column(String(16))
    actor_id: Mapped[str | None] = mapped_column(String(36))
    actor_label: Mapped[str] = mapped_column(String(254))
    on_behalf_of_id: Mapped[str | None] = mapped_column(String(36))
    on_behalf_of_label: Mapped[str | None] = mapped_column(String(254))
    target_type: Mapped[str | None] = mapped_column(String(32))
    target_id: Mapped[str | None] = mapped_column(String(36))
    target_label: Mapped[str | None] = mapped_column(String(254))
    targets: Mapped[list[Any]] = mapped_column(CanonicalJson)
    changes: Mapped[list[Any]] = mapped_column(CanonicalJson)
    data: Mapped[dict[str, Any]] = mapped_column(CanonicalJson)
    request_id: Mapped[str | None] = mapped_column(String(64))
    ip: Mapped[str | None] = mapped_column(String(45))
    user_agent: Mapped[str | None] = mapped_column(String(256))
    channel: Mapped[str] = mapped_column(String(8))
    route: Mapped[str | None] = mapped_column(String(128))
    digest: Mapped[str] = mapped_column(String(64))
    prev: Mapped[str] = mapped_column(String(64))
    hash: Mapped[str] = mapped_column(String(64))


def _refusals(cls: Any) -> Index:
    """An index of what did not succeed, which is little: other events cost it nothing where the database can.

    It has the time, so that counting by day reads no event.
    """
    failed = cls.outcome != "success"
    return Index(None, "outcome", "id", "time", postgresql_where=failed, sqlite_where=failed)


class AuditEventRow(TenantOwned, Identified, EventColumns, Base):
    """What happened in one account; inserted and never changed."""

    __tablename__ = "audit_events"

    @declared_attr.directive
    def __table_args__(cls) -> tuple[Any, ...]:  # noqa: N805 - SQLAlchemy calls it on the class
        return (
            account_key(),
            UniqueConstraint("account_id", "seq"),
            Index(None, "account_id", "action", "seq"),
            Index(None, "account_id", "actor_id", "seq"),
            Index(None, "account_id", "target_id", "seq"),
            # Only ever appended to, ids being made in the order of time: the relay asks it which accounts are new, and
            # the console reads across accounts.
            Index(None, "id", "account_id"),
            Index(None, "request_id"),
            _refusals(cls),
            {"info": {"app": ("SELECT", "INSERT")}},
        )


class SystemEventRow(Identified, EventColumns, Base):
    """What happened outside every account: sign-ins that failed, changes of an identity."""

    __tablename__ = "system_events"

    @declared_attr.directive
    def __table_args__(cls) -> tuple[Any, ...]:  # noqa: N805 - SQLAlchemy calls it on the class
        return (
            UniqueConstraint("seq"),
            Index(None, "actor_id", "seq"),
            Index(None, "target_id", "seq"),
            Index(None, "request_id"),
            {"info": {"app": ("INSERT",)}},
        )


class AuditHead(TenantOwned, Base):
    """The last link of an account's chain; locked as the last thing before COMMIT.

    ``prev``: what its event links to, kept here because the statement that moves the head has to return both.
    """

    __tablename__ = "audit_heads"

    @declared_attr.directive
    def __table_args__(cls) -> tuple[Any, ...]:  # noqa: N805 - SQLAlchemy calls it on the class
        return (account_key(), {"info": {"app": ("SELECT", "INSERT", "UPDATE")}})

    seq: Mapped[int] = mapped_column(BigInteger)
    prev: Mapped[str] = mapped_column(String(64))
    hash: Mapped[str] = mapped_column(String(64))


class SystemHead(Base):
    """The last link of the system's chain: one row, id 1."""

    __tablename__ = "system_heads"
    __table_args__ = {"info": {"app": ("SELECT", "UPDATE")}}  # noqa: RUF012 - read by SQLAlchemy as declared

    id: Mapped[UUID] = mapped_column(primary_key=True)
    seq: Mapped[int] = mapped_column(BigInteger)
    hash: Mapped[str] = mapped_column(String(64))
