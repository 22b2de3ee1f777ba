"""Ownership moves by offer and acceptance; closing an account locks everybody out and deletes nothing yet."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from sqlalchemy import bindparam, delete, select

from saas import database, errors
from saas.actor import Actor
from saas.audit.events import AuditEvent
from saas.audit.record import Target, changed, record
from saas.columns import utc_now
from saas.mail import messages
from saas.models import Account, Identity, OwnershipOffer, Role, User, UserRole
from saas.permissions import (
    SYSTEM_ROLES,
    Permission,
    require,
    require_not_above,
    require_person,
)
from saas.services import guards, identity_services, role_services
from saas.unit import AnyRow, Unit

LASTS = timedelta(days=7)
_IDENTITY_EMAIL = select(Identity.__table__.c.email)
_offers = OwnershipOffer.__table__.c
_from, _to = User.__table__.alias("offering"), User.__table__.alias("offered")
_OPEN_OFFERS = (
    select(
        _offers.id,
        _offers.expires_at,
        _offers.to_user_id,
        _from.c.username.label("from_name"),
        _to.c.username.label("to_name"),
    )
    .join_from(
        OwnershipOffer.__table__,
        _from,
        (_from.c.account_id == _offers.account_id) & (_from.c.id == _offers.from_user_id),
    )
    .join(_to, (_to.c.account_id == _offers.account_id) & (_to.c.id == _offers.to_user_id))
    .where(
        _offers.account_id == bindparam("account_id"),
        _offers.accepted_at.is_(None),
        _offers.revoked_at.is_(None),
        _offers.expires_at > bindparam("now"),
        (_offers.to_user_id == bindparam("seat_id"))
        | (_offers.from_user_id == bindparam("seat_id")),
    )
    .order_by(_offers.id.desc())
)


def offer_ownership(actor: Actor, *, user_id: UUID) -> OwnershipOffer:
    """Offer the account to another active member; nothing moves until they accept.

    Raises NotFoundError, and PermissionDeniedError for an offer to oneself, or by somebody who does not hold all
    that an owner holds: nobody gives what they do not hold.
    """
    require(actor, Permission.ACCOUNT_TRANSFER)
    require_person(actor)
    with database.unit_of_work() as unit:
        now = guards.lock_account(unit, actor, Permission.ACCOUNT_TRANSFER)
        require_not_above(now, SYSTEM_ROLES["owner"])
        user_model = _find_member(unit, user_id)
        if user_model.id == actor.id:
            raise errors.PermissionDeniedError("You own the account already.")
        offer_model = OwnershipOffer(
            from_user_id=actor.id, to_user_id=user_id, expires_at=utc_now() + LASTS
        )
        unit.session.add(offer_model)
        unit.flush()
        record(
            AuditEvent.OWNERSHIP_OFFERED,
            actor=actor,
            target=_target(offer_model, user_model),
            also=[user_model],
        )
        email = unit.execute(
            _IDENTITY_EMAIL.where(Identity.__table__.c.id == user_model.identity_id)
        ).scalar_one()
        messages.send(
            unit,
            "ownership",
            email,
            until=offer_model.expires_at,
            username=user_model.username,
            owner=actor.label,
            account=actor.account_name,
        )
    return offer_model


def list_offers(actor: Actor) -> list[AnyRow]:
    """Return the open offers of the account that the actor has made or been made, newest first."""
    require_person(actor)
    parameters = {"account_id": actor.account_id, "seat_id": actor.id, "now": utc_now()}
    with database.reading() as unit:
        return unit.rows(_OPEN_OFFERS, parameters)


def accept_ownership(actor: Actor, *, offer_id: UUID) -> None:
    """Become the owner that an offer names; whoever offered becomes an admin.

    Raises NotFoundError for somebody else's offer, LinkGoneError for one that is used, expired, or no longer the
    offerer's to make.
    """
    require_person(actor)
    with database.unit_of_work() as unit:
        guards.lock_account(unit, actor, None)
        offer_model = unit.session.scalar(
            select(OwnershipOffer).where(OwnershipOffer.id == offer_id)
        )
        if offer_model is None or offer_model.to_user_id != actor.id:
            raise errors.NotFoundError
        _refuse_gone(unit, offer_model)
        owner, admin = _system_role(unit, "owner"), _system_role(unit, "admin")
        _swap(unit, offer_model.from_user_id, owner, admin)
        _give(unit, offer_model.to_user_id, owner)
        offer_model.accepted_at = utc_now()
        guards.keep_an_owner(unit)
        guards.roles_changed(unit)
        receiver = _find_member(unit, offer_model.to_user_id)
        record(
            AuditEvent.OWNERSHIP_ACCEPTED,
            actor=actor,
            target=_target(offer_model, receiver),
            also=[receiver],
        )


def close_account(actor: Actor, *, password: str) -> None:
    """Close the account: everybody is locked out at their next request; nothing is deleted yet.

    Raises WrongPasswordError (field ``password``).
    """
    require(actor, Permission.ACCOUNT_CLOSE)
    require_person(actor)
    identity_services.confirm_password(actor, password, "password")
    with database.unit_of_work() as unit:
        guards.lock_account(unit, actor, Permission.ACCOUNT_CLOSE)
        account_model: Account = unit.session.scalars(select(Account)).one()
        account_model.status = "closing"
        changes = changed(account_model, "status")
        unit.flush()
        record(AuditEvent.ACCOUNT_CLOSED, actor=actor, target=account_model, changes=changes)


def _refuse_gone(unit: Unit, offer_model: OwnershipOffer) -> None:
    if offer_model.accepted_at is not None:
        raise errors.LinkGoneError("This offer was accepted already.")
    if offer_model.revoked_at is not None or offer_model.expires_at <= utc_now():
        raise errors.LinkGoneError("This offer has expired. Ask for a new one.")
    if not SYSTEM_ROLES["owner"] <= guards.permissions_of_user(unit, offer_model.from_user_id):
        raise errors.LinkGoneError("Whoever offered the account may no longer do that.")


def _swap(unit: Unit, user_id: UUID, old: Role, new: Role) -> None:
    unit.session.execute(
        delete(UserRole).where(UserRole.user_id == user_id, UserRole.role_id == old.id)
    )
    _give(unit, user_id, new)


def _give(unit: Unit, user_id: UUID, role_model: Role) -> None:
    held = select(UserRole.role_id).where(
        UserRole.user_id == user_id, UserRole.role_id == role_model.id
    )
    if unit.session.scalar(held) is None:
        role_services.hold(unit, user_id, role_model.id, None)


def _find_member(unit: Unit, user_id: UUID) -> User:
    user_model = unit.session.scalar(select(User).where(User.id == user_id))
    if user_model is None or user_model.status != "active":
        raise errors.NotFoundError
    return user_model


def _system_role(unit: Unit, key: str) -> Role:
    role_model: Role = unit.session.scalars(select(Role).where(Role.system_key == key)).one()
    return role_model


def _target(offer_model: OwnershipOffer, receiver: User) -> Target:
    return Target("ownership_offer", str(offer_model.id), receiver.username)
