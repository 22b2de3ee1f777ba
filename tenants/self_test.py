"""The start-up self-test of the guard: it compiles what must be refused, and refuses to start if one passes.

The guard stands on SQLAlchemy's inner hooks. Should one vanish with an upgrade, this says so before a request does.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import Engine, Table, event
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import Mapper
from sqlalchemy.sql.elements import BooleanClauseList, UnaryExpression
from sqlalchemy.sql.operators import and_, custom_op

from tenants import guard, keys
from tenants.errors import ForeignTenantError, GuardDoesNotBiteError, UnscopableStatementError
from tenants.ownership import Ownership
from tenants.session import scoped

_ONE, _OTHER = UUID(int=1), UUID(int=2)


def self_test(engine: Engine, ownership: Ownership, mappers: Iterable[Mapper[Any]]) -> None:
    """Raise GuardDoesNotBiteError unless the guard refuses each unscoped form and lets scoped models through.

    Needs no connection: statements are compiled for the engine's dialect, not run. Raises UnownedTableError for a
    relationship that would move rows between accounts.
    """
    if not event.contains(engine, "before_cursor_execute", guard.check_execution):
        raise GuardDoesNotBiteError("the guard's value check does not listen on the tenant engine")
    table = ownership.owned_tables[0]
    for name, statement in (*_unscoped(table), *_raw_sql(table)):
        _must_refuse(engine, name, statement)
    _must_check_values()
    _must_bracket(engine, table)
    mappers = list(mappers)
    for mapper in mappers:
        _must_pass(engine, mapper)
    keys.check_relationships(mappers)


def _unscoped(table: Table) -> Iterator[tuple[str, Any]]:
    owner = table.c.account_id
    yield "select", sa.select(table)
    yield "count of an alias", sa.select(sa.func.count()).select_from(table.alias())
    yield "sub-select", sa.select(sa.select(table).subquery())
    yield "CTE", sa.select(sa.select(table).cte())
    yield "or true", sa.select(table).where((owner == _ONE) | sa.literal(True))
    yield "update", sa.update(table).values({c: c for c in table.c if not c.primary_key})
    yield "moved row", sa.update(table).where(owner == _ONE).values(account_id=_OTHER)
    yield "delete", sa.delete(table)
    yield "insert", sa.insert(table).values(account_id=sa.func.coalesce(owner, owner))
    chosen = sa.select(sa.func.coalesce(owner, owner)).where(owner == _ONE)
    yield "insert from select", sa.insert(table).from_select(["account_id"], chosen)
    yield "light table of the same name", sa.select(sa.table(table.name, sa.column("account_id")))
    yield "table that nobody knows", sa.select(sa.table("nobody_knows", sa.column("id")))


def _raw_sql(table: Table) -> Iterator[tuple[str, Any]]:
    name = sa.column("name", sa.String())
    yield "text", sa.text("SELECT 1")
    yield "text with columns", sa.text("SELECT 1").columns(name)
    yield "literal column", sa.select(sa.literal_column("(SELECT 1)"))
    yield "name without quotes", sa.select(name.label(sa.quoted_name("x, y", quote=False)))
    yield "function", sa.select(sa.func.query_to_xml("SELECT 1"))
    yield "field", sa.select(sa.extract("year FROM now()) OR (1", sa.func.now()))
    yield "collation", sa.select(name.collate("C OR 1"))
    yield "operator", sa.select(name.op("OR")(name))
    yield "operator in front", sa.select(UnaryExpression(name, operator=custom_op("OR")))
    yield "operator behind", sa.select(UnaryExpression(name, modifier=custom_op("OR")))
    yield "type", sa.select(sa.cast(name, sa.String("1) OR (1")))  # type: ignore[arg-type]
    number = sa.type_coerce(name, sa.JSON())["x"].as_numeric("1) OR (1", 1)
    yield "precision", sa.select(number)
    yield "literal value", sa.select(sa.literal("OR 1", _RawValue(), literal_execute=True))
    yield "sequence", sa.select(sa.Sequence("numbers").next_value())
    yield "class that compiles itself", sa.select(_RawColumn())
    yield "hint", sa.select(table).with_statement_hint("x").where(table.c.account_id == _ONE)


class _RawValue(sa.types.TypeDecorator[str]):
    """A type that writes its value into the statement as it is."""

    impl = sa.String
    cache_ok = True

    def literal_processor(self, dialect: Any) -> Any:
        return str


class _RawColumn(sa.ColumnElement[int]):
    """A column that compiles itself."""

    inherit_cache = False


@compiles(_RawColumn)
def _raw_column(element: _RawColumn, compiler: Any, **kw: Any) -> str:
    return "1 OR 1"


def _must_refuse(engine: Engine, name: str, statement: Any) -> None:
    try:
        statement.compile(engine, compile_kwargs={"render_postcompile": True})
    except UnscopableStatementError:
        return
    except (SQLAlchemyError, NotImplementedError) as error:
        raise GuardDoesNotBiteError(
            f"not the guard refused a statement: {name}: {error}"
        ) from error
    raise GuardDoesNotBiteError(f"the statement guard let a statement pass: {name}")


def _must_check_values() -> None:
    for value in (_OTHER, None, str(_ONE)):
        try:
            guard.check_values(("a",), [{"a": _ONE}, {"a": value}], _ONE)
        except ForeignTenantError:
            continue
        raise GuardDoesNotBiteError("a foreign account value passed the guard")


def _must_bracket(engine: Engine, table: Table) -> None:
    either = sa.or_(table.c.account_id == _OTHER, table.c.account_id == _ONE)
    terms = BooleanClauseList._construct_raw(and_, [table.c.account_id == _ONE, either])
    statement = sa.select(table).where(terms).compile(engine)
    if " AND (" not in str(statement):
        raise GuardDoesNotBiteError("an OR without brackets swallows the account's AND")


def _must_pass(engine: Engine, mapper: Mapper[Any]) -> None:
    try:
        scoped(sa.select(mapper.class_)).compile(engine)
    except UnscopableStatementError as error:
        name = mapper.class_.__name__
        raise GuardDoesNotBiteError(
            f"the account's criterion does not reach {name}: {error}"
        ) from error
