"""Three accounts with marked rows on a real database, and a way to look at them past every net.

Account A (amber) attacks; B (basalt) and C (cobalt) are attacked. A has 2 rows of each kind, B 3 and C 4, so a
count tells whose rows it met; every text carries its account's mark.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Engine, Table, create_engine, event, insert, select, text
from sqlalchemy.pool import NullPool, QueuePool
from uuid_utils.compat import uuid7

from saas.columns import utc_now
from saas.models import (
    Account,
    Identity,
    Project,
    Role,
    SystemEventRow,
    User,
    UserRole,
    UserSession,
)
from saas.models import AuditEventRow as AuditEvent
from tenants import row_security
from tests.databases import Urls
from tests.tenants.models import LINKS, OWNERSHIP, Adopted, Document, Handle, Invoice, Note

MARKS = {"amber": 2, "basalt": 3, "cobalt": 4}
WHEN = utc_now().replace(microsecond=0)


@dataclass
class Seat:
    """The ids of one account's rows, one list a kind."""

    mark: str
    account_id: UUID = field(default_factory=uuid7)
    identities: list[UUID] = field(default_factory=list)
    users: list[UUID] = field(default_factory=list)
    roles: list[UUID] = field(default_factory=list)
    projects: list[UUID] = field(default_factory=list)
    notes: list[UUID] = field(default_factory=list)
    documents: list[UUID] = field(default_factory=list)
    sessions: list[UUID] = field(default_factory=list)
    events: list[UUID] = field(default_factory=list)

    def token_hash(self, number: int = 0) -> str:
        return hashlib.sha256(f"{self.mark}-{number}".encode()).hexdigest()

    @property
    def ids(self) -> set[UUID]:
        lists = (self.identities, self.users, self.roles, self.projects, self.notes, self.documents)
        return {self.account_id, *self.sessions, *self.events, *(i for ids in lists for i in ids)}


class World:
    """One database with the three accounts in it, and the pristine rows to compare with and to put back."""

    def __init__(self, urls: Urls) -> None:
        self.urls, self.backend = urls, urls.backend
        self.a, self.b, self.c = (Seat(mark) for mark in MARKS)
        self.watcher = plain_engine(urls.superuser_url, NullPool)
        self._make_schema()
        with self.watcher.begin() as connection:
            for seat, size in zip((self.a, self.b, self.c), MARKS.values(), strict=True):
                for table, rows in _rows(seat, size):
                    connection.execute(insert(table), rows)
        self.foreign_ids = self.b.ids | self.c.ids
        self._connection = self.watcher.connect()
        self.pristine = self.look()

    def close(self) -> None:
        self._connection.close()
        self.watcher.dispose()

    def look(self) -> dict[Table, dict[Any, tuple[Any, ...]]]:
        """Return every row of every table by its primary key, seen past every net."""
        with self._connection.begin():
            return {table: self._rows_of(table) for table in OWNERSHIP.tables}

    def restore(self, found: dict[Table, dict[Any, tuple[Any, ...]]]) -> None:
        """Put the pristine rows back into the tables that differ."""
        differing = [table for table in OWNERSHIP.tables if found[table] != self.pristine[table]]
        if not differing:
            return
        if self.backend == "sqlite":
            differing = OWNERSHIP.tables  # its foreign keys cascade, whatever is put off
        with self._connection.begin(), _without_foreign_keys(self._connection, self.backend):
            for table in differing:
                self._connection.execute(table.delete())
                if rows := [
                    dict(zip(table.c.keys(), row, strict=True))
                    for row in self.pristine[table].values()
                ]:
                    self._connection.execute(insert(table), rows)

    def _rows_of(self, table: Table) -> dict[Any, tuple[Any, ...]]:
        keys = [table.c.keys().index(column.key) for column in table.primary_key]
        rows = (tuple(row) for row in self._connection.execute(select(table)))
        return {tuple(row[k] for k in keys): row for row in rows}

    def _make_schema(self) -> None:
        admin = plain_engine(self.urls.admin_url, NullPool)
        with admin.begin() as connection:
            OWNERSHIP.metadata.create_all(connection)
            Adopted.metadata.create_all(connection)
            if self.urls.roles is not None:
                row_security.apply_policies(connection, OWNERSHIP, self.urls.roles)
            for statement in _view_statements(self.urls):
                connection.execute(text(statement))
        admin.dispose()


def plain_engine(url: str, pool: type = QueuePool) -> Engine:
    """Make an engine without any net, whose transactions are real ones."""
    if url.startswith("sqlite"):
        engine = create_engine(url, poolclass=pool, connect_args={"check_same_thread": False})
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(
            engine,
            "begin",
            lambda connection: connection.connection.driver_connection.execute("BEGIN"),
        )
        return engine
    if url.startswith("postgresql"):
        engine = create_engine(url, poolclass=pool, isolation_level="AUTOCOMMIT")
        row_security.begin_without_account(engine)
        return engine
    return create_engine(url, poolclass=pool, isolation_level="READ COMMITTED")


