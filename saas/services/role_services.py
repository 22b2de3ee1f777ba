"""Roles: made, changed, deleted, granted and revoked; nobody gives or touches what they do not hold."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, delete, func, select
from sqlalchemy.exc import IntegrityError

from saas import database, errors
from saas.actor import Actor
from saas.audit.events import AuditEvent
from saas.audit.record import changed, record
from saas.columns import utc_now
from saas.models import Role, User, UserRole
from saas.paging import Keyset, Page
from saas.permissions import SYSTEM_ROLES, Permission, known, require, require_not_above
from saas.services import guards, held_permissions
from saas.services.held_permissions import held_by, permissions_of_role
from saas.unit import AnyRow, Unit

_roles, _held, _users = Role.__table__.c, UserRole.__table__.c, User.__table__.c
_PEOPLE = (
    select(func.count())
    .select_from(UserRole.__table__)
    .where(_held.account_id == bindparam("owner"), _held.role_id == _roles.id)
    .correlate(Role.__table__)
    .scalar_subquery()
    .label("people")
)
_ROWS = select(
    _roles.id, _roles.name, _roles.system_key, _roles.permissions, _roles.created_at, _PEOPLE
)
_LIST = Keyset("roles", _ROWS, owner=_roles.account_id, key=_roles.id)
_ONE = _ROWS.where(_roles.account_id == bindparam("owner"), _roles.id == bindparam("role_id"))
_NAMES = (
    select(_roles.name)
    .join(
        UserRole.__table__, (_held.account_id == _roles.account_id) & (_held.role_id == _roles.id)
    )
    .where(_roles.account_id == bindparam("account_id"), _held.user_id == bindparam("user_id"))
    .order_by(_roles.name)
)
_HOLDERS = (
    select(_users.id, _users.username, held_permissions.role_references(_users.id).label("roles"))
    .join(
        UserRole.__table__, (_held.account_id == _users.account_id) & (_held.user_id == _users.id)
    )
    .where(_users.account_id == bindparam("account_id"), _held.role_id == bindparam("role_id"))
    .order_by(_users.username)
)


_GIVING = select(_roles.id, _roles.system_key, _roles.permissions).where(
    _roles.account_id == bindparam("account_id")
)
# Whoever holds one of some roles, with the references of all roles they hold.
_GIVERS = (
    select(_users.username, held_permissions.role_references(_users.id).label("roles"))
    .where(
        _users.account_id == bindparam("account_id"),
        _users.status == "active",
        _users.id.in_(
            select(_held.user_id).where(
                _held.account_id == bindparam("account_id"),
                _held.role_id.in_(bindparam("role_ids", expanding=True)),
            )
        ),
    )
    .order_by(_users.username)
)


def role_names_of(user_id: Any, account: str) -> Any:
    """Return a scalar sub-select with the names of a user's roles."""
    return held_by(user_id, _roles.name, account)


def list_roles(actor: Actor, *, limit: int = 20, cursor: str | None = None) -> Page:
    """Return one page of the account's roles, with what they give and how many people hold them."""
    require(actor, Permission.ROLE_READ)
    with database.reading() as unit:
        return _LIST.page(unit, actor.account_id, limit=limit, cursor=cursor)


def read_role(actor: Actor, *, role_id: UUID) -> AnyRow:
    """Return one role of the account; raises NotFoundError."""
    require(actor, Permission.ROLE_READ)
    with database.reading() as unit:
        return _find_row(unit, role_id)


def who_can_give(actor: Actor, *, permission: Permission) -> list[str]:
    """Return the names of the active people who can give somebody a permission: they may grant roles and hold it."""
    require(actor, Permission.USER_READ)
    with database.reading() as unit:
        roles = unit.rows(_GIVING, {"account_id": unit.account_id})
        granting = [r.id for r in roles if Permission.ROLE_GRANT in permissions_of_role(r)]
        if not granting:
            return []
        people = unit.rows(_GIVERS, {"account_id": unit.account_id, "role_ids": granting})
    giving = {r.system_key or r.id.hex for r in roles if permission in permissions_of_role(r)}
    return [p.username for p in people if giving & set(p.roles.replace("-", "").split(","))]


def list_permissions(actor: Actor) -> list[Permission]:
    """Return every permission that a role can hold."""
    require(actor, Permission.ROLE_READ)
    return list(Permission)


def create_role(actor: Actor, *, name: str, permissions: list[str]) -> AnyRow:
    """Make a role out of permissions that the actor holds; raises PermissionDeniedError, NameAlreadyExistsError."""
    require(actor, Permission.ROLE_CREATE)
    with database.unit_of_work() as unit:
        now = guards.lock_account(unit, actor, Permission.ROLE_CREATE)
        require_not_above(now, known(permissions))
        role_model = Role(name=name, system_key=None, permissions=sorted(set(permissions)))
        unit.session.add(role_model)
        _flush(unit)
        record(
            AuditEvent.ROLE_CREATED,
            actor=actor,
            target=role_model,
            data={"permissions": role_model.permissions},
        )
        return _find_row(unit, role_model.id)


def preview_role(
    actor: Actor, *, role_id: UUID, permissions: list[str] | None
) -> list[dict[str, Any]]:
    """Return who would gain and who would lose what if a role gave ``permissions``; changes nothing."""
    require(actor, Permission.ROLE_UPDATE)
    with database.reading() as unit:
        role_model = _find_custom(unit, actor, role_id)
        after = known(role_model.permissions if permissions is None else permissions)
        require_not_above(actor, after)
        return _effects(unit, role_model, after)


