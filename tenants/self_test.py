"""The start-up self-test of the guard: it compiles what must be refused, and refuses to start if one passes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Engine,
    column,
    delete,
    event,
    func,
    insert,
    literal,
    select,
    table,
    text,
    update,
)
from sqlalchemy.orm import Mapper

from tenants import guard
from tenants.errors import ForeignTenantError, GuardDoesNotBiteError, UnscopableStatementError
from tenants.ownership import Ownership
from tenants.session import SCOPE

_ONE, _OTHER = UUID(int=1), UUID(int=2)


def self_test(engine: Engine, ownership: Ownership, mappers: Iterable[Mapper[Any]]) -> None:
    """Raise GuardDoesNotBiteError unless the guard refuses each unscoped form and lets scoped models through.

    Needs no connection: statements are compiled for the engine's dialect, not run.
    """
    if not event.contains(engine, "before_cursor_execute", guard.check_execution):
        raise GuardDoesNotBiteError("the guard's value check does not listen on the tenant engine")
    for name, statement in _unscoped(ownership):
        _must_refuse(engine, name, statement)
    try:
        guard.check_values(("a",), [{"a": _ONE}], _OTHER)
    except ForeignTenantError:
        pass
    else:
        raise GuardDoesNotBiteError("a foreign account value passed the guard")
    for mapper in mappers:
        _must_pass(engine, mapper)


def _unscoped(ownership: Ownership) -> Iterator[tuple[str, Any]]:
    for owned in ownership.owned_tables:
        yield f"select {owned.name}", select(owned)
        yield f"count {owned.name}", select(func.count()).select_from(owned.alias())
        yield f"sub-select {owned.name}", select(select(owned).subquery())
        yield f"CTE {owned.name}", select(select(owned).cte())
        yield f"update {owned.name}", update(owned).values({owned.c.account_id: _ONE})
        yield f"delete {owned.name}", delete(owned)
        yield (
            f"insert-select {owned.name}",
            insert(owned).from_select(["account_id"], select(owned.c.account_id)),
        )
        yield (
            f"or true {owned.name}",
            select(owned).where((owned.c.account_id == _ONE) | literal(True)),
        )
        yield f"name {owned.name}", select(table(owned.name, column("account_id")))
    yield "text", text("SELECT 1")
    yield "unknown table", select(table("nobody_knows", column("id")))
    yield "unknown function", select(func.query_to_xml("SELECT 1"))


def _must_refuse(engine: Engine, name: str, statement: Any) -> None:
    try:
        statement.compile(engine)
    except UnscopableStatementError:
        return
    raise GuardDoesNotBiteError(f"the statement guard let an unscoped statement pass: {name}")


def _must_pass(engine: Engine, mapper: Mapper[Any]) -> None:
    try:
        select(mapper.class_).options(SCOPE).compile(engine)
    except UnscopableStatementError as error:
        raise GuardDoesNotBiteError(
            f"the account's criterion does not reach {mapper.class_.__name__}: {error}"
        ) from error
