"""What an operator can do to customers. Each act asks its permission, has a reason, and is told twice.

The customer reads it in their own log, the house in its own; both events and the change are one transaction.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import delete, select, update

from saas import database, errors
from saas.actor import NOWHERE
from saas.audit import later
from saas.audit.events import AuditEvent
from saas.audit.record import Target, clean, make, record
from saas.columns import utc_now
from saas.models import Account, AccountNote, Identity, User, UserSession
from saas.operator import ConsolePermission, Operator, require_operator
from saas.services import account_services, invitation_services
from saas.services.operator_rows import record_act
from saas.unit import AnyRow, Unit
from tenants import enter_account

_identities, _sessions = Identity.__table__, UserSession.__table__
_a, _u = Account.__table__.c, User.__table__.c
_ACCOUNT = select(_a.account_id.label("id"), _a.name, _a.status)
_PERSON = select(_identities.c.id, _identities.c.email, _identities.c.suspended_at)
_SEATS = (
    select(_a.account_id.label("id"), _a.name, _u.id.label("user_id"), _u.username)
    .join_from(User.__table__, Account.__table__, _a.account_id == _u.account_id)
    .order_by(_a.account_id)
)


def suspend_account(
    operator: Operator, *, account_id: UUID, reason: str, ticket: str | None = None
) -> None:
    """Lock everybody out of an account at their next request; raises NotFoundError, AlreadySoError."""
    require_operator(operator, ConsolePermission.ACCOUNT_SUSPEND)
    account = _find_account(account_id)
    if account.status != "active":
        raise errors.AlreadySoError(f"{account.name} is {account.status} already.")
    _upon_account(
        operator, account, account_services.suspend_account, "suspend account", reason, ticket
    )


def restore_account(
    operator: Operator, *, account_id: UUID, reason: str, ticket: str | None = None
) -> None:
    """Let people back into a suspended account; raises NotFoundError, AlreadySoError."""
    require_operator(operator, ConsolePermission.ACCOUNT_SUSPEND)
    account = _find_account(account_id)
    if account.status != "suspended":
        raise errors.AlreadySoError(f"{account.name} is {account.status}, not suspended.")
    _upon_account(
        operator, account, account_services.restore_account, "restore account", reason, ticket
    )


def suspend_person(
    operator: Operator, *, identity_id: UUID, reason: str, ticket: str | None = None
) -> None:
    """Lock a person out of every account at their next request, keys included; their sessions end.

    Raises NotFoundError, AlreadySoError.
    """
    require_operator(operator, ConsolePermission.PERSON_SUSPEND)
    person = _find_person(identity_id)
    if person.suspended_at is not None:
        raise errors.AlreadySoError(f"{person.email} is suspended already.")

    def suspend(unit: Unit) -> None:
        _set_suspended(unit, person, utc_now())
        _end_sessions(unit, person)

    told = (AuditEvent.IDENTITY_SUSPENDED, AuditEvent.PERSON_SUSPENDED)
    _upon_person(operator, person, suspend, told, reason, ticket)


def restore_person(
    operator: Operator, *, identity_id: UUID, reason: str, ticket: str | None = None
) -> None:
    """Let a suspended person sign in again; raises NotFoundError, AlreadySoError."""
    require_operator(operator, ConsolePermission.PERSON_SUSPEND)
    person = _find_person(identity_id)
    if person.suspended_at is None:
        raise errors.AlreadySoError(f"{person.email} is not suspended.")

    def restore(unit: Unit) -> None:
        _set_suspended(unit, person, None)

    told = (AuditEvent.IDENTITY_RESTORED, AuditEvent.PERSON_RESTORED)
    _upon_person(operator, person, restore, told, reason, ticket)


def sign_person_out(
    operator: Operator, *, identity_id: UUID, reason: str, ticket: str | None = None
) -> None:
    """End every session of a person, in every account; raises NotFoundError."""
    require_operator(operator, ConsolePermission.PERSON_SIGN_OUT)
    person = _find_person(identity_id)

    def sign_out(unit: Unit) -> None:
        _end_sessions(unit, person)

    told = (AuditEvent.IDENTITY_SIGNED_OUT, AuditEvent.PERSON_SIGNED_OUT)
    _upon_person(operator, person, sign_out, told, reason, ticket)


def resend_invitation(
    operator: Operator,
    *,
    account_id: UUID,
    invitation_id: UUID,
    reason: str,
    ticket: str | None = None,
) -> None:
    """Send an open invitation again, still from its sender; raises NotFoundError, LinkGoneError, SuspendedError."""
    require_operator(operator, ConsolePermission.INVITATION_RESEND)
    account = _find_account(account_id)
    with enter_account(account_id), database.unit_of_work() as unit:
        actor = operator.acting_in(account_id)
        invitation_services.resend_invitation(actor, invitation_id=invitation_id)
        target = _give_reason(unit, reason)
        record_act(operator, "resend invitation", target, reason, ticket, account)


def revoke_invitation(
    operator: Operator,
    *,
    account_id: UUID,
    invitation_id: UUID,
    reason: str,
    ticket: str | None = None,
) -> None:
    """Take an open invitation back; raises NotFoundError, LinkGoneError, SuspendedError."""
    require_operator(operator, ConsolePermission.INVITATION_REVOKE)
    account = _find_account(account_id)
    with enter_account(account_id), database.unit_of_work() as unit:
        actor = operator.acting_in(account_id)
        invitation_services.revoke_invitation(actor, invitation_id=invitation_id)
        target = _give_reason(unit, reason)
        record_act(operator, "revoke invitation", target, reason, ticket, account)


def write_note(
    operator: Operator, *, account_id: UUID, text: str, user_id: UUID | None = None
) -> None:
    """Write something down about an account or a seat in it; the customer learns that, and not what it says.

    Raises NotFoundError for an account, or a seat, that there is not.
    """
    require_operator(operator, ConsolePermission.NOTE_WRITE)
    account = _find_account(account_id)
    with enter_account(account_id), database.unit_of_work() as unit:
        user_model = (
            unit.session.scalar(select(User).where(User.id == user_id)) if user_id else None
        )
        if user_id is not None and user_model is None:
            raise errors.NotFoundError
        unit.session.add(
            AccountNote(
                user_id=user_id, author_id=operator.id, author_label=operator.label, text=text
            )
        )
        unit.flush()
        target: Any = user_model or _account_target(account)
        record(AuditEvent.NOTE_ADDED, actor=operator.acting_in(account_id), target=target)
        record_act(operator, "write note", target, None, None, account)


def _upon_account(
    operator: Operator,
    account: AnyRow,
    service: Callable[..., Any],
    act: str,
    reason: str,
    ticket: str | None,
) -> None:
    """Let a service change an account, and tell the house; raises AlreadySoError when it found nothing to change."""
    with enter_account(account.id), database.unit_of_work() as unit:
        service(operator.acting_in(account.id), reason=reason)
        if not unit.events:
            raise errors.AlreadySoError  # somebody else was a moment faster
        record_act(operator, act, _account_target(account), reason, ticket, account)


def _upon_person(
    operator: Operator,
    person: AnyRow,
    change: Callable[[Unit], None],
    told: tuple[AuditEvent, AuditEvent],
    reason: str,
    ticket: str | None,
) -> None:
    """Make a change of a person, and tell it: ``told`` the system, and in every account that they sit in.

    A transaction belongs to one account. The change is made in that of the first seat, so whoever sits in one
    account has change and events in one; what further accounts are told is promised in it. Nobody's seat: nowhere.
    """
    of_identity, of_seat = told
    with database.looking_across(
        "console: whom must an act upon a person be told to?"
    ) as connection:
        seats = connection.execute(_SEATS.where(_u.identity_id == person.id)).all()
    first, target = seats[0].id if seats else NOWHERE, _person_target(person)
    with enter_account(first), database.unit_of_work() as unit:
        change(unit)
        record(of_identity, actor=operator.nowhere(), target=target, reason=reason)
        act = of_seat.value.replace("person.", "person ").replace("_", " ")
        record_act(operator, act, target, reason, ticket, seats[0] if seats else None)
        for seat in seats[:1]:
            record(of_seat, **_of_seat(operator, seat, reason))
        for seat in seats[1:]:
            later.promise(unit, seat.id, make(of_seat, **_of_seat(operator, seat, reason)))


def _of_seat(operator: Operator, seat: AnyRow, reason: str) -> dict[str, Any]:
    target = Target("user", str(seat.user_id), clean(seat.username, 254) or "")
    return {"actor": operator.acting_in(seat.id), "target": target, "reason": reason}


def _give_reason(unit: Unit, reason: str) -> Target:
    """Put the reason into the event of a service that knows none, and return what that event is about."""
    envelope = unit.events[-1].envelope
    envelope["reason"] = clean(reason, 1000)
    return Target(envelope["target_type"], envelope["target_id"], envelope["target_label"])


def _set_suspended(unit: Unit, person: AnyRow, when: datetime | None) -> None:
    """Set or clear the suspension; raises AlreadySoError when somebody else was a moment faster."""
    at = _identities.c.suspended_at
    other = at.is_(None) if when else at.is_not(None)
    this = update(_identities).where(_identities.c.id == person.id, other)
    if not unit.execute(this.values(suspended_at=when)).rowcount:
        raise errors.AlreadySoError


def _end_sessions(unit: Unit, person: AnyRow) -> None:
    unit.execute(delete(_sessions).where(_sessions.c.identity_id == person.id))


def _find_account(account_id: UUID) -> AnyRow:
    with database.looking_across("console: which account is acted upon?") as connection:
        row = connection.execute(_ACCOUNT.where(_a.account_id == account_id)).one_or_none()
    if row is None:
        raise errors.NotFoundError
    return row


def _find_person(identity_id: UUID) -> AnyRow:
    with database.looking_across("console: which person is acted upon?") as connection:
        row = connection.execute(_PERSON.where(_identities.c.id == identity_id)).one_or_none()
    if row is None:
        raise errors.NotFoundError
    return row


def _account_target(account: AnyRow) -> Target:
    return Target("account", str(account.id), clean(account.name, 254) or "")


def _person_target(person: AnyRow) -> Target:
    return Target("identity", str(person.id), clean(person.email, 254) or "")
