"""What is proven by mail: that an address is one's own, a new address, a forgotten password.

A token has one purpose and one use, is kept as its hash, and a newer one ends the older. Whoever proves an address
ends what somebody else planted on it before: every session and every API key.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import delete, select, update
from sqlalchemy.exc import IntegrityError
from uuid_utils.compat import uuid7

from saas import database, errors, outbox
from saas.actor import NOWHERE, Actor
from saas.audit.events import AuditEvent
from saas.audit.record import Target, record
from saas.columns import utc_now
from saas.mail import messages
from saas.models import ApiKey, EmailToken, Identity, UserSession
from saas.permissions import require_person
from saas.security import emails, passwords, tokens
from saas.services import identity_services
from saas.unit import AnyRow, Unit
from tenants import enter_account

VERIFY_LASTS, RESET_LASTS = timedelta(days=2), timedelta(hours=1)
FORGOT = "forgot"
_identities, _tokens = Identity.__table__, EmailToken.__table__
_TOKEN = select(
    _tokens.c.id, _tokens.c.identity_id, _tokens.c.purpose, _tokens.c.email, _tokens.c.expires_at,
    _tokens.c.used_at, _identities.c.email.label("old_email"),
).join_from(_tokens, _identities, _identities.c.id == _tokens.c.identity_id)  # fmt: skip
_MAIL = Actor("system", None, "by mail", NOWHERE, frozenset())


def send_verification(unit: Unit, actor: Actor, email: str) -> None:
    """Send the link that confirms an address, with the commit of the open unit of work."""
    token = _new_token(unit, actor, "verify", email, VERIFY_LASTS)
    until = utc_now() + VERIFY_LASTS
    messages.send(unit, "verify", email, token=token, until=until, username=actor.label)


def resend_verification(actor: Actor) -> None:
    """Send the actor the link again; the older one is dead. For an address that is confirmed nothing is sent."""
    require_person(actor)
    with database.unit_of_work() as unit:
        confirmed = unit.execute(
            select(_identities.c.confirmed_at).where(_identities.c.id == actor.identity_id)
        ).scalar()
        if confirmed is None:
            send_verification(unit, actor, actor.email)


def request_email_change(actor: Actor, *, email: str, password: str) -> None:
    """Send a link to a new address; the address changes when it is opened there, and the old one is told then.

    The address as it is already changes nothing. Raises WrongPasswordError (field ``password``) and
    EmailAddressAlreadyExistsError.
    """
    identity_services.confirm_password(actor, password, "password")
    if email == actor.email:
        return
    taken = identity_services.find_identity(email_key=emails.email_key(email))
    if taken is not None and taken.id != actor.identity_id:
        raise errors.EmailAddressAlreadyExistsError
    with database.unit_of_work() as unit:
        token = _new_token(unit, actor, "change", email, VERIFY_LASTS)
        until = utc_now() + VERIFY_LASTS
        messages.send(unit, "change", email, token=token, until=until, username=actor.label)


def read_link(*, token: str, purposes: tuple[str, ...]) -> AnyRow:
    """Return whom a link that came by mail is about (``purpose``, ``email``, ``old_email``), for whoever holds it.

    Looking changes nothing. Raises NotFoundError, LinkGoneError.
    """
    return _find(token, purposes)


def verify_email(*, token: str, session_id: UUID | None = None) -> None:
    """Confirm an address, or change to it, with the token that was sent there.

    Every other session and key of the person ends (``session_id``: their own, which stays). Raises NotFoundError,
    LinkGoneError, EmailAddressAlreadyExistsError.
    """
    row = _find(token, ("verify", "change"))
    _refuse_taken(row)
    planted = _end_keys(row.identity_id)
    with enter_account(NOWHERE), database.unit_of_work() as unit:
        _use(unit, row)
        _write_address(unit, row)
        _end_sessions(unit, row.identity_id, session_id)
        if row.purpose == "change":
            changes = [{"field": "email", "old": row.old_email, "new": row.email}]
            record(
                AuditEvent.IDENTITY_EMAIL_CHANGED, actor=_MAIL, target=_target(row), changes=changes
            )
            words = {"username": row.old_email, "new_email": row.email}
            messages.send(unit, "changed", row.old_email, **words)
        else:
            record(AuditEvent.IDENTITY_CONFIRMED, actor=_MAIL, target=_target(row), reason=planted)


def forget_password(*, email: str) -> None:
    """Ask for a link to a new password. Known or unknown address: the same work, so the same answer in the same time.

    Whether anybody has this address is looked up later, by the worker.
    """
    outbox.put_outside(database.current_database(), FORGOT, {"email": email})


def send_reset(payload: dict[str, Any]) -> None:
    """Send the link to a new password to whoever has the address (the worker's half of ``forget_password``)."""
    known = identity_services.find_identity(email_key=emails.email_key(payload["email"]))
    if known is None or known.suspended_at is not None:
        return
    with enter_account(NOWHERE), database.unit_of_work() as unit:
        asker = Actor(
            "system", None, "forgot", NOWHERE, frozenset(), identity_id=known.id, email=known.email
        )
        token = _new_token(unit, asker, "reset", known.email, RESET_LASTS)
        messages.send(unit, "reset", known.email, token=token, until=utc_now() + RESET_LASTS)


def reset_password(*, token: str, new_password: str) -> None:
    """Set a new password with the token that was sent to the address, and end every session and key made before.

    Raises NotFoundError, LinkGoneError, ValidationFailedError (field ``new_password``).
    """
    row = _find(token, ("reset",))
    passwords.check_strength(new_password, username="", email=row.old_email, field="new_password")
    password_hash = passwords.hash_password(new_password)
    ended = _end_keys(row.identity_id)
    with enter_account(NOWHERE), database.unit_of_work() as unit:
        _use(unit, row)
        values = {"password_hash": password_hash, "confirmed_at": utc_now()}
        unit.execute(
            update(_identities).where(_identities.c.id == row.identity_id).values(**values)
        )
        _end_sessions(unit, row.identity_id, None)
        record(AuditEvent.IDENTITY_PASSWORD_RESET, actor=_MAIL, target=_target(row), reason=ended)


def _new_token(unit: Unit, actor: Actor, purpose: str, email: str, lasts: timedelta) -> str:
    """Make a token and end the older ones of its purpose."""
    token = tokens.new_token()
    older = (_tokens.c.identity_id == actor.identity_id, _tokens.c.purpose == purpose)
    unit.execute(delete(_tokens).where(*older))
    unit.session.add(
        EmailToken(
            id=uuid7(), identity_id=actor.identity_id, purpose=purpose, email=email,
            token_hash=tokens.token_hash(token), expires_at=utc_now() + lasts,
        )
    )  # fmt: skip
    unit.flush()
    target = Target("identity", str(actor.identity_id), email)
    record(AuditEvent.TOKEN_SENT, actor=actor, target=target, data={"purpose": purpose})
    return token


def _find(token: str, purposes: tuple[str, ...]) -> AnyRow:
    with database.looking_across("by mail: whose token is this?") as connection:
        row = connection.execute(
            _TOKEN.where(_tokens.c.token_hash == tokens.token_hash(token))
        ).one_or_none()
    if row is None or row.purpose not in purposes:
        raise errors.NotFoundError("This link is not complete, or a newer one has taken its place.")
    if row.used_at is not None:
        raise errors.LinkGoneError("This link was used already.")
    if row.expires_at <= utc_now():
        raise errors.LinkGoneError("This link has expired. Ask for a new one.")
    return row


def _use(unit: Unit, row: AnyRow) -> None:
    """Use the token up, once: of two who come at the same instant the second finds it used."""
    unused = (_tokens.c.id == row.id, _tokens.c.used_at.is_(None))
    if not unit.execute(update(_tokens).where(*unused).values(used_at=utc_now())).rowcount:
        raise errors.LinkGoneError("This link was used already.")
    others = (_tokens.c.identity_id == row.identity_id, _tokens.c.id != row.id)
    unit.execute(delete(_tokens).where(*others))


def _write_address(unit: Unit, row: AnyRow) -> None:
    values = {
        "confirmed_at": utc_now(),
        "email": row.email,
        "email_key": emails.email_key(row.email),
    }
    try:
        unit.execute(
            update(_identities).where(_identities.c.id == row.identity_id).values(**values)
        )
    except IntegrityError as error:
        raise errors.EmailAddressAlreadyExistsError from error


def _refuse_taken(row: AnyRow) -> None:
    """Say at once that somebody else has the address by now, before any key ends; the constraint decides at last."""
    taken = identity_services.find_identity(email_key=emails.email_key(row.email))
    if taken is not None and taken.id != row.identity_id:
        raise errors.EmailAddressAlreadyExistsError


def _end_sessions(unit: Unit, identity_id: UUID, but: UUID | None) -> None:
    sessions = UserSession.__table__
    of_the_person = [sessions.c.identity_id == identity_id]
    unit.execute(delete(sessions).where(*of_the_person, *([sessions.c.id != but] if but else [])))


def _end_keys(identity_id: UUID) -> str:
    """Revoke every key of a person, account by account, each in its own log; says how many ended."""
    ended = 0
    for seat in identity_services.list_seats(identity_id):
        with enter_account(seat.account_id), database.unit_of_work() as unit:
            live = select(ApiKey).where(ApiKey.user_id == seat.user_id, ApiKey.revoked_at.is_(None))
            for key_model in unit.session.scalars(live).all():
                key_model.revoked_at = utc_now()
                unit.flush()
                record(
                    AuditEvent.API_KEY_REVOKED, actor=_by_mail(seat.account_id), target=key_model
                )
                ended += 1
    return f"{ended} API keys ended"


def _by_mail(account_id: UUID) -> Actor:
    return Actor("system", None, "by mail", account_id, frozenset())


def _target(row: AnyRow) -> Target:
    return Target("identity", str(row.identity_id), row.email)
