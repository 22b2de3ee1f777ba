"""The operators of the console: people of the house, who are nobody's customers.

The tenant engine may not touch these tables at all (``"app": ()``): nothing that a customer can do reaches them.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from saas.models.base import Base, Created, Identified, TenantModel
from tenants.keys import account_key, tenant_key

_CLOSED = {"app": ()}


class OperatorRow(Identified, Created, Base):
    """An operator: own address, own password, own second factor, one role in the console.

    The secret of the second factor stands nowhere: it is derived from ``totp_seed`` and a pepper (``totp_key``).
    ``setup_hash``: of a code that lets its holder set up a second factor anew; while it stands, no other code counts.
    """

    __tablename__ = "operators"
    LABEL = "email"
    __table_args__ = {  # noqa: RUF012 - read by SQLAlchemy as declared
        "info": {**_CLOSED, "hidden": ("password_hash", "totp_seed", "totp_key", "setup_hash")}
    }

    email_key: Mapped[str] = mapped_column(String(254), unique=True)
    email: Mapped[str] = mapped_column(String(254))
    role: Mapped[str] = mapped_column(String(16))
    password_hash: Mapped[str] = mapped_column(String(200), deferred=True, deferred_raiseload=True)
    totp_seed: Mapped[str] = mapped_column(String(64), deferred=True, deferred_raiseload=True)
    totp_key: Mapped[str] = mapped_column(String(32), deferred=True, deferred_raiseload=True)
    totp_step: Mapped[int] = mapped_column(BigInteger, default=0)  # the last one used
    setup_hash: Mapped[str | None] = mapped_column(
        String(64), deferred=True, deferred_raiseload=True
    )
    setup_expires_at: Mapped[datetime | None]
    last_sign_in_at: Mapped[datetime | None]


class OperatorSession(Identified, Created, Base):
    """A signed-in operator's browser. ``stage``: "full", or "setup" until a new second factor works."""

    __tablename__ = "operator_sessions"
    __table_args__ = {"info": {**_CLOSED, "hidden": ("token_hash",)}}  # noqa: RUF012 - as above

    token_hash: Mapped[str] = mapped_column(
        String(64), unique=True, deferred=True, deferred_raiseload=True
    )
    operator_id: Mapped[UUID] = mapped_column(
        ForeignKey("operators.id", ondelete="CASCADE"), index=True
    )
    stage: Mapped[str] = mapped_column(String(8))
    last_seen_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    ip: Mapped[str] = mapped_column(String(45))
    user_agent: Mapped[str] = mapped_column(String(256))


class RecoveryCode(Identified, Created, Base):
    """The hash of one code that stands in for the second factor, once."""

    __tablename__ = "operator_recovery_codes"
    __table_args__ = {"info": {**_CLOSED, "hidden": ("code_hash",)}}  # noqa: RUF012 - as above

    operator_id: Mapped[UUID] = mapped_column(
        ForeignKey("operators.id", ondelete="CASCADE"), index=True
    )
    code_hash: Mapped[str] = mapped_column(String(64), deferred=True, deferred_raiseload=True)
    used_at: Mapped[datetime | None]


class AccountNote(TenantModel, Base):
    """What an operator wrote down about an account, or about somebody's seat in it; no customer reads it."""

    __tablename__ = "account_notes"
    LABEL = "author_label"
    __table_args__ = (
        account_key(),
        tenant_key("user_id", "users", ondelete="CASCADE"),
    )

    user_id: Mapped[UUID | None]
    author_id: Mapped[UUID]  # an operator's; no key, since operators go and notes stay
    author_label: Mapped[str] = mapped_column(String(254))
    text: Mapped[str] = mapped_column(String(2000))
