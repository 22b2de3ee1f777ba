"""On PostgreSQL events go out in one message with COMMIT: heads are held for no round trip at all.

``append_audit_event``, a function of the database, moves the head of the account's chain, links the event and inserts
it. It takes the very text that was digested; ``chain.link`` makes the same bytes of a link. SQLAlchemy has no way to
send two statements at once, so this is the driver's own work, and what the guard would ask is asked here.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeAlias
from uuid import UUID

import psycopg
from psycopg import errors, generators
from psycopg.pq import Escaping, ExecStatus
from psycopg.pq.abc import PGconn, PGresult
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from tenants import current_account_id
from tenants.guard import check_values

Link: TypeAlias = tuple[int, str, str]  # seq, prev, hash

APPEND = "append_audit_event"
_GOOD = (ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK)


def append_and_commit(
    connection: Connection, account_id: UUID, events: Iterable[tuple[bytes, str]]
) -> list[Link]:
    """Append events to the account's chain, in their order, and commit; return their links.

    ``events``: the canonical JSON of each and its digest. Raises ForeignTenantError for an account that is not the
    entered one, and DBAPIError where nothing was written or the server is away.
    """
    check_values(("owner",), [{"owner": account_id}], current_account_id())
    driver: psycopg.Connection = connection.connection.driver_connection  # type: ignore[assignment]
    try:
        *appended, committed = _send(driver, _message(driver.pgconn, account_id, events))
    except psycopg.Error as error:
        raise _as_of_sqlalchemy(connection, error) from error
    if committed.command_status != b"COMMIT":
        raise RuntimeError(f"PostgreSQL answered {committed.command_status!r} to COMMIT")
    return [_link(result) for result in appended]


def _message(pgconn: PGconn, account_id: UUID, events: Iterable[tuple[bytes, str]]) -> bytes:
    literal = Escaping(pgconn).escape_literal
    owner = literal(str(account_id).encode())
    calls = [
        b"SELECT * FROM %b(%b, %b, %b); "
        % (APPEND.encode(), literal(body), literal(digest.encode()), owner)
        for body, digest in events
    ]
    return b"".join(calls) + b"COMMIT"


def _send(driver: psycopg.Connection, message: bytes) -> list[PGresult]:
    """Send one message and return the results of its statements: after an error, the server runs no more of them."""
    driver.pgconn.send_query(message)
    results: list[PGresult] = driver.wait(generators.execute(driver.pgconn))
    for result in results:
        if result.status not in _GOOD:
            raise errors.error_from_result(result, encoding=driver.info.encoding)
    return results


def _link(result: PGresult) -> Link:
    seq, prev, hashed = (result.get_value(0, column) or b"" for column in range(3))
    return int(seq), prev.decode(), hashed.decode()


def _as_of_sqlalchemy(connection: Connection, error: Any) -> BaseException:
    """Return the error as SQLAlchemy would raise it; a connection that broke is dropped, as it would do."""
    gone = connection.dialect.is_disconnect(error, connection.connection.dbapi_connection, None)
    if gone:
        connection.invalidate(error)
    made: BaseException = DBAPIError.instance(
        APPEND, None, error, psycopg.Error,
        hide_parameters=True, connection_invalidated=gone, dialect=connection.dialect,
    )  # fmt: skip
    return made
