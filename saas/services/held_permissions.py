"""What roles give: read on every request, so system roles cost no SQL and custom ones are cached by version."""

from __future__ import annotations

from collections import OrderedDict
from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, String, bindparam, cast, func, literal_column, select

from saas.models import Role, UserRole
from saas.permissions import SYSTEM_ROLES, Permission, known
from saas.unit import Unit

_roles, _held = Role.__table__.c, UserRole.__table__.c
_CUSTOM = select(_roles.id, _roles.permissions).where(
    _roles.account_id == bindparam("account_id"), _roles.system_key.is_(None)
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
        found = {row.id: known(row.permissions) for row in rows}
        if not unit.read_only:  # it may have raised the version itself, and may yet be rolled back
            return found
        _custom_roles[key] = found
        while len(_custom_roles) > _CACHED_ACCOUNTS:
            _custom_roles.popitem(last=False)
    return _custom_roles[key]


def permissions_now(unit: Unit, references: str) -> frozenset[Permission]:
    """As ``permissions_of``, but read in this transaction and not from the cache: for deciding under a lock."""
    return each_now(unit, [references])[0]


def each_now(unit: Unit, people: list[str]) -> list[frozenset[Permission]]:
    """As ``permissions_now`` for several people's references: one statement, none when all roles are system roles."""
    ids = [
        [UUID(reference) for reference in references.split(",") if len(reference) >= 32]
        for references in people
    ]
    rows = unit.rows(_CUSTOM, {"account_id": unit.account_id}) if any(ids) else []
    custom = {row.id: known(row.permissions) for row in rows}
    return [
        _system_permissions(references).union(*(custom.get(each, frozenset()) for each in held))
        for references, held in zip(people, ids, strict=True)
    ]


def permissions_of_role(role: Any) -> frozenset[Permission]:
    """Return what one role (a model or a row) gives: by the code for a system role, as stored for a custom one."""
    return SYSTEM_ROLES[role.system_key] if role.system_key else known(role.permissions)
