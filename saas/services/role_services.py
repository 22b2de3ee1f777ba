"""Roles: what an account's roles are, who holds them and what follows from it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, String, bindparam, cast, func, literal_column, select

from saas import database
from saas.actor import Actor
from saas.columns import utc_now
from saas.models import Role, UserRole
from saas.paging import Keyset, Page
from saas.permissions import SYSTEM_ROLES, Permission, require
from saas.unit import Unit

_roles, _held = Role.__table__.c, UserRole.__table__.c
_LIST = Keyset(
    "roles",
    select(_roles.id, _roles.name, _roles.system_key, _roles.permissions, _roles.created_at),
    owner=_roles.account_id,
    key=_roles.id,
)
_CUSTOM = select(_roles.id, _roles.permissions).where(
    _roles.account_id == bindparam("account_id"), _roles.system_key.is_(None)
)
_NAMES = (
    select(_roles.name)
    .join(
        UserRole.__table__, (_held.account_id == _roles.account_id) & (_held.role_id == _roles.id)
    )
    .where(_roles.account_id == bindparam("account_id"), _held.user_id == bindparam("user_id"))
    .order_by(_roles.name)
)
# As a literal of the statement: SQLAlchemy writes a plain string into the text again at every execution.
_COMMA: Any = literal_column("','", String)
# (account, roles_version) → role id → permissions. The version comes with the caller's row, so an entry is never
# stale; old versions fall out at the end.
_custom_roles: OrderedDict[tuple[UUID, int], dict[UUID, frozenset[Permission]]] = OrderedDict()
_CACHED_ACCOUNTS = 4096


def held_by(
    user_id: ColumnElement[Any], what: ColumnElement[Any], account: str = "account_id"
) -> Any:
    """Return a scalar sub-select: ``what`` of every role that a user holds, joined by commas.

    ``account``: the name of the bind that holds the account id in the statement it is put into.
    """
    return (
        select(func.aggregate_strings(what, _COMMA))
        .select_from(UserRole.__table__)
        .join(
            Role.__table__, (_roles.account_id == _held.account_id) & (_roles.id == _held.role_id)
        )
        .where(_held.account_id == bindparam(account), _held.user_id == user_id)
        .correlate(user_id.table)
        .scalar_subquery()
    )


def role_references(user_id: ColumnElement[Any]) -> Any:
    """Return a scalar sub-select naming a user's roles: the key of a system role, the id of a custom one."""
    return held_by(user_id, func.coalesce(_roles.system_key, cast(_roles.id, String(36))))


def role_names_of(user_id: ColumnElement[Any], account: str) -> Any:
    """Return a scalar sub-select with the names of a user's roles."""
    return held_by(user_id, _roles.name, account)


def permissions_of(unit: Unit, references: str, roles_version: int) -> frozenset[Permission]:
    """Return the union of what the referenced roles give; no SQL for system roles, none for cached custom ones."""
    held = _system_permissions(references)
    custom = [UUID(reference) for reference in references.split(",") if len(reference) >= 32]
    if not custom:
        return held
    roles = _custom_of(unit, roles_version)
    return held.union(*(roles.get(role_id, frozenset()) for role_id in custom))


@lru_cache(maxsize=1024)
def _system_permissions(references: str) -> frozenset[Permission]:
    return frozenset().union(
        *(SYSTEM_ROLES.get(reference, frozenset()) for reference in references.split(","))
    )


def _custom_of(unit: Unit, roles_version: int) -> dict[UUID, frozenset[Permission]]:
    key = (unit.account_id, roles_version)
    if key not in _custom_roles:
        rows = unit.rows(_CUSTOM, {"account_id": unit.account_id})
        _custom_roles[key] = {row.id: _known(row.permissions) for row in rows}
        while len(_custom_roles) > _CACHED_ACCOUNTS:
            _custom_roles.popitem(last=False)
    return _custom_roles[key]


def _known(names: Iterable[str]) -> frozenset[Permission]:
    """Drop names that no release knows any more: a permission that is gone opens nothing."""
    return frozenset(Permission(name) for name in names if name in Permission._value2member_map_)


def list_roles(actor: Actor, *, limit: int = 20, cursor: str | None = None) -> Page:
    """Return one page of the account's roles with their permissions, newest first."""
    require(actor, Permission.ROLE_READ)
    with database.reading() as unit:
        page = _LIST.page(unit, actor.account_id, limit=limit, cursor=cursor)
    return Page([_with_permissions(row) for row in page.items], page.next_cursor)


def role_names(actor: Actor) -> list[str]:
    """Return the names of the roles that the actor holds."""
    with database.reading() as unit:
        return [
            row.name
            for row in unit.rows(_NAMES, {"account_id": actor.account_id, "user_id": actor.id})
        ]


def make_system_roles(unit: Unit) -> dict[str, Role]:
    """Make the system roles of a new account; their permissions stay in the code."""
    role_models = {key: Role(name=key, system_key=key) for key in SYSTEM_ROLES}
    unit.session.add_all(role_models.values())
    unit.flush()
    return role_models


def hold(unit: Unit, user_id: UUID, role_id: UUID, assigned_by_id: UUID | None) -> None:
    """Let a user hold a role, inside a unit of work whose service has asked the permission."""
    link = UserRole(
        user_id=user_id, role_id=role_id, assigned_at=utc_now(), assigned_by_id=assigned_by_id
    )
    unit.session.add(link)
    unit.flush()


def permissions_of_role(role: Any) -> frozenset[Permission]:
    """Return what one role (a model or a row) gives: by the code for a system role, as stored for a custom one."""
    return SYSTEM_ROLES[role.system_key] if role.system_key else _known(role.permissions)


def _with_permissions(row: Any) -> dict[str, Any]:
    held = permissions_of_role(row)
    return {
        "id": row.id,
        "name": row.name,
        "system": row.system_key is not None,
        "permissions": sorted(permission.value for permission in held),
        "created_at": row.created_at,
    }
