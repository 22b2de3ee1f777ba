"""The tenant session: one session, one account, one transaction.

Net one puts the account's criterion on every ORM statement; net three checks the owner at every entry and
of every object at flush. What criteria cannot reach is refused by the guard (``guard.py``).
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Engine, Uuid, bindparam, event, inspect
from sqlalchemy.orm import ORMExecuteState, Session, UOWTransaction, with_loader_criteria

from tenants.errors import ForeignTenantError
from tenants.ownership import OWNER, TenantOwned
from tenants.scope import current_account_id

# One shared bind, asked at each execution: never stale, raises when no account is entered, and cheaper than a
# ``where`` written by hand, because the expression is not rebuilt. ``unique`` keeps callers from overriding it.
ACCOUNT = bindparam("entered_account", callable_=current_account_id, type_=Uuid(), unique=True)


def _in_entered_account(cls: Any) -> Any:
    return cls.account_id == ACCOUNT


# include_aliases must stay: without it SQLAlchemy applies criteria of a mixin to no entity at all.
SCOPE = with_loader_criteria(
    TenantOwned, _in_entered_account, include_aliases=True, propagate_to_loaders=False
)


class TenantSession(Session):
    """A SQLAlchemy session that serves one account and refuses to be used inside another."""

    def __init__(self, bind: Engine | Connection, account_id: UUID) -> None:
        super().__init__(
            bind, expire_on_commit=False, close_resets_only=False, info={OWNER: account_id}
        )

    def check_owner(self) -> None:
        """Raise ForeignTenantError (or TenantMissingError) unless this session's account is the entered one."""
        if current_account_id() != self.info[OWNER]:
            raise ForeignTenantError("this session belongs to another account than the entered one")

    def get_bind(self, *args: Any, **options: Any) -> Engine | Connection:
        """Return this session's own bind; raises ForeignTenantError for any other engine."""
        bind = super().get_bind(*args, **options)
        if bind is not self.bind:
            raise ForeignTenantError("a tenant session talks to its own engine only")
        return bind

    def connection(self, *args: Any, **options: Any) -> Connection:
        """Return the connection of this session's own bind; raises ForeignTenantError for any other engine."""
        connection = super().connection(*args, **options)
        if self.bind not in (connection, connection.engine):
            raise ForeignTenantError("a tenant session talks to its own engine only")
        return connection

    def get(self, *args: Any, **options: Any) -> Any:
        self.check_owner()
        return super().get(*args, **options)

    def get_one(self, *args: Any, **options: Any) -> Any:
        self.check_owner()
        return super().get_one(*args, **options)

    def merge(self, instance: Any, *, load: bool = True, **options: Any) -> Any:
        """Merge as SQLAlchemy does, but never without loading: an object nobody looked up has no proven owner."""
        self.check_owner()
        if not load:
            raise ForeignTenantError("merge(load=False) takes an object on trust")
        return super().merge(instance, **options)


def scoped(statement: Any) -> Any:
    """Return the statement with the criterion of the entered account on every tenant-owned entity in it."""
    return statement.options(SCOPE)


@event.listens_for(TenantSession, "do_orm_execute")
def _scope_statement(state: ORMExecuteState) -> None:
    state.session.check_owner()  # type: ignore[attr-defined]
    if state.is_select or state.is_update or state.is_delete or state.is_insert:
        state.statement = scoped(state.statement)


@event.listens_for(TenantSession, "before_attach")
def _check_newcomer(session: TenantSession, instance: object) -> None:
    if isinstance(instance, TenantOwned) and OWNER in instance.__dict__:
        check_instance(instance, session.info[OWNER])


@event.listens_for(TenantSession, "before_flush")
def _check_changes(session: TenantSession, context: UOWTransaction, instances: Any) -> None:
    session.check_owner()
    for instance in (*session.new, *session.dirty, *session.deleted):
        if isinstance(instance, TenantOwned):
            check_instance(instance, session.info[OWNER])


def check_instance(instance: TenantOwned, account_id: UUID) -> None:
    """Stamp a new object that has no owner yet; raise ForeignTenantError for one of another account, or moved."""
    history = inspect(instance).attrs.account_id.history
    if not history.added and not history.unchanged:
        instance.account_id = account_id
    elif history.deleted or instance.account_id != account_id:
        raise ForeignTenantError(f"{type(instance).__name__} of another account in this session")
