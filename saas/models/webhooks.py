"""Webhooks: where an account has its audit events sent, what came of it, and how far each destination has got."""

from __future__ import annotations

from datetime import datetime
from urllib.parse import urlsplit
from uuid import UUID

from sqlalchemy import BigInteger, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from saas.columns import CanonicalJson, utc_now
from saas.models.base import Base, Identified, TenantModel
from tenants import TenantOwned
from tenants.keys import account_key, tenant_key

_SEALED = 400  # characters of an encrypted secret, which has some 280


class Webhook(TenantModel, Base):
    """An address that gets the account's events; it belongs to the account and outlives whoever made it.

    ``actions``: which events, None for all. ``from_seq``: the last event before it was made. ``failing_since``:
    when the first delivery failed after the last that arrived.
    """

    __tablename__ = "webhooks"
    LABEL = "place"
    # Secrets are encrypted, and the app's database role can write them and never read one.
    __table_args__ = (account_key(), {"info": {"hidden": ("secret", "previous_secret")}})

    url: Mapped[str] = mapped_column(String(1000))
    description: Mapped[str] = mapped_column(String(200), default="")
    actions: Mapped[list[str] | None] = mapped_column(CanonicalJson)
    secret: Mapped[str] = mapped_column(String(_SEALED), deferred=True, deferred_raiseload=True)
    previous_secret: Mapped[str | None] = mapped_column(
        String(_SEALED), deferred=True, deferred_raiseload=True
    )
    previous_secret_until: Mapped[datetime | None]
    status: Mapped[str] = mapped_column(String(16), default="enabled")
    disabled_reason: Mapped[str | None] = mapped_column(String(300))
    created_by_id: Mapped[UUID | None]  # a seat; no key, since its person may leave before it
    from_seq: Mapped[int] = mapped_column(BigInteger)
    failing_since: Mapped[datetime | None]
    tested_at: Mapped[datetime | None]

    @property
    def place(self) -> str:
        """Scheme and host alone: the path of such an address is often a secret of its own."""
        return place(self.url)


class WebhookDelivery(TenantOwned, Identified, Base):
    """One attempt to deliver one event; the last of each webhook are kept, for the people who look after it."""

    __tablename__ = "webhook_deliveries"
    __table_args__ = (
        account_key(),
        tenant_key("webhook_id", "webhooks", ondelete="CASCADE"),
        Index(None, "account_id", "webhook_id", "id"),
        {"info": {"app": ("SELECT", "INSERT", "DELETE")}},
    )

    webhook_id: Mapped[UUID]
    event_id: Mapped[UUID]
    seq: Mapped[int] = mapped_column(BigInteger)
    action: Mapped[str] = mapped_column(String(64))
    attempt: Mapped[int]
    status_code: Mapped[int | None]
    error: Mapped[str | None] = mapped_column(String(200))
    duration_ms: Mapped[int]
    at: Mapped[datetime] = mapped_column(default=utc_now)


class AuditCursor(Base):
    """How far one destination has got in one stream; workers move it once the destination has acknowledged.

    ``stream_id``: the account whose chain is delivered, or the system's head, or, of the destination ``webhooks``,
    one webhook; never NULL, since NULLs are not unique. Whoever holds ``lease_until`` delivers: one worker a
    destination and stream, so the order holds.
    """

    __tablename__ = "audit_cursors"
    __table_args__ = (Index(None, "stream_id"), Index(None, "not_before"), {"info": {"app": ()}})

    destination: Mapped[str] = mapped_column(String(64), primary_key=True)
    stream_id: Mapped[UUID] = mapped_column(primary_key=True)
    seq: Mapped[int] = mapped_column(BigInteger)
    updated_at: Mapped[datetime]
    lease_until: Mapped[datetime | None]
    failing_since: Mapped[datetime | None]
    attempts: Mapped[int] = mapped_column(default=0)
    not_before: Mapped[datetime | None]
    last_error: Mapped[str | None] = mapped_column(String(200))


def place(url: str) -> str:
    """Return scheme and host of an address, which is all that the audit log and log lines say of it."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname}"
