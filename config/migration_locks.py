"""One migration at a time: a connection of the owner that holds the database's migration lock.

PostgreSQL: a session lock (the URL must not lead through a transaction pooler). MariaDB: GET_LOCK.
SQLite: one IMMEDIATE transaction around everything.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

WAIT_SECONDS = 60  # for SQLite's write lock
TURN_SECONDS = 3600  # for another migration, which may be long
# A statement that changes a table waits so long for those who use it, and then gives up: while it
# waits, everybody else waits behind it.
TABLE_SECONDS = 5
_KEY = int.from_bytes(hashlib.sha256(b"tenantry migrations").digest()[:8], "big", signed=True)


class MigrationError(Exception):
    """A migration was refused or cannot go on; the text says why."""


@contextmanager
def _sqlite(engine: Engine) -> Iterator[Connection]:
    if engine.url.database:
        Path(engine.url.database).parent.mkdir(mode=0o700, parents=True, exist_ok=True)

    @event.listens_for(engine, "connect")
    def _prepare(driver: Any, _record: object) -> None:
        driver.isolation_level = None  # we say BEGIN ourselves
        # Only outside a transaction: and were it on, making a table anew would delete its children.
        driver.execute("PRAGMA foreign_keys = OFF")
        driver.execute(f"PRAGMA busy_timeout = {WAIT_SECONDS * 1000}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    with engine.connect() as connection, connection.begin():
        yield connection
        broken = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall()
        if broken:
            tables = ", ".join(sorted({str(row[0]) for row in broken}))
            raise MigrationError(
                f"nothing was changed: {len(broken)} rows of {tables} would refer to nothing"
            )


@contextmanager
def _postgresql(engine: Engine) -> Iterator[Connection]:
    with engine.connect() as connection:
        connection.execute(text(f"SET lock_timeout = '{TURN_SECONDS}s'"))
        connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": _KEY})
        connection.execute(text(f"SET lock_timeout = '{TABLE_SECONDS}s'"))
        connection.commit()
        yield connection  # whatever happens: the session ends, and with it the lock


@contextmanager
def _mariadb(engine: Engine) -> Iterator[Connection]:
    with engine.connect() as connection:
        database = str(connection.execute(text("SELECT database()")).scalar_one())
        # Names of locks belong to the whole server and hold 64 characters.
        name = f"tenantry_{hashlib.sha256(database.encode()).hexdigest()[:32]}"
        turn = text("SELECT get_lock(:name, :seconds)")
        if connection.execute(turn, {"name": name, "seconds": TURN_SECONDS}).scalar() != 1:
            raise MigrationError("another migration has been running for an hour")
        connection.execute(text(f"SET SESSION lock_wait_timeout = {TABLE_SECONDS}"))
        _compare_by_code_point(connection, database)
        connection.commit()
        yield connection


def _compare_by_code_point(connection: Connection, database: str) -> None:
    """Let tables that come compare text as SQLite and PostgreSQL do: case, accents, spaces at the end."""
    wanted = ("utf8mb4", "utf8mb4_nopad_bin")
    found = connection.execute(text("SELECT @@character_set_database, @@collation_database")).one()
    if tuple(found) != wanted:
        quoted = connection.dialect.identifier_preparer.quote(database)
        connection.execute(
            text(f"ALTER DATABASE {quoted} CHARACTER SET {wanted[0]} COLLATE {wanted[1]}")
        )


_DOORS = {"sqlite": _sqlite, "postgresql": _postgresql, "mariadb": _mariadb}


@contextmanager
def locked(admin_url: str) -> Iterator[Connection]:
    """A connection beside which nobody else migrates; on SQLite it is inside a transaction.

    Raises MigrationError when the database or its lock is not to be had, when a table stays in use,
    and when foreign keys of an SQLite file would no longer hold.
    """
    engine = create_engine(admin_url, poolclass=NullPool, hide_parameters=True)
    try:
        with _DOORS[engine.dialect.name](engine) as connection:
            yield connection
    except OperationalError as error:
        raise MigrationError(str(error.orig).strip()) from error
    finally:
        engine.dispose()
