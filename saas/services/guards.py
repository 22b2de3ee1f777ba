"""The guards of every act upon people and roles, asked under the account's lock.

All changes of who may do what in an account take the lock of its row first. So the actor's permissions, read
again under it, are true until the commit, and of two owners who demote each other at once one finds it done.
"""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from sqlalchemy import bindparam, func, select, update

from saas import errors
from saas.actor import Actor
from saas.models import Account, ApiKey, Role, User, UserRole
from saas.permissions import Permission, require, require_not_above
from saas.services import held_permissions
from saas.unit import Unit

_users, _roles, _held = User.__table__.c, Role.__table__.c, UserRole.__table__.c
_SEAT = select(_users.status, held_permissions.role_references(_users.id).label("roles")).where(
    _users.account_id == bindparam("account_id"), _users.id == bindparam("user_id")
)
_OWNERS = (
    select(func.count())
    .select_from(UserRole.__table__)
    .join(Role.__table__, (_roles.account_id == _held.account_id) & (_roles.id == _held.role_id))
    .join(User.__table__, (_users.account_id == _held.account_id) & (_users.id == _held.user_id))
    .where(
        _held.account_id == bindparam("account_id"),
        _roles.system_key == "owner",
        _users.status == "active",
    )
)


def lock_account(unit: Unit, actor: Actor, permission: Permission | None) -> Actor:
    """Lock the account's row, read the actor again under the lock and ask the permission again.

    Returns the actor as it is now; raises PermissionDeniedError when it has lost what it needs meanwhile.
    """
    account_model = lock_row(unit)
    if account_model is None or account_model.status != "active":
        raise errors.SuspendedError
    now = reread(unit, actor)
    if permission is not None:
        require(now, permission)
    return now


def lock_row(unit: Unit) -> Account | None:
    """Lock the row of the unit's account against every other change, and return it.

    Rows that refer to it may still be inserted (PostgreSQL's FOR NO KEY UPDATE): an event of somebody else, its head
    locked already, would otherwise wait for this lock while this unit waits for the head.
    """
    account_model: Account | None = unit.session.scalar(
        select(Account).with_for_update(key_share=True)
    )
    return account_model


def reread(unit: Unit, actor: Actor) -> Actor:
    """Return the actor with the permissions its seat has now.

    A key keeps the part that its maker still has, and nothing once it is revoked.
    """
    if actor.seat_id is None:
        return actor
    held = permissions_of_user(unit, actor.seat_id)
    if actor.kind == "api_key":
        live = select(ApiKey.id).where(ApiKey.id == actor.id, ApiKey.revoked_at.is_(None))
        held &= frozenset() if unit.session.scalar(live) is None else actor.permissions
    return replace(actor, permissions=held)


def permissions_of_user(unit: Unit, user_id: UUID) -> frozenset[Permission]:
    """Return what a user of the account may do now; nothing for one who is suspended or not there."""
    found = unit.rows(_SEAT, {"account_id": unit.account_id, "user_id": user_id})
    if not found or found[0].status != "active":
        return frozenset()
    return held_permissions.permissions_now(unit, found[0].roles or "")


def held_by_seat(unit: Unit, user_id: UUID) -> frozenset[Permission]:
    """Return what a user's roles give, suspended or not: the measure of who stands above whom."""
    found = unit.rows(_SEAT, {"account_id": unit.account_id, "user_id": user_id})
    return held_permissions.permissions_now(unit, (found[0].roles or "") if found else "")


def find_user_below(unit: Unit, actor: Actor, user_id: UUID) -> User:
    """Return a user of the account who holds no more than the actor; raises NotFoundError, PermissionDeniedError."""
    user_model = unit.session.scalar(select(User).where(User.id == user_id))
    if user_model is None:
        raise errors.NotFoundError
    require_not_above(actor, held_by_seat(unit, user_id))
    return user_model


def find_role_below(unit: Unit, actor: Actor, role_id: UUID) -> Role:
    """Return a role that gives no more than the actor holds; raises NotFoundError, PermissionDeniedError."""
    role_model = unit.session.scalar(select(Role).where(Role.id == role_id))
    if role_model is None:
        raise errors.NotFoundError
    require_not_above(actor, held_permissions.permissions_of_role(role_model))
    return role_model


def keep_an_owner(unit: Unit) -> None:
    """Raise LastOwnerError when what was just flushed leaves the account without an active owner."""
    unit.flush()
    if not unit.rows(_OWNERS, {"account_id": unit.account_id})[0][0]:
        raise errors.LastOwnerError


def roles_changed(unit: Unit) -> None:
    """Raise the account's roles_version, so that no process goes on with permissions it has cached."""
    unit.session.execute(update(Account).values(roles_version=Account.roles_version + 1))
