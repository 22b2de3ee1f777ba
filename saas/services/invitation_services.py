"""Invitations: to an address, with roles, for seven days, used once, by nobody but that address."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, func, select, update

from saas import database, errors
from saas.actor import Actor
from saas.audit.events import AuditEvent
from saas.audit.record import changed, record
from saas.columns import utc_now
from saas.mail import messages
from saas.models import Account, Invitation, InvitationRole, Role, User
from saas.paging import Keyset, Page
from saas.permissions import Permission, require, require_person
from saas.security import emails, passwords, tokens
from saas.services import guards, identity_services, session_services, user_services
from saas.services.session_services import Client
from saas.unit import AnyRow, Unit
from tenants import enter_account

LASTS = timedelta(days=7)
_NOT_THEIRS = "Whoever invited you may no longer do that. Ask for a new invitation."
_FORM = re.compile(r"inv_([0-9a-f]{32})_([A-Za-z0-9_-]{20,200})")
_invitations, _users = Invitation.__table__.c, User.__table__.c
_brought, _roles = InvitationRole.__table__.c, Role.__table__.c
_ROLE_NAMES = (
    select(func.aggregate_strings(_roles.name, ","))
    .select_from(InvitationRole.__table__)
    .join(Role.__table__, (_roles.account_id == _brought.account_id) & (_roles.id == _brought.role_id))
    .where(_brought.account_id == bindparam("owner"), _brought.invitation_id == _invitations.id)
    .correlate(Invitation.__table__)
    .scalar_subquery()
    .label("role_names")
)  # fmt: skip
_ROWS = select(
    _invitations.id, _invitations.email, _invitations.created_at, _invitations.expires_at,
    _invitations.accepted_at, _invitations.revoked_at, _users.username.label("invited_by"), _ROLE_NAMES,
).join_from(
    Invitation.__table__,
    User.__table__,
    (_users.account_id == _invitations.account_id) & (_users.id == _invitations.invited_by_id),
    isouter=True,
)  # fmt: skip
_LIST = Keyset("invitations", _ROWS, owner=_invitations.account_id, key=_invitations.id)
_ENDED = (_invitations.accepted_at.is_not(None), _invitations.revoked_at.is_not(None))
_WAITING = _invitations.accepted_at.is_(None) & _invitations.revoked_at.is_(None)
_IN_STATE = {
    "open": _WAITING & (_invitations.expires_at > bindparam("now")),
    "accepted": _ENDED[0],
    "revoked": ~_ENDED[0] & _ENDED[1],
    "expired": _WAITING & (_invitations.expires_at <= bindparam("now")),
}
_LISTS = {
    state: Keyset(
        f"invitations {state}",
        _ROWS.where(clause),
        owner=_invitations.account_id,
        key=_invitations.id,
    )
    for state, clause in _IN_STATE.items()
}
STATES = tuple(_LISTS)
_ONE = _ROWS.where(
    _invitations.account_id == bindparam("owner"), _invitations.id == bindparam("id")
)


@dataclass(frozen=True, slots=True)
class Welcome:
    """What somebody who opens an invitation is told: into what, by whom, as what, and what they must do.

    ``needs``: "account" (choose a name and a password), "sign-in" (as the invited address), "consent", or
    "nothing" (a member already).
    """

    email: str
    account_name: str
    invited_by: str
    roles: list[str]
    needs: str


def list_invitations(
    actor: Actor, *, limit: int = 20, cursor: str | None = None, state: str | None = None
) -> Page:
    """Return one page of the account's invitations, newest first; ``state``: one of STATES (None: every one)."""
    require(actor, Permission.USER_READ)
    with database.reading() as unit:
        if state is None:
            return _LIST.page(unit, actor.account_id, limit=limit, cursor=cursor)
        chosen = _LISTS[state]
        return chosen.page(unit, actor.account_id, limit=limit, cursor=cursor, now=utc_now())


