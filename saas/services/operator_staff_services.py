"""Who is an operator: for the command line alone, where whoever types owns the house."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import delete, insert
from sqlalchemy.exc import IntegrityError
from uuid_utils.compat import uuid7

from saas import database, errors
from saas.actor import NOWHERE, Actor
from saas.audit.events import AuditEvent
from saas.audit.record import record
from saas.columns import utc_now
from saas.models import OperatorRow, OperatorSession, RecoveryCode
from saas.operator import OPERATOR_ROLES
from saas.security import emails, passwords, second_factor
from saas.services import operator_codes, operator_rows
from saas.system_unit import system_unit_of_work
from saas.unit import AnyRow

_operators, _sessions, _codes = (
    OperatorRow.__table__,
    OperatorSession.__table__,
    RecoveryCode.__table__,
)


@dataclass(frozen=True, slots=True)
class NewOperator:
    """An operator who was just made; password, secret and codes are shown once."""

    id: UUID
    email: str
    password: str = field(repr=False)
    totp_secret: str = field(repr=False)
    recovery_codes: list[str] = field(repr=False)


def add_operator(*, email: str, role: str, password: str | None = None) -> NewOperator:
    """Make an operator with a random password and a second factor; for the command line alone.

    Raises EmailAddressAlreadyExistsError, ValidationFailedError for a role that there is not.
    """
    _check_role(role)
    key, made_password = emails.email_key(email), password or secrets.token_urlsafe(15)
    (seed, pepper), codes = second_factor.new_seed(), second_factor.new_recovery_codes()
    operator_id = uuid7()
    row = {
        "id": operator_id, "created_at": utc_now(), "email": email, "email_key": key, "role": role,
        "password_hash": passwords.hash_password(made_password), "totp_seed": seed,
        "totp_key": pepper, "totp_step": 0,
    }  # fmt: skip
    with system_unit_of_work() as unit:
        try:
            unit.execute(insert(_operators), [row])
        except IntegrityError as error:
            raise errors.EmailAddressAlreadyExistsError from error
        operator_codes.store_codes(unit, operator_id, codes)
        record(
            AuditEvent.OPERATOR_ADDED,
            actor=Actor("system", None, "flask operators add", NOWHERE, frozenset()),
            target=operator_rows.target(operator_id, email),
            data={"role": role},
        )
    secret = second_factor.secret_of(seed, pepper)
    return NewOperator(operator_id, email, made_password, secret, codes)


def remove_operator(*, email: str) -> None:
    """Remove an operator and their sessions; for the command line alone. Raises NotFoundError."""
    known = operator_rows.find_by_email(emails.email_key(email))
    if known is None:
        raise errors.NotFoundError(f"There is no operator {email}.")
    with system_unit_of_work() as unit:
        unit.execute(delete(_sessions).where(_sessions.c.operator_id == known.id))
        unit.execute(delete(_codes).where(_codes.c.operator_id == known.id))
        unit.execute(delete(_operators).where(_operators.c.id == known.id))
        record(
            AuditEvent.OPERATOR_REMOVED,
            actor=Actor("system", None, "flask operators remove", NOWHERE, frozenset()),
            target=operator_rows.target(known.id, known.email),
        )


def everybody() -> list[AnyRow]:
    """Return every operator, for the command line: id, address, role, last sign-in."""
    with database.looking_across("command line: list the operators") as connection:
        return list(connection.execute(operator_rows.LIST.order_by(_operators.c.email)).all())


def present_code(*, email: str) -> str:
    """Return an operator's present code, for a command that only development has; raises NotFoundError."""
    known = operator_rows.find_by_email(emails.email_key(email))
    if known is None:
        raise errors.NotFoundError(f"There is no operator {email}.")
    secret = second_factor.secret_of(known.totp_seed, known.totp_key)
    return second_factor.code_at(secret, utc_now())


def _check_role(role: str) -> None:
    if role not in OPERATOR_ROLES:
        problem = errors.FieldError("role", f"Must be one of: {', '.join(OPERATOR_ROLES)}.")
        raise errors.ValidationFailedError(field_errors=[problem])
