"""The whole database, read past every policy and guard: what the proofs compare with what they expected."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Engine, RowMapping, create_engine, select
from sqlalchemy.pool import NullPool

from saas.audit import chain
from saas.models import Base
from tests.databases import Urls

TABLES = Base.metadata.tables


def engine(urls: Urls) -> Engine:
    """An engine that sees everything and keeps no connection."""
    return create_engine(urls.superuser_url, poolclass=NullPool, isolation_level="AUTOCOMMIT")


@contextmanager
def looking(urls: Urls) -> Iterator[Connection]:
    """One connection that sees everything."""
    made = engine(urls)
    with made.connect() as connection:
        yield connection
    made.dispose()


def rows(connection: Connection, table: str, **where: Any) -> list[RowMapping]:
    """Every row of a table, or those whose column is the value (or one of the values) given."""
    statement = select(TABLES[table])
    for name, value in where.items():
        column = TABLES[table].c[name]
        among = isinstance(value, (list, set, tuple, frozenset))
        statement = statement.where(column.in_(list(value)) if among else column == value)
    return list(connection.execute(statement).mappings())


def newest_token(connection: Connection, to: str) -> str:
    """The token in the newest mail to an address that no worker has delivered yet."""
    table = TABLES["outbox"]
    statement = select(table.c.payload).order_by(table.c.id.desc()).limit(20)
    payloads = connection.execute(statement).scalars()
    return str(next(p["token"] for p in payloads if p is not None and p["to"] == to))


def counts(connection: Connection) -> dict[str, int]:
    """How many rows every table has."""
    return {name: len(rows(connection, name)) for name in TABLES}


def check_chain(events: Iterable[RowMapping], head: RowMapping) -> list[RowMapping]:
    """Recompute a whole chain; the events in their order. Fails at the first link that is not right."""
    ordered = sorted(events, key=lambda row: row["seq"])
    last = chain.GENESIS
    for number, row in enumerate(ordered, 1):
        told = {"account_id": None} | dict(
            row
        )  # the system's events are digested with an empty account
        assert row["seq"] == number, f"seq {row['seq']} stands at place {number}"
        assert row["prev"] == last, f"event {number} does not follow the one before it"
        assert row["digest"] == chain.digest(told), f"event {number} was changed"
        last = chain.link(last, number, row["digest"])
        assert row["hash"] == last, f"event {number} is not linked"
    assert (head["seq"], head["hash"]) == (len(ordered), last), "the head is not the last link"
    return ordered


def check_chains(connection: Connection, accounts: Iterable[UUID] | None = None) -> int:
    """Recompute the chains of these accounts, or of all and the system's; how many links held."""
    chosen = {} if accounts is None else {"account_id": list(accounts)}
    by_account: dict[UUID, list[RowMapping]] = defaultdict(list)
    for row in rows(connection, "audit_events", **chosen):
        by_account[row["account_id"]].append(row)
    heads = rows(connection, "audit_heads", **chosen)
    assert by_account.keys() <= {head["account_id"] for head in heads}
    links = sum(len(check_chain(by_account[head["account_id"]], head)) for head in heads)
    if accounts is None:
        (system_head,) = rows(connection, "system_heads")
        links += len(check_chain(rows(connection, "system_events"), system_head))
    return links