def create_invitation(actor: Actor, *, email: str, role_ids: list[UUID]) -> AnyRow:
    """Invite an address, with roles that give no more than the actor holds; an older invitation to it ends.

    Raises PermissionDeniedError, NotFoundError for a role that is not the account's, AlreadyMemberError.
    """
    require(actor, Permission.USER_INVITE)
    _refuse_member(actor, email)
    with database.unit_of_work() as unit:
        now = guards.lock_account(unit, actor, Permission.USER_INVITE)
        role_models = [
            guards.find_role_below(unit, now, role_id) for role_id in dict.fromkeys(role_ids)
        ]
        _end_older(unit, email)
        secret = tokens.new_token()
        invitation_model = Invitation(
            email=email, email_key=emails.email_key(email), token_hash=tokens.token_hash(secret),
            invited_by_id=actor.seat_id, expires_at=utc_now() + LASTS,
        )  # fmt: skip
        unit.session.add(invitation_model)
        unit.flush()
        brought = [
            InvitationRole(invitation_id=invitation_model.id, role_id=role.id)
            for role in role_models
        ]
        unit.session.add_all(brought)
        unit.flush()
        names = sorted(role.name for role in role_models)
        record(
            AuditEvent.INVITATION_CREATED,
            actor=actor,
            target=invitation_model,
            data={"roles": names},
        )
        _send(unit, actor, invitation_model, secret, names)
        return _find_row(unit, invitation_model.id)


def resend_invitation(actor: Actor, *, invitation_id: UUID) -> AnyRow:
    """Send an open invitation again with a new link; the old link is dead and the seven days begin anew.

    Raises NotFoundError, LinkGoneError, and PermissionDeniedError for roles that give more than the actor holds.
    """
    require(actor, Permission.USER_INVITE)
    with database.unit_of_work() as unit:
        now = guards.lock_account(unit, actor, Permission.USER_INVITE)
        invitation_model = _find_open(unit, invitation_id)
        names = _role_names(unit, now, invitation_id)
        secret = tokens.new_token()
        invitation_model.token_hash = tokens.token_hash(secret)
        invitation_model.expires_at = utc_now() + LASTS
        # An operator has no seat: the invitation stays its sender's.
        invitation_model.invited_by_id = actor.seat_id or invitation_model.invited_by_id
        unit.flush()
        record(AuditEvent.INVITATION_RESENT, actor=actor, target=invitation_model)
        _send(unit, actor, invitation_model, secret, names)
        return _find_row(unit, invitation_id)


def revoke_invitation(actor: Actor, *, invitation_id: UUID) -> None:
    """Take an open invitation back.

    Raises NotFoundError, LinkGoneError for one that is used or taken back, and PermissionDeniedError for roles that
    give more than the actor holds: an admin does not undo what an owner is about to do.
    """
    require(actor, Permission.USER_INVITE)
    with database.unit_of_work() as unit:
        now = guards.lock_account(unit, actor, Permission.USER_INVITE)
        invitation_model = _find_open(unit, invitation_id, expired_too=True)
        _role_names(unit, now, invitation_id)
        invitation_model.revoked_at = utc_now()
        changes = changed(invitation_model, "revoked_at")
        unit.flush()
        record(AuditEvent.INVITATION_REVOKED, actor=actor, target=invitation_model, changes=changes)


def read_invitation(visitor: Actor | None, *, token: str) -> Welcome:
    """Return what an invitation is about, for whoever holds its link; opening it changes nothing.

    Raises NotFoundError, LinkGoneError (used, revoked, expired, or no longer the inviter's to give) and
    OtherInviteeError for somebody who is signed in with another address.
    """
    account_id, secret = _parse(token)
    with enter_account(account_id), database.reading_apart() as unit:
        invitation_model = _find_by_token(unit, secret)
        account_model = _open_account(unit)
        inviter = _inviter(unit, invitation_model)
        names = _require_roles(unit, inviter, invitation_model.id)
    return Welcome(
        invitation_model.email,
        account_model.name,
        inviter.label,
        names,
        _needs(visitor, invitation_model),
    )


