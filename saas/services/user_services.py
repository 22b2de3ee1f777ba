"""Users: the people of an account; nobody acts on somebody who holds more, and the last owner stays."""

from __future__ import annotations

import re
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, delete, func, select, update
from sqlalchemy.exc import IntegrityError

from saas import database, errors
from saas.actor import Actor
from saas.audit.events import AuditEvent
from saas.audit.record import changed, record
from saas.columns import utc_now
from saas.models import (
    ApiKey,
    Identity,
    Invitation,
    OwnershipOffer,
    Role,
    User,
    UserRole,
    UserSession,
)
from saas.paging import Keyset, Page
from saas.permissions import (
    SYSTEM_ROLES,
    Permission,
    require,
    require_not_above,
    require_person,
)
from saas.security import emails, passwords
from saas.services import guards, held_permissions, identity_services, role_services
from saas.unit import AnyRow, Unit

_users, _identities = User.__table__.c, Identity.__table__.c
_ROWS = select(
    _users.id,
    _users.username,
    _identities.email,
    _users.status,
    _users.created_at,
    role_services.role_names_of(_users.id, "owner").label("role_names"),
).join_from(User.__table__, Identity.__table__, _identities.id == _users.identity_id)
_LIST = Keyset("users", _ROWS, owner=_users.account_id, key=_users.id)
# A prefix of the username or of the address; no "%" in front, so it stays a range and not a scan of texts.
_SEARCH = Keyset(
    "users search",
    _ROWS.where(
        func.lower(_users.username).like(bindparam("prefix"), escape="/")
        | _identities.email_key.like(bindparam("prefix"), escape="/")
    ),
    owner=_users.account_id,
    key=_users.id,
)
_ONE = _ROWS.where(_users.account_id == bindparam("owner"), _users.id == bindparam("user_id"))
_ROLES_OF = (
    select(Role.__table__.c.name, Role.__table__.c.system_key, Role.__table__.c.permissions)
    .join(
        UserRole.__table__,
        (UserRole.__table__.c.account_id == Role.__table__.c.account_id)
        & (UserRole.__table__.c.role_id == Role.__table__.c.id),
    )
    .where(
        Role.__table__.c.account_id == bindparam("owner"),
        UserRole.__table__.c.user_id == bindparam("user_id"),
    )
    .order_by(Role.__table__.c.name)
)


def list_users(
    actor: Actor, *, limit: int = 20, cursor: str | None = None, search: str | None = None
) -> Page:
    """Return one page of the account's users as rows with their role names, newest first: one statement.

    ``search``: the beginning of a username or an address, in any case.
    """
    require(actor, Permission.USER_READ)
    with database.reading() as unit:
        if search is None:
            return _LIST.page(unit, actor.account_id, limit=limit, cursor=cursor)
        prefix = re.sub(r"[%_/]", r"/\g<0>", search.lower()) + "%"
        return _SEARCH.page(unit, actor.account_id, limit=limit, cursor=cursor, prefix=prefix)


def read_user(actor: Actor, *, user_id: UUID) -> AnyRow:
    """Return one user of the account; raises NotFoundError for an id that this account does not have."""
    require(actor, Permission.USER_READ)
    with database.reading() as unit:
        return _find_row(unit, user_id)


def explain_user(actor: Actor, *, user_id: UUID) -> list[dict[str, Any]]:
    """Return each permission that a user holds, and the names of the roles that give it."""
    require(actor, Permission.USER_READ)
    with database.reading() as unit:
        _find_row(unit, user_id)
        roles = unit.rows(_ROLES_OF, {"owner": unit.account_id, "user_id": user_id})
    given = {role.name: held_permissions.permissions_of_role(role) for role in roles}
    return [
        {"permission": permission.value, "roles": [name for name, held in given.items() if permission in held]}
        for permission in Permission
        if any(permission in held for held in given.values())
    ]  # fmt: skip


