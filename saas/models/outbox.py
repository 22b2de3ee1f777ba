"""Work that must happen after the commit, written down in the transaction that makes it necessary."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Index, String
from sqlalchemy.orm import Mapped, mapped_column

from saas.columns import CanonicalJson
from saas.models.base import Base, Created, Identified


class OutboxItem(Identified, Created, Base):
    """One piece of work: leased by a worker, tried again with growing pauses, given up visibly."""

    __tablename__ = "outbox"
    __table_args__ = (Index(None, "done_at", "not_before"), {"info": {"app": ("INSERT",)}})

    account_id: Mapped[UUID | None]  # whose doing it was; no key, since the account may be gone
    topic: Mapped[str] = mapped_column(String(32))
    # Emptied when it is done: it may hold a token that no database should keep.
    payload: Mapped[dict[str, Any]] = mapped_column(CanonicalJson)
    not_before: Mapped[datetime]
    lease_until: Mapped[datetime | None]
    attempts: Mapped[int] = mapped_column(default=0)
    done_at: Mapped[datetime | None]
    given_up_at: Mapped[datetime | None]
    last_error: Mapped[str | None] = mapped_column(String(300))
