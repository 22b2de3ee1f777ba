"""The unit: one account, one connection, one transaction, and what was done and recorded in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, TypeAlias
from uuid import UUID

import structlog
from sqlalchemy import Connection, CursorResult, Row
from sqlalchemy.exc import DBAPIError

from tenants import enter_account
from tenants.session import TenantSession

if TYPE_CHECKING:
    from saas.audit.record import PendingEvent

AnyRow: TypeAlias = (
    "Row[*tuple[Any, ...]]"  # a row of a prepared statement, read by the names of its columns
)

_log = structlog.get_logger(__name__)


class NoUnitError(RuntimeError):
    """Something that needs a transaction was done outside one."""


class Unit:
    """One open transaction inside one account; ``saas.database`` opens, commits and closes it.

    ``written``: table name → where the first change of it was made. ``events``: what was recorded so far.
    """

    __slots__ = (
        "_begin",
        "_connection",
        "_session",
        "account_id",
        "after_commit",
        "events",
        "read_only",
        "written",
    )

    def __init__(
        self, begin: Callable[[], Connection], account_id: UUID, *, read_only: bool
    ) -> None:
        self._begin = begin
        self._connection: Connection | None = begin()
        self.account_id = account_id
        self.read_only = read_only
        self.events: list[PendingEvent] = []
        self.written: dict[str, str] = {}
        self.after_commit: list[Callable[[], None]] = []
        self._session: TenantSession | None = None

    @property
    def connection(self) -> Connection:
        """The connection of this transaction; a new transaction begins where a reader had given its own back."""
        if self._connection is None:
            with enter_account(self.account_id):
                self._connection = self._begin()
        return self._connection

    @property
    def session(self) -> TenantSession:
        """The ORM session of this transaction, made when it is first asked for: reads as rows need none."""
        if self._session is None:
            self._session = TenantSession(self.connection, self.account_id)
        return self._session

    def execute(self, statement: Any, parameters: Any = None) -> CursorResult[*tuple[Any, ...]]:
        """Run a Core statement; it passes the statement guard like every other."""
        return self.connection.execute(statement, parameters)

    def rows(self, statement: Any, parameters: Mapping[str, Any]) -> list[AnyRow]:
        """Run a prepared Core select and return its rows."""
        return self.connection.execute(statement, parameters).all()  # type: ignore[return-value]  # a list

    def flush(self) -> None:
        if self._session is not None:
            self._session.flush()

    def is_on(self, connection: Connection) -> bool:
        """Say whether a connection is this transaction's."""
        return self._connection is connection

    def rest(self) -> None:
        """Give a reader's connection back until the reader is asked again; a writer keeps what it holds."""
        if self.read_only:
            self._give_back()

    def close(self) -> None:
        """End the transaction for good; what is asked of it afterwards raises NoUnitError."""
        self._begin = _refuse_to_begin
        self._give_back()

    def _give_back(self) -> None:
        if self._session is not None:
            self._session.close()
        connection, self._connection, self._session = self._connection, None, None
        if connection is None:
            return
        try:
            if self.read_only and not connection.invalidated:
                # There is nothing to undo, and after a ROLLBACK psycopg forgets every prepared statement.
                connection.commit()
        except DBAPIError as error:
            # A reader has nothing to lose: what it read is whole, and the pool drops the connection.
            _log.warning("the end of a reading transaction failed", error=str(error.orig))
        finally:
            connection.close()


def _refuse_to_begin() -> Connection:
    raise NoUnitError(
        "this transaction has ended: what is read of it must be read inside its block"
    )


_unit: ContextVar[Unit | None] = ContextVar("saas_unit", default=None)


def find_unit() -> Unit | None:
    """Return the open unit, or None."""
    return _unit.get()


def current_unit() -> Unit:
    """Return the open unit; raises NoUnitError outside ``reading()`` and ``unit_of_work()``."""
    unit = _unit.get()
    if unit is None:
        raise NoUnitError(
            "no transaction is open: use database.reading() or database.unit_of_work()"
        )
    return unit
