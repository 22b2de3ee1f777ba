"""Accounts: registering, opening another one, its name, suspending it."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import select
from uuid_utils.compat import uuid7

from saas import database, errors
from saas.actor import Actor
from saas.audit import pruning
from saas.audit.chain import GENESIS
from saas.audit.events import AuditEvent
from saas.audit.record import changed, record
from saas.models import Account, AuditHead, User
from saas.permissions import (
    SYSTEM_ROLES,
    Permission,
    require,
    require_person,
    require_staff,
)
from saas.security import passwords
from saas.services import identity_services, mail_token_services, role_services, session_services
from saas.services.session_services import Client
from saas.unit import Unit
from tenants import enter_account

_MOST_DAYS = 36_500


def register(
    *, username: str, email: str, password: str, account_name: str | None, client: Client
) -> Actor:
    """Make an identity, an account and its owner, all or nothing, and sign them in.

    Raises ValidationFailedError for a weak password and EmailAddressAlreadyExistsError, also when two people
    register one address at the same instant.
    """
    passwords.check_strength(password, username=username, email=email)
    password_hash = passwords.hash_password(password)
    with enter_account(uuid7()), database.unit_of_work() as unit:
        identity_model = identity_services.add_identity(
            unit, email=email, password_hash=password_hash
        )
        owner = open_account(
            unit, identity_model.id, email, name=account_name or username, username=username
        )
        record(AuditEvent.IDENTITY_CREATED, actor=owner, target=identity_model)
        mail_token_services.send_verification(unit, owner, email)
        return session_services.begin_session(
            unit, identity_model.id, _seat(owner), how="register", remember=True, client=client
        )


def create_account(actor: Actor, *, name: str) -> Account:
    """Open another account for the person behind the actor, who becomes its owner."""
    identity_id = require_person(actor)
    with enter_account(uuid7()), database.unit_of_work() as unit:
        open_account(unit, identity_id, actor.email, name=name, username=actor.label)
        return _own(unit)


def read_account(actor: Actor) -> Account:
    """Return the account that is entered."""
    require(actor, Permission.ACCOUNT_READ)
    with database.reading() as unit:
        return _own(unit)


def update_account(actor: Actor, *, name: str) -> Account:
    """Change the account's name."""
    require(actor, Permission.ACCOUNT_UPDATE)
    with database.unit_of_work() as unit:
        account_model = _own(unit, for_change=True)
        account_model.name = name
        changes = changed(account_model, "name")
        if changes:
            record(AuditEvent.ACCOUNT_UPDATED, actor=actor, target=account_model, changes=changes)
    return account_model


def set_audit_retention(actor: Actor, *, days: int | None, reason: str) -> Account:
    """Say for how many days the entered account keeps its audit events (None: for ever); staff only.

    ``flask audit prune`` removes what is older. Raises ValidationFailedError for less than a day.
    """
    require_staff(actor)
    if days is not None and not pruning.LEAST_DAYS <= days <= _MOST_DAYS:
        problem = errors.FieldError("days", f"Must be {pruning.LEAST_DAYS} to {_MOST_DAYS:,} days.")
        raise errors.ValidationFailedError(field_errors=[problem])
    with database.unit_of_work() as unit:
        account_model = _own(unit, for_change=True)
        account_model.audit_retention_days = days
        changes = changed(account_model, "audit_retention_days")
        if changes:
            event = AuditEvent.ACCOUNT_UPDATED
            record(event, actor=actor, target=account_model, changes=changes, reason=reason)
    return account_model


def suspend_account(actor: Actor, *, reason: str) -> Account:
    """Lock everybody out of the entered account at their next request; staff only."""
    return _set_status(actor, "suspended", AuditEvent.ACCOUNT_SUSPENDED, reason)


def restore_account(actor: Actor, *, reason: str) -> Account:
    """Let people back into the entered account; staff only."""
    return _set_status(actor, "active", AuditEvent.ACCOUNT_RESTORED, reason)


def open_account(unit: Unit, identity_id: UUID, email: str, *, name: str, username: str) -> Actor:
    """Make the entered account with its chain, its system roles and its owner; returns the owner as an actor."""
    account_model = Account(account_id=unit.account_id, name=name)
    unit.session.add_all(
        [account_model, AuditHead(account_id=unit.account_id, seq=0, prev=GENESIS, hash=GENESIS)]
    )
    unit.flush()
    role_models = role_services.make_system_roles(unit)
    user_model = User(identity_id=identity_id, username=username)
    unit.session.add(user_model)
    unit.flush()
    role_services.hold(unit, user_model.id, role_models["owner"].id, None)
    owner = Actor(
        "user", user_model.id, username, unit.account_id, SYSTEM_ROLES["owner"],
        account_name=name, identity_id=identity_id, email=email,
    )  # fmt: skip
    record(AuditEvent.ACCOUNT_CREATED, actor=owner, target=account_model)
    record(AuditEvent.USER_CREATED, actor=owner, target=user_model, data={"roles": ["owner"]})
    return owner


def _set_status(actor: Actor, status: str, event: AuditEvent, reason: str) -> Account:
    require_staff(actor)
    with database.unit_of_work() as unit:
        account_model = _own(unit, for_change=True)
        account_model.status = status
        changes = changed(account_model, "status")
        if changes:
            record(event, actor=actor, target=account_model, changes=changes, reason=reason)
    return account_model


def _own(unit: Unit, *, for_change: bool = False) -> Account:
    statement = select(Account).with_for_update(key_share=True) if for_change else select(Account)
    account_model: Account | None = unit.session.scalar(statement)
    if account_model is None:
        raise errors.NotFoundError
    return account_model


def _seat(actor: Actor) -> UUID:
    if actor.id is None:
        raise errors.NoSeatError
    return actor.id
