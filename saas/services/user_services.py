"""Users: the people of an account, their seats and roles."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import bindparam, delete, select
from sqlalchemy.exc import IntegrityError

from saas import database, errors
from saas.actor import Actor
from saas.audit.events import AuditEvent
from saas.audit.record import changed, record
from saas.models import Identity, Role, User, UserSession
from saas.paging import Keyset, Page
from saas.permissions import SYSTEM_ROLES, Permission, require, require_not_above
from saas.security import emails, passwords
from saas.services import identity_services, role_services
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
_ONE = _ROWS.where(_users.account_id == bindparam("owner"), _users.id == bindparam("user_id"))


def list_users(actor: Actor, *, limit: int = 20, cursor: str | None = None) -> Page:
    """Return one page of the account's users as rows with their role names, newest first: one statement."""
    require(actor, Permission.USER_READ)
    with database.reading() as unit:
        return _LIST.page(unit, actor.account_id, limit=limit, cursor=cursor)


def read_user(actor: Actor, *, user_id: UUID) -> AnyRow:
    """Return one user of the account; raises NotFoundError for an id that this account does not have."""
    require(actor, Permission.USER_READ)
    with database.reading() as unit:
        found = unit.rows(_ONE, {"owner": actor.account_id, "user_id": user_id})
    if not found:
        raise errors.NotFoundError
    return found[0]


def add_user(
    actor: Actor, *, email: str, username: str, password: str, role_keys: list[str]
) -> User:
    """Give a person a seat with system roles; an address that is new becomes an identity with this password.

    Nobody gives what they do not hold: raises PermissionDeniedError. Raises NotFoundError for an unknown role,
    NameAlreadyExistsError for a username or a person that already sits here.
    """
    require(actor, Permission.USER_INVITE)
    for key in role_keys:
        require_not_above(actor, SYSTEM_ROLES.get(key, frozenset()))
    known = identity_services.find_identity(email_key=emails.email_key(email))
    password_hash = "" if known else passwords.hash_password(password)
    with database.unit_of_work() as unit:
        identity_id = known.id if known else _add_identity(unit, actor, email, password_hash)
        return _seat(unit, actor, identity_id, username, role_keys)


def suspend_user(actor: Actor, *, user_id: UUID, reason: str | None = None) -> User:
    """Lock a user out at their next request; raises NotFoundError, PermissionDeniedError for one who holds more."""
    require(actor, Permission.USER_SUSPEND)
    with database.unit_of_work() as unit:
        user_model = _find_below(unit, actor, user_id)
        user_model.status = "suspended"
        changes = changed(user_model, "status")
        if changes:
            sessions = UserSession.__table__
            of_this_seat = (
                sessions.c.identity_id == user_model.identity_id,
                sessions.c.account_id == unit.account_id,
            )
            unit.execute(delete(sessions).where(*of_this_seat))
            record(
                AuditEvent.USER_SUSPENDED,
                actor=actor,
                target=user_model,
                changes=changes,
                reason=reason,
            )
    return user_model


def restore_user(actor: Actor, *, user_id: UUID, reason: str | None = None) -> User:
    """Let a suspended user back in; raises NotFoundError, PermissionDeniedError for one who holds more."""
    require(actor, Permission.USER_SUSPEND)
    with database.unit_of_work() as unit:
        user_model = _find_below(unit, actor, user_id)
        user_model.status = "active"
        changes = changed(user_model, "status")
        if changes:
            record(
                AuditEvent.USER_RESTORED,
                actor=actor,
                target=user_model,
                changes=changes,
                reason=reason,
            )
    return user_model


def _add_identity(unit: Unit, actor: Actor, email: str, password_hash: str) -> UUID:
    identity_model = identity_services.add_identity(unit, email=email, password_hash=password_hash)
    record(AuditEvent.IDENTITY_CREATED, actor=actor, target=identity_model)
    return identity_model.id


def _seat(unit: Unit, actor: Actor, identity_id: UUID, username: str, role_keys: list[str]) -> User:
    user_model = User(identity_id=identity_id, username=username)
    unit.session.add(user_model)
    try:
        unit.flush()
    except IntegrityError as error:
        raise errors.NameAlreadyExistsError(field="username") from error
    for key in role_keys:
        role_services.hold(unit, user_model.id, _role_id(unit, key), actor.id)
    record(AuditEvent.USER_CREATED, actor=actor, target=user_model, data={"roles": role_keys})
    return user_model


def _find_below(unit: Unit, actor: Actor, user_id: UUID) -> User:
    user_model = unit.session.scalar(
        select(User).where(User.id == user_id).with_for_update(key_share=True)
    )
    if user_model is None:
        raise errors.NotFoundError
    if user_model.id == actor.id:
        raise errors.PermissionDeniedError("You cannot do this to yourself.")
    for role_model in user_model.roles:
        require_not_above(actor, role_services.permissions_of_role(role_model))
    return user_model


def _role_id(unit: Unit, key: str) -> UUID:
    role_id = unit.session.scalar(select(Role.id).where(Role.system_key == key))
    if role_id is None:
        raise errors.NotFoundError
    return role_id