def accept_invitation(
    visitor: Actor | None, *, token: str, username: str | None, password: str | None, client: Client
) -> Actor:
    """Take an invitation up: a new person chooses name and password, a known one is signed in as its address.

    Somebody known may also give their password here: who sits in no account (any more) cannot sign in before.
    Used once, whoever else tries at the same instant. Raises as ``read_invitation``, and SignInRequiredError,
    CouldNotVerifyLoginError, ValidationFailedError, AlreadyMemberError, NameAlreadyExistsError.
    """
    account_id, secret = _parse(token)
    welcome = read_invitation(visitor, token=token)
    person = (require_person(visitor), visitor.email) if visitor is not None else None
    if welcome.needs == "sign-in":
        person = _known_person(welcome.email, username, password)
    password_hash = None if person else _new_password_hash(username, password, welcome.email)
    with enter_account(account_id), database.unit_of_work() as unit:
        _lock(unit)
        invitation_model = _find_by_token(unit, secret)
        inviter = _inviter(unit, invitation_model)
        names = _require_roles(unit, inviter, invitation_model.id)
        identity_id, email = person or _add_identity(unit, invitation_model, password_hash)
        chosen = username or (visitor.label if visitor else "")
        role_ids = list(unit.session.scalars(_role_ids(invitation_model.id)))
        user_model = user_services.seat(unit, identity_id, chosen, role_ids, inviter.id)
        invitation_model.accepted_at = utc_now()
        unit.flush()
        guards.roles_changed(unit)
        joined = Actor(
            "user",
            user_model.id,
            chosen,
            account_id,
            frozenset(),
            identity_id=identity_id,
            email=email,
        )
        if password_hash:
            record(
                AuditEvent.IDENTITY_CREATED,
                actor=joined,
                target=identity_services.target_of(joined),
            )
        data = {"roles": names}
        record(
            AuditEvent.INVITATION_ACCEPTED,
            actor=joined,
            target=invitation_model,
            also=[user_model],
            data=data,
        )
        entered = session_services.begin_session(
            unit, identity_id, user_model.id, how="invitation", remember=True, client=client
        )
    if visitor is not None:
        session_services.sign_out(visitor)
    return entered


def state_of(row: AnyRow, now: datetime) -> str:
    """Return "accepted", "revoked", "expired" or "open"."""
    if row.accepted_at:
        return "accepted"
    if row.revoked_at:
        return "revoked"
    return "expired" if row.expires_at <= now else "open"


def _parse(unsafe_token: str) -> tuple[UUID, str]:
    parts = _FORM.fullmatch(unsafe_token)
    if parts is None:
        raise errors.NotFoundError
    return UUID(parts[1]), parts[2]


def _find_by_token(unit: Unit, secret: str) -> Invitation:
    query = select(Invitation).where(Invitation.token_hash == tokens.token_hash(secret))
    invitation_model = unit.session.scalar(query.execution_options(populate_existing=True))
    if invitation_model is None:
        raise errors.NotFoundError
    _refuse_gone(invitation_model)
    return invitation_model


def _find_open(unit: Unit, invitation_id: UUID, *, expired_too: bool = False) -> Invitation:
    invitation_model = unit.session.scalar(select(Invitation).where(Invitation.id == invitation_id))
    if invitation_model is None:
        raise errors.NotFoundError
    if not (expired_too and not invitation_model.accepted_at and not invitation_model.revoked_at):
        _refuse_used(invitation_model)
    return invitation_model


def _refuse_used(invitation_model: Invitation) -> None:
    if invitation_model.accepted_at is not None:
        raise errors.InvitationUsedError
    if invitation_model.revoked_at is not None:
        raise errors.InvitationRevokedError


def _refuse_gone(invitation_model: Invitation) -> None:
    _refuse_used(invitation_model)
    if invitation_model.expires_at <= utc_now():
        raise errors.InvitationExpiredError


def _lock(unit: Unit) -> None:
    if guards.lock_row(unit) is None:
        raise errors.NotFoundError


def _open_account(unit: Unit) -> Account:
    account_model: Account | None = unit.session.scalar(select(Account))
    if account_model is None or account_model.status != "active":
        raise errors.LinkGoneError("This account is not open at present. Ask whoever invited you.")
    return account_model


def _inviter(unit: Unit, invitation_model: Invitation) -> Actor:
    """Return whoever sent the invitation, with the permissions they have now; LinkGoneError when they may no longer."""
    _open_account(unit)
    user_model = unit.session.scalar(select(User).where(User.id == invitation_model.invited_by_id))
    if user_model is None:
        raise errors.LinkGoneError(_NOT_THEIRS)
    held = guards.permissions_of_user(unit, user_model.id)
    if Permission.USER_INVITE not in held:
        raise errors.LinkGoneError(_NOT_THEIRS)
    return Actor("user", user_model.id, user_model.username, unit.account_id, held)