def tenant_engine(urls: Urls) -> Engine:
    """Make the engine of the app's role: on PostgreSQL every transaction begins with the entered account."""
    if urls.backend != "postgresql":
        return plain_engine(urls.tenant_url)
    engine = create_engine(urls.tenant_url, isolation_level="AUTOCOMMIT")
    row_security.begin_with_account(engine)
    return engine


def _prepare_sqlite(connection: Any, record: Any) -> None:
    connection.isolation_level = None
    for pragma in ("journal_mode=wal", "busy_timeout=5000", "foreign_keys=on", "synchronous=off"):
        connection.execute(f"PRAGMA {pragma}")


@contextmanager
def _without_foreign_keys(connection: Connection, backend: str) -> Iterator[None]:
    # SQLite cannot switch them inside a transaction, and checks at the end of each statement: order is enough.
    off, on = {
        "sqlite": ("PRAGMA defer_foreign_keys=on", "PRAGMA defer_foreign_keys=off"),
        "postgresql": (
            "SET LOCAL session_replication_role = replica",
            "SET LOCAL session_replication_role = origin",
        ),
        "mariadb": ("SET foreign_key_checks = 0", "SET foreign_key_checks = 1"),
    }[backend]
    connection.execute(text(off))
    yield
    connection.execute(text(on))


def _view_statements(urls: Urls) -> Iterator[str]:
    # A view runs with its owner's rights unless it says otherwise.
    invoker = " WITH (security_invoker = true)" if urls.backend == "postgresql" else ""
    yield f"CREATE VIEW t_every_user{invoker} AS SELECT * FROM users"
    if urls.roles is not None:
        yield f"GRANT SELECT ON t_every_user TO {urls.roles.app}"


def _rows(seat: Seat, size: int) -> Iterator[tuple[Any, list[dict[str, Any]]]]:
    mark, account = seat.mark, {"account_id": seat.account_id}
    for ids in (
        seat.identities,
        seat.users,
        seat.roles,
        seat.projects,
        seat.notes,
        seat.documents,
        seat.sessions,
    ):
        ids += [uuid7() for _ in range(size)]
    seat.events.append(uuid7())
    numbers = range(size)
    yield Account.__table__, [account | {"name": f"{mark} account"}]
    yield (
        Identity.__table__,
        [
            {
                "id": seat.identities[n],
                "email_key": f"{mark}{n}@example.com",
                "email": f"{mark}{n}@example.com",
            }
            | {"password_hash": f"{mark} hash"}
            for n in numbers
        ],
    )
    yield (
        User.__table__,
        [
            account
            | {"id": seat.users[n], "identity_id": seat.identities[n], "username": f"{mark}-{n}"}
            for n in numbers
        ],
    )
    yield (
        Role.__table__,
        [account | {"id": seat.roles[n], "name": f"{mark} role {n}"} for n in numbers],
    )
    yield (
        UserRole.__table__,
        [account | {"user_id": seat.users[n], "role_id": seat.roles[n]} for n in numbers],
    )
    yield (
        Project.__table__,
        [account | {"id": seat.projects[n], "name": f"{mark} project {n}"} for n in numbers],
    )
    yield (
        Note.__table__,
        [
            account
            | {
                "id": seat.notes[n],
                "body": f"{mark} note {n}",
                "stars": size,
                "author_id": seat.users[n],
            }
            | {"parent_id": seat.notes[0] if n else None}
            for n in numbers
        ],
    )
    yield LINKS, [account | {"flag": "active", "user_id": seat.users[n]} for n in numbers]
    yield (
        Document.__table__,
        [
            account | {"id": seat.documents[n], "kind": "invoice", "title": f"{mark} title {n}"}
            for n in numbers
        ],
    )
    yield (
        Invoice.__table__,
        [
            account | {"id": seat.documents[n], "total": size, "memo": f"{mark} memo {n}"}
            for n in numbers
        ],
    )
    yield (
        Handle.__table__,
        [account | {"id": uuid7(), "handle": f"handle of {mark}", "body": f"{mark} body"}],
    )
    yield UserSession.__table__, [_session(seat, n) for n in numbers]
    yield AuditEvent.__table__, [account | _event(seat)]
    yield SystemEventRow.__table__, [_event(seat) | {"id": uuid7(), "seq": size}]


def _session(seat: Seat, n: int) -> dict[str, Any]:
    return {
        "id": seat.sessions[n],
        "token_hash": seat.token_hash(n),
        "identity_id": seat.identities[n],
        "account_id": seat.account_id,
        "user_id": seat.users[n],
        "last_seen_at": WHEN,
        "expires_at": WHEN,
        "ip": "127.0.0.1",
        "user_agent": f"{seat.mark} agent",
    }


def _event(seat: Seat) -> dict[str, Any]:
    texts = dict.fromkeys(("digest", "prev", "hash"), "0" * 64) | {
        "actor_type": "user",
        "channel": "api",
    }
    return texts | {
        "id": seat.events[0],
        "v": 1,
        "seq": 1,
        "time": WHEN,
        "action": "project.created",
        "crud": "c",
        "outcome": "success",
        "severity": "info",
        "actor_label": f"{seat.mark} actor",
        "targets": [],
        "changes": [],
        "data": {},
    }
