"""Sessions: who calls, signing in and out, entering another account."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, delete, select, update
from uuid_utils.compat import uuid7

from saas import database, errors
from saas.actor import Actor
from saas.audit.events import AuditEvent
from saas.audit.record import Target, clean, record
from saas.columns import utc_now
from saas.models import Account, Identity, User, UserSession
from saas.paging import Keyset, Page
from saas.permissions import require_person
from saas.security import emails, passwords, tokens
from saas.services import held_permissions, identity_services, role_services
from saas.unit import AnyRow, Unit, current_unit
from tenants import enter_account

SEEN_EVERY = timedelta(minutes=1)
_lengths = {False: timedelta(hours=12), True: timedelta(days=30)}  # by "remember me"

_sessions, _identities = UserSession.__table__.c, Identity.__table__.c
_accounts, _users = Account.__table__.c, User.__table__.c

# One statement for the caller: session → identity → account → seat → what its roles are.
_CALLER = (
    select(
        _sessions.id.label("session_id"),
        _sessions.last_seen_at,
        _identities.id.label("identity_id"),
        _identities.email,
        _accounts.name.label("account_name"),
        _accounts.roles_version,
        _users.id.label("user_id"),
        _users.username,
        held_permissions.role_references(_users.id).label("roles"),
    )
    .select_from(UserSession.__table__)
    .join(Identity.__table__, _identities.id == _sessions.identity_id)
    .join(
        User.__table__,
        (_users.account_id == bindparam("account_id")) & (_users.id == _sessions.user_id),
    )
    .join(Account.__table__, _accounts.account_id == _users.account_id)
    .where(
        _sessions.token_hash == bindparam("token_hash"),
        _sessions.account_id == bindparam("account_id"),
        _sessions.expires_at > bindparam("now"),
        _identities.suspended_at.is_(None),
        _users.status == "active",
        _accounts.status == "active",
    )
)
_LIST = Keyset(
    "sessions",
    select(
        _sessions.id,
        _sessions.created_at,
        _sessions.last_seen_at,
        _sessions.expires_at,
        _sessions.ip,
        _sessions.user_agent,
    ).where(_sessions.expires_at > bindparam("now")),
    owner=_sessions.identity_id,
    key=_sessions.id,
)
# The seat that a session is on.
_SEAT = select(_sessions.account_id, _sessions.user_id, _users.username).join_from(
    UserSession.__table__,
    User.__table__,
    (_users.account_id == _sessions.account_id) & (_users.id == _sessions.user_id),
)


@dataclass(frozen=True, slots=True)
class Client:
    """Where a person signs in from, as shown in the list of their sessions."""

    ip: str
    user_agent: str


@dataclass(frozen=True, slots=True)
class SessionView:
    """What ``GET /api/session`` tells: the seat, its account, roles and permissions, and the other accounts."""

    user: dict[str, Any]
    account: dict[str, Any]
    roles: list[str]
    permissions: list[str]
    accounts: list[dict[str, Any]]


def configure(length: timedelta, remembered: timedelta) -> None:
    """Set how long a session lasts, without and with "remember me"."""
    _lengths.update({False: length, True: remembered})


def find_actor(account_id: UUID, token: str) -> tuple[Actor, datetime] | None:
    """Return who holds a session token in the entered account, and when they were last seen; None for nobody.

    One statement in the open unit. Expired sessions and suspended identities, users and accounts are nobody.
    """
    unit = current_unit()
    found = unit.rows(
        _CALLER,
        {"account_id": account_id, "token_hash": tokens.token_hash(token), "now": utc_now()},
    )
    if not found:
        return None
    row = found[0]
    held = held_permissions.permissions_of(unit, row.roles or "", row.roles_version)
    actor = Actor(
        "user", row.user_id, row.username, account_id, held,
        account_name=row.account_name, identity_id=row.identity_id, email=row.email,
        session_id=row.session_id, token=token,
    )  # fmt: skip
    return actor, row.last_seen_at


def touch_session(session_id: UUID) -> None:
    """Note that a session was used now; its caller asks at most once in SEEN_EVERY."""
    table = UserSession.__table__
    with database.unit_of_work() as unit:
        unit.execute(update(table).where(table.c.id == session_id).values(last_seen_at=utc_now()))


def sign_in(*, email: str, password: str, remember: bool, client: Client) -> Actor:
    """Sign a person in, into the seat used last.

    Raises CouldNotVerifyLoginError (the same, after the same time, for an unknown address), SuspendedError, and
    NoSeatError for a person who sits in no account.
    """
    known = identity_services.find_identity(email_key=emails.email_key(email))
    try:
        known, seat = _open_seat(known, password)
    except errors.ProductError as error:
        error.about = _attempted(known, email)
        raise
    rehashed = (
        passwords.hash_password(password) if passwords.needs_rehash(known.password_hash) else None
    )
    with enter_account(seat.account_id), database.unit_of_work() as unit:
        actor = begin_session(
            unit, known.id, seat.user_id, how="sign-in", remember=remember, client=client
        )
        if rehashed:
            identity_services.store_password_hash(
                unit, actor, rehashed, AuditEvent.IDENTITY_PASSWORD_REHASHED
            )
    return actor


def _open_seat(known: AnyRow | None, password: str) -> tuple[AnyRow, AnyRow]:
    """Return the identity and its seat used last, if the password is right and that seat is open."""
    right = passwords.verify_password(password, known.password_hash if known else None)
    if not right or known is None:
        raise errors.CouldNotVerifyLoginError
    if known.suspended_at is not None:
        raise errors.SuspendedError
    seats = identity_services.list_seats(known.id)
    open_seats = [seat for seat in seats if seat.user_status == seat.account_status == "active"]
    if not open_seats:
        raise errors.SuspendedError if seats else errors.NoSeatError
    return known, open_seats[0]


def _attempted(known: AnyRow | None, email: str) -> Target:
    """Say for the log who was to be signed in. Of an address that nobody has, no more than tells it from others."""
    if known is not None:
        return Target("identity", str(known.id), known.email)
    key = emails.email_key(email)
    return Target(
        "address", tokens.token_hash(key)[:32], f"{key[:1]}…@{key.rpartition('@')[2]}"[:254]
    )


def begin_session(
    unit: Unit, identity_id: UUID, user_id: UUID, *, how: str, remember: bool, client: Client
) -> Actor:
    """Begin a session on a seat of the unit's account, inside its unit of work; the token rotates with it."""
    token, now = tokens.new_token(), utc_now()
    session_model = UserSession(
        id=uuid7(), token_hash=tokens.token_hash(token), identity_id=identity_id, account_id=unit.account_id,
        user_id=user_id, created_at=now, last_seen_at=now, expires_at=now + _lengths[remember],
        ip=clean(client.ip, 45), user_agent=clean(client.user_agent, 256),
    )  # fmt: skip
    # The seat first: the session's foreign key shares a lock on it, which two at once could not both widen.
    unit.session.execute(update(User).where(User.id == user_id).values(last_used_at=now))
    unit.session.add(session_model)
    unit.flush()
    found = find_actor(unit.account_id, token)
    if found is None:
        raise errors.SuspendedError  # suspended between the look and the lock
    record(
        AuditEvent.SESSION_CREATED,
        actor=found[0],
        target=_target(session_model.id, session_model.user_agent),
        data={"how": how},
    )
    return found[0]


