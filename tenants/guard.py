"""The statement guard: on the tenant engine, a statement that is not provably tied to the account does not run.

``compiler`` judges a statement when it is compiled, and the verdict is cached with it. Before each execution the
values of its account binds, those of inserted rows too, must equal the entered account.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Engine, event

from tenants.compiler import GuardedCompiler
from tenants.errors import ForeignTenantError, ReadOnlyStatementError, UnscopableStatementError
from tenants.ownership import Ownership
from tenants.raw_sql import PlainTypes, QuotedNames, forbid_custom_compilation
from tenants.scope import current_account_id
from tenants.verdict import Verdict

__all__ = ["Verdict", "check_execution", "check_values", "install"]


def install(engine: Engine, ownership: Ownership) -> None:
    """Put the guard on an engine; every statement of that engine is judged from now on."""
    dialect: Any = engine.dialect
    forbid_custom_compilation()
    dialect.statement_compiler = _with(
        GuardedCompiler, dialect.statement_compiler, ownership=ownership
    )
    # MariaDB makes a new preparer once it knows the server, so the class is replaced and the instance too.
    dialect.preparer = dialect.identifier_preparer.__class__ = _with(QuotedNames, dialect.preparer)
    dialect.type_compiler_instance.__class__ = _with(
        PlainTypes, type(dialect.type_compiler_instance)
    )
    event.listen(engine, "before_cursor_execute", check_execution)


def check_execution(
    conn: Connection, cursor: Any, statement: str, parameters: Any, context: Any, executemany: bool
) -> None:
    """Refuse what was not judged, and any account bind whose value is not the entered account (engine event)."""
    verdict: Verdict | None = (
        getattr(context.compiled, "verdict", None) if context is not None else None
    )
    if verdict is None:
        raise UnscopableStatementError("SQL sent to the driver cannot be scoped")
    if context.execution_options.get("schema_translate_map"):
        raise UnscopableStatementError("a schema name put in after the verdict is raw SQL")
    if verdict.writes and conn.get_execution_options().get("read_only"):
        raise ReadOnlyStatementError(f"a read-only transaction cannot write {verdict.writes[0][0]}")
    if verdict.anchors:
        check_values(verdict.anchors, context.compiled_parameters, current_account_id())


def check_values(anchors: tuple[str, ...], parameter_sets: Any, account_id: UUID) -> None:
    """Raise ForeignTenantError unless every account bind of every parameter set is the entered account."""
    for parameters in parameter_sets:
        for name in anchors:
            value = parameters.get(name)
            if value is account_id:
                continue
            # The very type, because an object of another class may call itself equal to anything.
            if type(value) is not UUID or value != account_id:
                raise ForeignTenantError(f"bound account {value!r} is not the entered one")


def _with(mixin: type, base: type, **attributes: Any) -> type:
    return type(f"{mixin.__name__}{base.__name__}", (mixin, base), attributes)
