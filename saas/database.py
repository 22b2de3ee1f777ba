"""Engines, and the two ways to a transaction: ``reading()`` and ``unit_of_work()``."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from contextvars import ContextVar, Token
from functools import partial
from time import monotonic
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Engine, Table, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.pool import NullPool

from saas import errors
from saas.audit import chain, coverage
from saas.models import OWNERSHIP, Base
from saas.unit import Unit, _unit, find_unit
from tenants import (
    TenantOwned,
    across_accounts,
    current_account_id,
    enter_account,
    guard,
    row_security,
)
from tenants.self_test import self_test

BUSY_SECONDS = 30  # how long a writer waits for SQLite's one write lock
POOL_SECONDS = 5  # how long a request waits for a connection before it is told 503
STALE_SECONDS = 1  # a connection that the server has closed fails within this time


class Database:
    """The engines of one deployment: *tenant* (guarded), *system* (reads across accounts).

    ``pooler``: "transaction" behind PgBouncer in transaction mode, which cannot keep prepared statements.
    """

    def __init__(self, url: str, system_url: str | None = None, *, pooler: str = "none") -> None:
        self.tenant_engine = build_engine(url, pooler)
        self.system_engine = build_engine(system_url or url, pooler)
        self.tenant_reader = self.tenant_engine.execution_options(read_only=True)
        self.dialect = dialect_name(self.tenant_engine)
        guard.install(self.tenant_engine, OWNERSHIP)
        event.listen(self.tenant_engine, "before_cursor_execute", coverage.refuse_unit_less_write)
        event.listen(self.tenant_engine, "after_cursor_execute", coverage.note_write)
        # On the tenant engine the guard refuses what the table's privileges do not hold, DELETE of events among it.
        for refuse in (coverage.refuse_log_change, coverage.refuse_unaudited_outside):
            event.listen(self.system_engine, "before_cursor_execute", refuse)
        event.listen(self.system_engine, "after_cursor_execute", coverage.note_system_write)
        _begin_events(self.tenant_engine, in_account=True)
        _begin_events(self.system_engine, in_account=False)

    def check(self, *, roles: bool) -> None:
        """Refuse to start on an unowned table, a guard that does not bite, or (``roles``) an unsafe database role.

        Raises UnownedTableError, GuardDoesNotBiteError or UnsafeDatabaseRoleError.
        """
        OWNERSHIP.check()
        mappers = [m for m in Base.registry.mappers if issubclass(m.class_, TenantOwned)]
        self_test(self.tenant_engine, OWNERSHIP, mappers)
        if roles and self.dialect == "postgresql":
            for engine in (self.tenant_engine, self.system_engine):
                check_role(engine)
        self.dispose()

    def dispose(self) -> None:
        """Close every pooled connection: before a fork, and at the end."""
        self.tenant_engine.dispose()
        self.system_engine.dispose()


_database: ContextVar[Database | None] = ContextVar("saas_database", default=None)


@contextmanager
def use(database: Database) -> Iterator[Database]:
    """Let services in this context talk to ``database``."""
    before = start_using(database)
    try:
        yield database
    finally:
        stop_using(before)


def start_using(database: Database) -> Token[Database | None]:
    """Let services in this context talk to ``database`` until ``stop_using`` is given what this returns."""
    return _database.set(database)


def stop_using(before: Token[Database | None]) -> None:
    """Let services talk to what they talked to before ``start_using``."""
    _database.reset(before)


def current_database() -> Database:
    """Return the database in use; raises RuntimeError where ``use()`` was not entered."""
    database = _database.get()
    if database is None:
        raise RuntimeError("no database is in use: enter saas.database.use(database) first")
    return database


@contextmanager
def unit_of_work() -> Iterator[Unit]:
    """Open the writing transaction of the entered account; change and events commit together or not at all.

    Inside another unit of work it joins that one, and the outermost commits. Raises TenantMissingError without
    an account, UnauditedChangeError for a change without its event, DatabaseAwayError when the database is away.
    """
    outer = find_unit()
    if outer is not None:
        if outer.read_only:
            raise RuntimeError(
                "a unit of work inside a read-only transaction: a safe method must not write"
            )
        yield outer
        return
    with whole(open_unit(read_only=False)) as unit:
        yield unit


@contextmanager
def whole(unit: Unit) -> Iterator[Unit]:
    """Commit what is done in an open unit together with the events that account for it, or nothing; closes it.

    Raises UnauditedChangeError, DatabaseAwayError.
    """
    try:
        yield unit
        unit.flush()
        coverage.check(unit)
        _commit(unit)
    except BaseException:
        _roll_back(unit)
        raise
    finally:
        close_unit(unit)
    for follow_up in unit.after_commit:
        follow_up()


@contextmanager
def work_of_owner(engine: Engine, account_id: UUID) -> Iterator[Unit]:
    """Open a writing transaction of the tables' owner for one account: no guard judges what is done in it.

    ``engine``: from ``owner_engine``.
    """
    with enter_account(account_id), apart(), whole(begin_unit(engine, account_id)) as unit:
        yield unit


def owner_engine(url: str) -> Engine:
    """Make an engine for the owner of the tables: for pruning, outside every request."""
    engine = build_engine(url)
    _begin_events(engine, in_account=False)
    return engine


def reading() -> AbstractContextManager[Unit]:
    """Open a read-only transaction of the entered account, or join the one that is open."""
    outer = find_unit()
    return _opened() if outer is None else nullcontext(outer)


@contextmanager
def _opened() -> Iterator[Unit]:
    unit = open_unit(read_only=True)
    try:
        yield unit
    finally:
        close_unit(unit)


@contextmanager
def reading_apart() -> Iterator[Unit]:
    """Open a read-only transaction of its own, whatever else is open: for a look into another account."""
    with apart(), reading() as unit:
        yield unit


@contextmanager
def apart() -> Iterator[None]:
    """Let what is inside open units of its own, whatever else is open; the one that was open is back afterwards.

    A reader gives its connection back meanwhile: requests that held one each and waited for a second would, once the
    pool has no more, wait for each other.
    """
    outer = find_unit()
    if outer is not None:
        outer.rest()
    _unit.set(None)
    try:
        yield
    finally:
        _unit.set(outer)


def open_unit(*, read_only: bool) -> Unit:
    """Open a unit and make it the current one; the caller must close it. See ``reading`` and ``unit_of_work``."""
    database = current_database()
    account_id = current_account_id()
    engine = database.tenant_reader if read_only else database.tenant_engine
    return begin_unit(engine, account_id, read_only=read_only)


def begin_unit(engine: Engine, account_id: UUID, *, read_only: bool = False) -> Unit:
    """Begin a transaction of an engine as the current unit; the caller must close it. Raises DatabaseAwayError."""
    unit = Unit(partial(_begin, engine), account_id, read_only=read_only)
    _unit.set(unit)
    return unit


def close_unit(unit: Unit) -> None:
    """Close a unit; what was not committed is rolled back."""
    _unit.set(None)
    unit.close()


@contextmanager
def looking_across(reason: str) -> Iterator[Connection]:
    """Open the system engine, read-only, for values that belong to no entered account (see ``across_accounts``)."""
    with ExitStack() as stack:
        connection = _open_across(stack, reason)
        try:
            yield connection
        except DBAPIError as error:
            if is_away(error):
                raise errors.DatabaseAwayError from error
            raise


def _open_across(stack: ExitStack, reason: str) -> Connection:
    engine = current_database().system_engine
    return _past_stale(engine, lambda: stack.enter_context(across_accounts(engine, reason)))


@contextmanager
def writing_as_system(database: Database) -> Iterator[Connection]:
    """Open a writing transaction of the system engine, for global tables alone; commits at the end of the block.

    Raises DatabaseAwayError where none can be had.
    """
    connection = _begin(database.system_engine)
    try:
        yield connection
        connection.commit()
    except DBAPIError as error:
        if is_away(error):
            raise errors.DatabaseAwayError from error
        raise
    finally:
        connection.close()


def check_role(engine: Engine) -> None:
    """Raise UnsafeDatabaseRoleError when the role of an engine could pass the policies by (PostgreSQL)."""
    # The guard refuses what this has to ask of the catalogue, and rightly so: a connection of its own, without it.
    with create_engine(engine.url, poolclass=NullPool).connect() as connection:
        row_security.check_role(connection, OWNERSHIP)


def _begin(engine: Engine) -> Connection:
    def begun() -> Connection:
        connection = engine.connect()
        try:
            connection.begin()
        except BaseException:
            connection.invalidate()
            connection.close()
            raise
        return connection

    return _past_stale(engine, begun)


def _past_stale(engine: Engine, begun: Callable[[], Connection]) -> Connection:
    """Begin a transaction; a stale pooled connection shows at BEGIN and the next is tried, so no pre-ping is paid.

    Stale is what fails at once: what takes its time, or comes after the pool's last, is a database that is away.
    Each is dropped by itself, for a pool that is disposed of forgets the connections that are out.
    """
    until, left = monotonic() + STALE_SECONDS, None
    while True:
        try:
            return begun()
        except (DBAPIError, PoolTimeoutError, engine.dialect.loaded_dbapi.Error) as error:
            left = engine.pool.checkedin() + 1 if left is None else left  # type: ignore[attr-defined]
            if not left or monotonic() > until:
                raise errors.DatabaseAwayError from error
            left -= 1


def _commit(unit: Unit) -> None:
    """Write the events and commit; where one message has done both, the COMMIT after it sends nothing."""
    try:
        chain.write(unit)
        unit.connection.commit()
    except DBAPIError as error:
        if is_away(error):
            raise errors.DatabaseAwayError from error
        raise


def _roll_back(unit: Unit) -> None:
    if not unit.connection.invalidated and not unit.connection.closed:
        unit.connection.rollback()


def is_away(error: BaseException) -> bool:
    """Say whether an error means that the database cannot be reached or cannot serve now, and not a wrong statement."""
    if isinstance(error, PoolTimeoutError):
        return True
    if not isinstance(error, DBAPIError):
        return False
    if getattr(error.orig, "sqlite_errorcode", None) == sqlite3.SQLITE_ERROR:
        return False  # SQLite's word for every wrong statement, a missing table among them
    state = getattr(error.orig, "sqlstate", None) or ""
    # 08 connection, 53 resources, 57P shutdown, 25006 read-only server, 55P03/40 lock time-outs and deadlocks
    return (
        error.connection_invalidated
        or state.startswith(("08", "53", "57", "25006", "55P03", "40"))
        or (type(error.orig).__name__ in ("OperationalError", "InterfaceError") and not state)
    )


def conflicts_with(error: IntegrityError, table: Table, *columns: str) -> bool:
    """Say whether an IntegrityError is the violation of the unique key over ``columns`` of ``table``."""
    message = str(error.orig)
    by_name = f"uq_{table.name}_{'_'.join(columns)}"  # PostgreSQL and MariaDB tell the name, SQLite the columns
    by_columns = ", ".join(f"{table.name}.{column}" for column in columns)
    return by_name in message or by_columns in message


def dialect_name(engine: Engine) -> str:
    """Return "sqlite", "postgresql" or "mariadb"."""
    return "mariadb" if engine.dialect.name in ("mysql", "mariadb") else engine.dialect.name


def build_engine(url: str, pooler: str = "none") -> Engine:
    """Make an engine with our settings for its database; it has no guard yet."""
    backend = make_url(url).get_backend_name()
    pool: dict[str, Any] = {
        "pool_size": 10,
        "max_overflow": 10,
        "pool_timeout": POOL_SECONDS,
        "pool_recycle": 1800,
        "hide_parameters": True,  # an error goes to the log, and a parameter may be a secret
    }
    if backend == "sqlite":
        engine = create_engine(
            url, connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False}, **pool
        )
        event.listen(engine, "connect", _prepare_sqlite)
        return engine
    if backend == "postgresql":
        # AUTOCOMMIT keeps psycopg from sending a BEGIN of its own: ours carries the account in the same message.
        options: dict[str, Any] = {"connect_timeout": 5, "client_encoding": "utf8"}
        if pooler == "transaction":
            options["prepare_threshold"] = None
        else:
            options["options"] = (
                "-c timezone=UTC -c statement_timeout=30s -c idle_in_transaction_session_timeout=60s"
            )
        return create_engine(url, isolation_level="AUTOCOMMIT", connect_args=options, **pool)
    return create_engine(
        url,
        isolation_level="READ COMMITTED",
        connect_args={
            "connect_timeout": 5,
            "read_timeout": 30,
            "init_command": "SET time_zone = '+00:00'",
        },
        **pool,
    )


def _begin_events(engine: Engine, *, in_account: bool) -> None:
    name = dialect_name(engine)
    if name == "postgresql":
        (row_security.begin_with_account if in_account else row_security.begin_without_account)(
            engine
        )
    else:
        event.listen(engine, "begin", _begin_sqlite if name == "sqlite" else _begin_mariadb)


def _prepare_sqlite(connection: Any, record: Any) -> None:
    connection.isolation_level = None  # we say BEGIN ourselves: the driver's own way loses updates
    for pragma in (
        "journal_mode=wal",
        f"busy_timeout={BUSY_SECONDS * 1000}",
        "foreign_keys=on",
        "synchronous=normal",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    # A read snapshot cannot be upgraded to a write, so a writer takes the lock at once and waits its turn.
    mode = "" if connection.get_execution_options().get("read_only") else " IMMEDIATE"
    connection.connection.driver_connection.execute("BEGIN" + mode)  # type: ignore[union-attr]


def _begin_mariadb(connection: Connection) -> None:
    mode = "READ ONLY" if connection.get_execution_options().get("read_only") else "READ WRITE"
    connection.connection.driver_connection.query(f"START TRANSACTION {mode}")  # type: ignore[union-attr]
