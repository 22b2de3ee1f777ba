"""Identities: a person's address and password, and in which accounts they sit."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import bindparam, delete, select, update
from sqlalchemy.exc import IntegrityError

from saas import database, errors
from saas.actor import Actor
from saas.audit.events import AuditEvent
from saas.audit.record import Target, record
from saas.models import Account, Identity, User, UserSession
from saas.permissions import require_person
from saas.security import emails, passwords
from saas.unit import AnyRow, Unit

_identities, _users, _accounts = Identity.__table__, User.__table__, Account.__table__
_IDENTITY = select(
    _identities.c.id, _identities.c.email, _identities.c.password_hash, _identities.c.suspended_at
)
_CONFIRMED = select(_identities.c.confirmed_at).where(_identities.c.id == bindparam("identity_id"))
_SEATS = (
    select(
        _users.c.account_id,
        _users.c.id.label("user_id"),
        _users.c.username,
        _users.c.status.label("user_status"),
        _accounts.c.name.label("account_name"),
        _accounts.c.status.label("account_status"),
    )
    .join_from(_users, _accounts, _accounts.c.account_id == _users.c.account_id)
    .order_by(_users.c.last_used_at.is_(None), _users.c.last_used_at.desc(), _users.c.id)
)


def find_identity(*, email_key: str) -> AnyRow | None:
    """Return id, email, password hash and suspension of the person behind a normalised address, or None."""
    with database.looking_across("sign-in: who has this address?") as connection:
        return connection.execute(
            _IDENTITY.where(_identities.c.email_key == email_key)
        ).one_or_none()


def list_seats(identity_id: UUID) -> list[AnyRow]:
    """Return a person's seats in all accounts, the one used last first."""
    with database.looking_across("which accounts does this person sit in?") as connection:
        return list(connection.execute(_SEATS.where(_users.c.identity_id == identity_id)).all())


def is_confirmed(actor: Actor) -> bool:
    """Say whether the person has proven that the address they sign in with is their own."""
    require_person(actor)
    with database.reading() as unit:
        found = unit.rows(_CONFIRMED, {"identity_id": actor.identity_id})
    return bool(found) and found[0].confirmed_at is not None


def confirm_password(actor: Actor, password: str, field: str) -> UUID:
    """Return the actor's identity id if the password is theirs; hashing happens outside every transaction.

    Raises WrongPasswordError on ``field``, PermissionDeniedError for anybody but a person.
    """
    require_person(actor)
    with database.looking_across("is this the person's own password?") as connection:
        known = connection.execute(
            _IDENTITY.where(_identities.c.id == actor.identity_id)
        ).one_or_none()
    if known is None or not passwords.verify_password(password, known.password_hash):
        raise errors.WrongPasswordError(field=field)
    return UUID(str(known.id))


def change_password(actor: Actor, *, current_password: str, new_password: str) -> None:
    """Change a person's password and end all their other sessions, in every account.

    Raises WrongPasswordError (field ``current_password``) and ValidationFailedError (field ``new_password``).
    """
    identity_id = confirm_password(actor, current_password, "current_password")
    passwords.check_strength(
        new_password, username=actor.label, email=actor.email, field="new_password"
    )
    password_hash = passwords.hash_password(new_password)
    sessions = UserSession.__table__
    with database.unit_of_work() as unit:
        store_password_hash(unit, actor, password_hash, AuditEvent.IDENTITY_PASSWORD_CHANGED)
        unit.execute(
            delete(sessions).where(
                sessions.c.identity_id == identity_id, sessions.c.id != actor.session_id
            )
        )


def add_identity(unit: Unit, *, email: str, password_hash: str) -> Identity:
    """Add a person, inside a unit of work; raises EmailAddressAlreadyExistsError: the constraint decides."""
    identity_model = Identity(
        email=email, email_key=emails.email_key(email), password_hash=password_hash
    )
    unit.session.add(identity_model)
    try:
        unit.flush()
    except IntegrityError as error:
        raise errors.EmailAddressAlreadyExistsError from error
    return identity_model


def store_password_hash(unit: Unit, actor: Actor, password_hash: str, event: AuditEvent) -> None:
    """Write a new hash for the actor's own identity, inside a unit of work, with the event that says why."""
    unit.execute(
        update(_identities)
        .where(_identities.c.id == actor.identity_id)
        .values(password_hash=password_hash)
    )
    record(event, actor=actor, target=target_of(actor))


def target_of(actor: Actor) -> Target:
    """Return the actor's identity as the target of an event."""
    return Target("identity", str(actor.identity_id), actor.email)
