"""One operator, as services find and name them; and how what they did is told."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import select

from saas import database, errors
from saas.audit.events import AuditEvent
from saas.audit.record import Target, clean, record
from saas.models import OperatorRow
from saas.operator import Operator
from saas.security import emails, tokens
from saas.unit import AnyRow

_operators = OperatorRow.__table__
_ROW = select(
    _operators.c.id, _operators.c.email, _operators.c.role, _operators.c.password_hash,
    _operators.c.totp_seed, _operators.c.totp_key, _operators.c.totp_step,
    _operators.c.setup_hash, _operators.c.setup_expires_at,
)  # fmt: skip
LIST = select(
    _operators.c.id, _operators.c.email, _operators.c.role, _operators.c.created_at,
    _operators.c.last_sign_in_at, _operators.c.setup_expires_at,
)  # fmt: skip


def find_by_email(key: str) -> AnyRow | None:
    """Return the operator behind a normalised address with all that a sign-in asks, or None."""
    with database.looking_across("console sign-in: which operator has this address?") as connection:
        return connection.execute(_ROW.where(_operators.c.email_key == key)).one_or_none()


def find(operator_id: UUID) -> AnyRow:
    """Return one operator with all that a sign-in asks; raises NotFoundError."""
    with database.looking_across("console: one operator, by id") as connection:
        row = connection.execute(_ROW.where(_operators.c.id == operator_id)).one_or_none()
    if row is None:
        raise errors.NotFoundError
    return row


def record_act(
    operator: Operator,
    act: str,
    target: Any,
    reason: str | None,
    ticket: str | None,
    account: AnyRow | None = None,
) -> None:
    """Record what an operator did in the house's own log, inside the unit of work that does it."""
    data = {
        "act": act,
        "account_id": str(account.id) if account is not None else None,
        "account_name": account.name if account is not None else None,
        "ticket": ticket,
    }
    record(
        AuditEvent.CONSOLE_ACTED,
        actor=operator.nowhere(),
        target=target,
        reason=reason,
        data=data,
    )


def attempted(known: AnyRow | None, email: str) -> Target:
    """Say for the log who was to be signed in; of an address that no operator has, what tells it from others."""
    if known is not None:
        return target(known.id, known.email)
    return Target("address", tokens.token_hash(emails.email_key(email))[:32], "no operator's")


def target(operator_id: UUID, email: str) -> Target:
    """Return an operator as the target of an event."""
    return Target("operator", str(operator_id), clean(email, 254) or "")