def add_user(
    actor: Actor, *, email: str, username: str, password: str, role_keys: list[str]
) -> User:
    """Give a person a seat with system roles; an address that is new becomes an identity with this password.

    Nobody gives what they do not hold: raises PermissionDeniedError. Raises NotFoundError for an unknown role,
    NameAlreadyExistsError for a username or a person that already sits here.
    """
    require(actor, Permission.USER_INVITE)
    known = identity_services.find_identity(email_key=emails.email_key(email))
    password_hash = "" if known else passwords.hash_password(password)
    with database.unit_of_work() as unit:
        now = guards.lock_account(unit, actor, Permission.USER_INVITE)
        for key in role_keys:
            require_not_above(now, SYSTEM_ROLES.get(key, frozenset()))
        identity_id = known.id if known else _add_identity(unit, actor, email, password_hash)
        role_ids = [_role_id(unit, key) for key in role_keys]
        user_model = seat(unit, identity_id, username, role_ids, actor.seat_id)
        data = {"roles": role_keys}
        record(AuditEvent.USER_CREATED, actor=actor, target=user_model, data=data)
    return user_model


def seat(
    unit: Unit, identity_id: UUID, username: str, role_ids: list[UUID], by: UUID | None
) -> User:
    """Give a person a seat with roles, inside a unit of work that has asked and that records it.

    Raises AlreadyMemberError, NameAlreadyExistsError (field ``username``).
    """
    user_model = User(identity_id=identity_id, username=username)
    unit.session.add(user_model)
    try:
        unit.flush()
    except IntegrityError as error:
        if database.conflicts_with(error, User.__table__, "account_id", "identity_id"):
            raise errors.AlreadyMemberError from error
        raise errors.NameAlreadyExistsError(field="username") from error
    for role_id in role_ids:
        role_services.hold(unit, user_model.id, role_id, by)
    return user_model


def update_user(actor: Actor, *, user_id: UUID, username: str) -> AnyRow:
    """Change a user's name in this account; raises NotFoundError, NameAlreadyExistsError, PermissionDeniedError."""
    require(actor, Permission.USER_UPDATE)
    with database.unit_of_work() as unit:
        now = guards.lock_account(unit, actor, Permission.USER_UPDATE)
        user_model = guards.find_user_below(unit, now, user_id)
        user_model.username = username
        changes = changed(user_model, "username")
        if changes:
            try:
                unit.flush()
            except IntegrityError as error:
                raise errors.NameAlreadyExistsError(field="username") from error
            record(AuditEvent.USER_UPDATED, actor=actor, target=user_model, changes=changes)
        return _find_row(unit, user_id)


def suspend_user(actor: Actor, *, user_id: UUID, reason: str | None = None) -> AnyRow:
    """Lock a user out at their next request, in this account only; their sessions here end.

    Raises NotFoundError, LastOwnerError, PermissionDeniedError for oneself or for one who holds more.
    """
    return _set_status(actor, user_id, "suspended", AuditEvent.USER_SUSPENDED, reason)


def restore_user(actor: Actor, *, user_id: UUID, reason: str | None = None) -> AnyRow:
    """Let a suspended user back in; raises NotFoundError, PermissionDeniedError for one who holds more."""
    return _set_status(actor, user_id, "active", AuditEvent.USER_RESTORED, reason)


def remove_user(actor: Actor, *, user_id: UUID) -> None:
    """Remove a user from the account, with their sessions and keys here and the invitations they sent.

    Raises NotFoundError, LastOwnerError, PermissionDeniedError for oneself (leave instead) or one who holds more.
    """
    require(actor, Permission.USER_REMOVE)
    with database.unit_of_work() as unit:
        now = guards.lock_account(unit, actor, Permission.USER_REMOVE)
        user_model = _find_other(unit, now, user_id)
        _end_seat(unit, actor, user_model, "removed")