def update_role(
    actor: Actor, *, role_id: UUID, name: str | None = None, permissions: list[str] | None = None
) -> AnyRow:
    """Change a role that was made here (None: leave it), for everybody who holds it from their next request on.

    Raises NotFoundError, SystemRoleError, NameAlreadyExistsError, and PermissionDeniedError for a role that gives
    more than the actor holds, before or after.
    """
    require(actor, Permission.ROLE_UPDATE)
    with database.unit_of_work() as unit:
        now = guards.lock_account(unit, actor, Permission.ROLE_UPDATE)
        role_model = _find_custom(unit, now, role_id)
        if permissions is not None:
            require_not_above(now, known(permissions))
            role_model.permissions = sorted(set(permissions))
        role_model.name = role_model.name if name is None else name
        changes = changed(role_model, "name", "permissions")
        if changes:
            _flush(unit)
            guards.roles_changed(unit)
            record(AuditEvent.ROLE_UPDATED, actor=actor, target=role_model, changes=changes)
        return _find_row(unit, role_id)


def delete_role(actor: Actor, *, role_id: UUID) -> None:
    """Delete a role that was made here; whoever held it holds it no longer."""
    require(actor, Permission.ROLE_DELETE)
    with database.unit_of_work() as unit:
        now = guards.lock_account(unit, actor, Permission.ROLE_DELETE)
        role_model = _find_custom(unit, now, role_id)
        unit.session.execute(delete(UserRole).where(UserRole.role_id == role_id))
        unit.session.delete(role_model)
        unit.flush()
        guards.roles_changed(unit)
        record(AuditEvent.ROLE_DELETED, actor=actor, target=role_model)


def grant_role(actor: Actor, *, user_id: UUID, role_id: UUID) -> None:
    """Give a user a role; doing it again changes nothing.

    Raises NotFoundError, and PermissionDeniedError for a role or a user that holds more than the actor.
    """
    require(actor, Permission.ROLE_GRANT)
    with database.unit_of_work() as unit:
        now = guards.lock_account(unit, actor, Permission.ROLE_GRANT)
        user_model = guards.find_user_below(unit, now, user_id)
        role_model = guards.find_role_below(unit, now, role_id)
        if _holds(unit, user_id, role_id):
            return
        hold(unit, user_id, role_id, actor.seat_id)
        guards.roles_changed(unit)
        record(
            AuditEvent.ROLE_GRANTED,
            actor=actor,
            target=user_model,
            also=[role_model],
            data={"role": role_model.name},
        )


def revoke_role(actor: Actor, *, user_id: UUID, role_id: UUID) -> None:
    """Take a role from a user; the last owner keeps theirs.

    Raises NotFoundError for a role that the user does not hold, LastOwnerError, and PermissionDeniedError for a
    role or a user that holds more than the actor.
    """
    require(actor, Permission.ROLE_REVOKE)
    with database.unit_of_work() as unit:
        now = guards.lock_account(unit, actor, Permission.ROLE_REVOKE)
        user_model = guards.find_user_below(unit, now, user_id)
        role_model = guards.find_role_below(unit, now, role_id)
        link = delete(UserRole).where(UserRole.user_id == user_id, UserRole.role_id == role_id)
        if not unit.session.execute(link).rowcount:  # type: ignore[attr-defined]
            raise errors.NotFoundError
        guards.keep_an_owner(unit)
        guards.roles_changed(unit)
        record(
            AuditEvent.ROLE_REVOKED,
            actor=actor,
            target=user_model,
            also=[role_model],
            data={"role": role_model.name},
        )


def role_names(actor: Actor) -> list[str]:
    """Return the names of the roles that the actor holds."""
    with database.reading() as unit:
        rows = unit.rows(_NAMES, {"account_id": actor.account_id, "user_id": actor.id})
        return [row.name for row in rows]


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


def _holds(unit: Unit, user_id: UUID, role_id: UUID) -> bool:
    link = select(UserRole.role_id).where(UserRole.user_id == user_id, UserRole.role_id == role_id)
    return unit.session.scalar(link) is not None


def _find_row(unit: Unit, role_id: UUID) -> AnyRow:
    found = unit.rows(_ONE, {"owner": unit.account_id, "role_id": role_id})
    if not found:
        raise errors.NotFoundError
    return found[0]


def _find_custom(unit: Unit, actor: Actor, role_id: UUID) -> Role:
    role_model = guards.find_role_below(unit, actor, role_id)
    if role_model.system_key is not None:
        raise errors.SystemRoleError
    return role_model


def _effects(unit: Unit, role_model: Role, after: frozenset[Permission]) -> list[dict[str, Any]]:
    """For each holder, what they gain and lose in all: a permission that another role gives is not lost."""
    before = permissions_of_role(role_model)
    effects = []
    holders = unit.rows(_HOLDERS, {"account_id": unit.account_id, "role_id": role_model.id})
    rest = held_permissions.each_now(unit, [_without(row.roles, role_model.id) for row in holders])
    for row, others in zip(holders, rest, strict=True):
        gains, loses = after - before - others, before - after - others
        effects.append(
            {"id": row.id, "username": row.username, "gains": sorted(gains), "loses": sorted(loses)}
        )
    return effects


def _without(references: str, role_id: UUID) -> str:
    """Leave one custom role out of a user's references; databases write an id with or without hyphens."""
    return ",".join(r for r in references.split(",") if r.replace("-", "") != role_id.hex)


def _flush(unit: Unit) -> None:
    try:
        unit.flush()
    except IntegrityError as error:
        if database.conflicts_with(error, Role.__table__, "account_id", "name"):
            raise errors.NameAlreadyExistsError from error
        raise
