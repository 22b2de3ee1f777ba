"""Which account is entered: ambient, because it must never be forgotten, and restored, because scopes nest."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING
from uuid import UUID

import structlog

from tenants.errors import ForeignTenantError, TenantMissingError

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

_account: ContextVar[UUID | None] = ContextVar("tenants_account", default=None)
log = structlog.get_logger("tenants")


def current_account_id() -> UUID:
    """Return the id of the entered account; raises TenantMissingError where none is entered."""
    account_id = _account.get()
    if account_id is None:
        raise TenantMissingError("no account is entered: wrap this in enter_account(account_id)")
    return account_id


def entered_account_id() -> UUID | None:
    """Return the id of the entered account, or None: for logs and checks, never for queries."""
    return _account.get()


@contextmanager
def enter_account(account_id: UUID) -> Iterator[UUID]:
    """Enter one account for the length of the block; may be nested, the outer account is restored.

    Raises ForeignTenantError for anything but a ``uuid.UUID``: the value ends in SQL text on PostgreSQL.
    """
    if type(account_id) is not UUID:
        raise ForeignTenantError(f"an account id is a uuid.UUID, not {type(account_id).__name__}")
    token = _account.set(account_id)
    try:
        yield account_id
    finally:
        _account.reset(token)


@contextmanager
def across_accounts(engine: Engine, reason: str) -> Iterator[Connection]:
    """Open the one door that looks across accounts: a read-only connection of the system engine.

    The reason is logged. Values come back and not entities, and every caller is listed by a test.
    Raises ValueError without a reason.
    """
    if not reason.strip():
        raise ValueError("across_accounts needs a reason")
    log.debug("across_accounts", reason=reason)
    with engine.connect().execution_options(read_only=True) as connection, connection.begin():
        yield connection