def leave_account(actor: Actor) -> None:
    """Give up one's own seat; the last owner cannot. Raises LastOwnerError."""
    require_person(actor)
    with database.unit_of_work() as unit:
        guards.lock_account(unit, actor, None)
        user_model = unit.session.scalar(select(User).where(User.id == actor.id))
        if user_model is None:
            raise errors.NotFoundError
        _end_seat(unit, actor, user_model, "left")


def _set_status(
    actor: Actor, user_id: UUID, status: str, event: AuditEvent, reason: str | None
) -> AnyRow:
    require(actor, Permission.USER_SUSPEND)
    with database.unit_of_work() as unit:
        now = guards.lock_account(unit, actor, Permission.USER_SUSPEND)
        user_model = _find_other(unit, now, user_id)
        user_model.status = status
        changes = changed(user_model, "status")
        if changes:
            guards.keep_an_owner(unit)
            guards.roles_changed(unit)
            if status == "suspended":
                _end_sessions(unit, user_model)
            record(event, actor=actor, target=user_model, changes=changes, reason=reason)
        return _find_row(unit, user_id)


def _end_seat(unit: Unit, actor: Actor, user_model: User, how: str) -> None:
    """Delete a seat and what it leaves behind, in one transaction: sessions, keys, offers, invitations, roles."""
    seat_id = user_model.id
    keys = unit.session.execute(delete(ApiKey).where(ApiKey.user_id == seat_id))
    sent = unit.session.execute(
        update(Invitation)
        .where(Invitation.invited_by_id == seat_id, Invitation.accepted_at.is_(None), Invitation.revoked_at.is_(None))
        .values(revoked_at=utc_now())
    )  # fmt: skip
    unit.session.execute(
        update(Invitation).where(Invitation.invited_by_id == seat_id).values(invited_by_id=None)
    )
    unit.session.execute(
        update(UserRole).where(UserRole.assigned_by_id == seat_id).values(assigned_by_id=None)
    )
    mine = (OwnershipOffer.from_user_id == seat_id) | (OwnershipOffer.to_user_id == seat_id)
    unit.session.execute(delete(OwnershipOffer).where(mine))
    unit.session.execute(delete(UserRole).where(UserRole.user_id == seat_id))
    _end_sessions(unit, user_model)
    unit.session.delete(user_model)
    guards.keep_an_owner(unit)
    guards.roles_changed(unit)
    data = {"how": how, "keys_ended": keys.rowcount, "invitations_ended": sent.rowcount}  # type: ignore[attr-defined]
    record(AuditEvent.USER_REMOVED, actor=actor, target=user_model, data=data)


def _end_sessions(unit: Unit, user_model: User) -> None:
    sessions = UserSession.__table__
    unit.execute(
        delete(sessions).where(
            sessions.c.identity_id == user_model.identity_id,
            sessions.c.account_id == unit.account_id,
        )
    )


def _find_other(unit: Unit, actor: Actor, user_id: UUID) -> User:
    user_model = guards.find_user_below(unit, actor, user_id)
    if user_model.id == actor.seat_id:
        raise errors.PermissionDeniedError("You cannot do this to yourself.")
    return user_model


def _find_row(unit: Unit, user_id: UUID) -> AnyRow:
    found = unit.rows(_ONE, {"owner": unit.account_id, "user_id": user_id})
    if not found:
        raise errors.NotFoundError
    return found[0]


def _add_identity(unit: Unit, actor: Actor, email: str, password_hash: str) -> UUID:
    identity_model = identity_services.add_identity(unit, email=email, password_hash=password_hash)
    record(AuditEvent.IDENTITY_CREATED, actor=actor, target=identity_model)
    return identity_model.id


def _role_id(unit: Unit, key: str) -> UUID:
    role_id = unit.session.scalar(select(Role.id).where(Role.system_key == key))
    if role_id is None:
        raise errors.NotFoundError
    return role_id