def sign_out(actor: Actor) -> None:
    """End the actor's own session; from the next request on its cookie is nobody's."""
    if actor.session_id is not None:
        _end(actor, actor.session_id, actor.account_id, "sign-out")


def end_session(actor: Actor, *, session_id: UUID) -> None:
    """End one session of the actor's own identity, in whatever account it is; raises NotFoundError for any other.

    The log of that account names the person by their seat there: what they are called elsewhere is
    none of its business.
    """
    require_person(actor)
    with database.looking_across("end an own session: on which seat is it?") as connection:
        seat = connection.execute(
            _SEAT.where(_sessions.id == session_id, _sessions.identity_id == actor.identity_id)
        ).one_or_none()
    if seat is None:
        raise errors.NotFoundError
    there = replace(
        actor,
        id=seat.user_id,
        label=seat.username,
        account_id=seat.account_id,
        permissions=frozenset(),
    )
    with enter_account(seat.account_id):
        _end(there, session_id, seat.account_id, "ended by the person")


def switch_account(actor: Actor, *, account_id: UUID, client: Client) -> Actor:
    """Enter another account of the same person with a new session, and end the old one.

    Raises NotFoundError for an account in which the person has no open seat, as for one that does not exist.
    """
    seats = identity_services.list_seats(require_person(actor))
    seat = next(
        (
            s
            for s in seats
            if s.account_id == account_id and s.user_status == s.account_status == "active"
        ),
        None,
    )
    if seat is None:
        raise errors.NotFoundError
    remember = _is_remembered(actor)
    with enter_account(account_id), database.unit_of_work() as unit:
        entered = begin_session(
            unit,
            require_person(actor),
            seat.user_id,
            how="switch",
            remember=remember,
            client=client,
        )
    sign_out(actor)
    return entered


def list_sessions(actor: Actor, *, limit: int = 20, cursor: str | None = None) -> Page:
    """Return one page of the actor's own sessions, in all accounts, newest first."""
    identity_id = require_person(actor)
    with database.reading() as unit:
        return _LIST.page(unit, identity_id, limit=limit, cursor=cursor, now=utc_now())


def read_session(actor: Actor) -> SessionView:
    """Return the seat, account, roles and permissions of the actor, and the accounts it may switch to."""
    seats = identity_services.list_seats(require_person(actor))
    return SessionView(
        user={"id": actor.id, "username": actor.label, "email": actor.email},
        account={"id": actor.account_id, "name": actor.account_name},
        roles=role_services.role_names(actor),
        permissions=sorted(permission.value for permission in actor.permissions),
        accounts=[
            {
                "id": s.account_id,
                "name": s.account_name,
                "username": s.username,
                "current": s.account_id == actor.account_id,
            }
            for s in seats
            if s.user_status == s.account_status == "active"
        ],
    )


def _end(actor: Actor, session_id: UUID, account_id: UUID, how: str) -> None:
    table = UserSession.__table__
    with database.unit_of_work() as unit:
        ended = unit.execute(
            delete(table).where(table.c.id == session_id, table.c.account_id == account_id)
        )
        if ended.rowcount:
            record(
                AuditEvent.SESSION_ENDED,
                actor=actor,
                target=_target(session_id, how),
                data={"how": how},
            )


def _is_remembered(actor: Actor) -> bool:
    with database.reading() as unit:
        row = unit.rows(
            select(_sessions.created_at, _sessions.expires_at).where(
                _sessions.id == bindparam("id")
            ),
            {"id": actor.session_id},
        )
    return bool(row) and row[0].expires_at - row[0].created_at > _lengths[False]


def _target(session_id: UUID, label: str) -> Target:
    return Target("session", str(session_id), clean(label, 254) or "")
