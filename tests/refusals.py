"""What a refusal proves: status and code in the one shape, and that nothing was changed anywhere.

The second half looks past every policy, as the database's superuser: what the app cannot see would
be no proof.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CompoundSelect,
    Connection,
    Engine,
    Select,
    Table,
    bindparam,
    create_engine,
    event,
    func,
    literal,
    or_,
    select,
    union_all,
)
from werkzeug.test import TestResponse

from saas.models import OWNERSHIP
from tests.house import House
from tests.people import Person

LOGS, HEADS = {"audit_events", "system_events"}, {"audit_heads", "system_heads"}
TRACES_OF_USE = {("sessions", "last_seen_at"), ("users", "last_used_at")}


def said(answer: TestResponse) -> dict[str, Any]:
    """An error's answer without what differs in every request."""
    body: dict[str, Any] = answer.get_json()["errors"]
    return {key: value for key, value in body.items() if key != "request_id"}


def refused(answer: TestResponse, code: int, *fields: str) -> dict[str, Any]:
    """Hold an answer against the one error shape and return what it said; `fields`: those named."""
    assert answer.mimetype == "application/json", answer.get_data(as_text=True)
    body = answer.get_json()
    assert body.keys() == {"errors"}
    assert body["errors"].keys() == {
        "display_error",
        "internal_error_code",
        "field_errors",
        "request_id",
    }
    assert (answer.status_code, body["errors"]["internal_error_code"]) == (code // 100, code), body
    assert body["errors"]["request_id"] == answer.headers["X-Request-ID"]
    assert body["errors"]["display_error"].endswith((".", "?"))
    if fields:
        assert [each["field"] for each in body["errors"]["field_errors"]] == list(fields), body
    return said(answer)


@contextmanager
def superuser(house: House) -> Iterator[Connection]:
    """A connection that no policy and no guard holds back."""
    with _engine(house.urls.superuser_url).connect() as connection:
        yield connection
        connection.commit()


@cache
def _engine(url: str) -> Engine:
    # Of every test there are many looks, and MariaDB's driver takes 27 ms for a connection.
    engine = create_engine(url, pool_size=2)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", lambda c, _: c.execute("PRAGMA foreign_keys = ON"))
    return engine


def look(house: House, statement: Any) -> list[Any]:
    """Rows of a statement, past every policy."""
    with superuser(house) as connection:
        return list(connection.execute(statement).all())


def change(house: House, statement: Any) -> int:
    """Change rows behind the product's back; how many were changed."""
    with superuser(house) as connection:
        return int(connection.execute(statement).rowcount)


@contextmanager
def nothing_changes(house: House, *people: Person) -> Iterator[None]:
    """Hold that a block changes no row of these people and their accounts, and adds none elsewhere.

    The audit log may tell of the refusal, and of nothing else: no event of a success is added to any chain.
    """
    before = _state(house, people)
    yield
    after = _state(house, people)
    assert after.keys() == before.keys()
    for name in before:
        assert after[name] == before[name], f"{name} was changed"


def _state(house: House, people: tuple[Person, ...]) -> dict[str, Any]:
    accounts = {person.account_id for person in people}
    identities = {person.identity_id for person in people}
    with superuser(house) as connection:
        counts = {row[0]: row[1] for row in connection.execute(_count_all())}
        return {
            table.name: (
                counts[table.name],
                _rows(connection, table, accounts, identities) if counts[table.name] else [],
            )
            for table in _tables()
        }


@cache
def _tables() -> tuple[Table, ...]:
    return tuple(table for table in OWNERSHIP.metadata.sorted_tables if table.name not in HEADS)


@cache
def _count_all() -> CompoundSelect[Any]:
    counted = (
        select(literal(table.name), func.count()).select_from(table).where(*_changes(table))
        for table in _tables()
    )
    return union_all(*counted)


def _changes(table: Table) -> list[Any]:
    """Of the log, what tells that something was changed: a refusal and a reading are told, and change nothing."""
    return [table.c.outcome == "success", table.c.crud != "r"] if table.name in LOGS else []


def _rows(
    connection: Connection, table: Table, accounts: set[UUID], identities: set[UUID]
) -> list[str]:
    mine = _select_mine(table)
    if mine is None:
        return []
    owners = {"accounts": list(accounts), "identities": list(identities)}
    return sorted(map(str, connection.execute(mine, owners).all()))


@cache
def _select_mine(table: Table) -> Select[Any] | None:
    """What belongs to ``:accounts`` and ``:identities``; made once, for it is asked many thousand times."""
    owned = {"account_id": "accounts", "identity_id": "identities"}
    if table.name == "identities":
        owned = {"id": "identities"}
    chosen = [
        table.c[name].in_(bindparam(owners, expanding=True))
        for name, owners in owned.items()
        if name in table.c
    ]
    columns = [c for c in table.columns if (table.name, c.name) not in TRACES_OF_USE]
    return select(*columns).where(or_(*chosen), *_changes(table)) if chosen else None