def _require_roles(unit: Unit, actor: Actor, invitation_id: UUID) -> list[str]:
    """Return the names of an invitation's roles; LinkGoneError when one gives more than the actor holds by now."""
    try:
        return _role_names(unit, actor, invitation_id)
    except errors.PermissionDeniedError as error:
        raise errors.LinkGoneError(_NOT_THEIRS) from error


def _role_names(unit: Unit, actor: Actor, invitation_id: UUID) -> list[str]:
    """Return the names of an invitation's roles; PermissionDeniedError when one gives more than the actor holds."""
    return sorted(
        guards.find_role_below(unit, actor, role_id).name
        for role_id in unit.session.scalars(_role_ids(invitation_id)).all()
    )


def _role_ids(invitation_id: UUID) -> Any:
    return select(InvitationRole.role_id).where(InvitationRole.invitation_id == invitation_id)


def _needs(visitor: Actor | None, invitation_model: Invitation) -> str:
    if visitor is not None:
        if visitor.kind != "user" or emails.email_key(visitor.email) != invitation_model.email_key:
            raise errors.OtherInviteeError
        assert visitor.identity_id is not None
        seats = identity_services.list_seats(visitor.identity_id)
        there = any(seat.account_id == invitation_model.account_id for seat in seats)
        return "nothing" if there else "consent"
    known = identity_services.find_identity(email_key=invitation_model.email_key)
    return "account" if known is None else "sign-in"


def _known_person(email: str, username: str | None, password: str | None) -> tuple[UUID, str]:
    """Return id and address of who has an invited address, by their password."""
    if password is None:
        raise errors.SignInRequiredError(
            "You have a sign-in already. Sign in with the invited address first."
        )
    known = identity_services.find_identity(email_key=emails.email_key(email))
    stored = known.password_hash if known else None
    if not passwords.verify_password(password, stored) or known is None:
        raise errors.CouldNotVerifyLoginError
    if known.suspended_at is not None:
        raise errors.SuspendedError
    if not username:
        problem = errors.FieldError("username", "This field is required.")
        raise errors.ValidationFailedError(field_errors=[problem])
    return known.id, known.email


def _new_password_hash(username: str | None, password: str | None, email: str) -> str:
    missing = [
        name for name, value in (("username", username), ("password", password)) if not value
    ]
    if missing or username is None or password is None:
        problems = [errors.FieldError(name, "This field is required.") for name in missing]
        raise errors.ValidationFailedError(field_errors=problems)
    passwords.check_strength(password, username=username, email=email)
    return passwords.hash_password(password)


def _add_identity(
    unit: Unit, invitation_model: Invitation, password_hash: str | None
) -> tuple[UUID, str]:
    assert password_hash is not None
    identity_model = identity_services.add_identity(
        unit, email=invitation_model.email, password_hash=password_hash
    )
    identity_model.confirmed_at = utc_now()  # the link went to that address and nowhere else
    return identity_model.id, identity_model.email


def _refuse_member(actor: Actor, email: str) -> None:
    known = identity_services.find_identity(email_key=emails.email_key(email))
    if known is not None and any(
        s.account_id == actor.account_id for s in identity_services.list_seats(known.id)
    ):
        raise errors.AlreadyMemberError


def _end_older(unit: Unit, email: str) -> None:
    unit.session.execute(
        update(Invitation)
        .where(
            Invitation.email_key == emails.email_key(email),
            Invitation.accepted_at.is_(None),
            Invitation.revoked_at.is_(None),
        )
        .values(revoked_at=utc_now())
    )


def _send(
    unit: Unit, actor: Actor, invitation_model: Invitation, secret: str, names: list[str]
) -> None:
    messages.send(
        unit,
        "invitation",
        invitation_model.email,
        token=f"inv_{unit.account_id.hex}_{secret}",
        until=invitation_model.expires_at,
        inviter=actor.label,
        account=_open_account(unit).name,
        roles=", ".join(names) or "no role yet",
    )


def _find_row(unit: Unit, invitation_id: UUID) -> AnyRow:
    return unit.rows(_ONE, {"owner": unit.account_id, "id": invitation_id})[0]
