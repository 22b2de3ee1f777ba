"""Operators: signing in with two factors, their sessions, and who is one. Nothing here touches a customer."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError
from uuid_utils.compat import uuid7

from saas import database, errors
from saas.actor import NOWHERE, Actor
from saas.audit.events import AuditEvent
from saas.audit.record import Target, clean, record
from saas.columns import utc_now
from saas.models import OperatorRow, OperatorSession, RecoveryCode
from saas.operator import OPERATOR_ROLES, ConsolePermission, Operator, require_operator
from saas.security import emails, passwords, second_factor, tokens
from saas.services.session_services import Client
from saas.system_unit import system_unit_of_work
from saas.unit import AnyRow, Unit

LONGEST, IDLE = timedelta(hours=12), timedelta(minutes=30)
SEEN_EVERY = timedelta(minutes=1)
SETUP_LASTS = timedelta(hours=24)
_WRONG = "The address, the password or the code is not right. A code works once: wait for the next."
_operators, _sessions, _codes = (
    OperatorRow.__table__,
    OperatorSession.__table__,
    RecoveryCode.__table__,
)
_CALLER = (
    select(
        _operators.c.id,
        _operators.c.email,
        _operators.c.role,
        _sessions.c.id.label("session_id"),
        _sessions.c.stage,
        _sessions.c.expires_at,
        _sessions.c.last_seen_at,
    )
    .join_from(_sessions, _operators, _operators.c.id == _sessions.c.operator_id)
    .where(
        _sessions.c.token_hash == bindparam("token_hash"),
        _sessions.c.expires_at > bindparam("now"),
        _sessions.c.last_seen_at > bindparam("awake"),
    )
)
_SIGN_IN = select(
    _operators.c.id, _operators.c.email, _operators.c.role, _operators.c.password_hash,
    _operators.c.totp_seed, _operators.c.totp_key, _operators.c.totp_step,
    _operators.c.setup_hash, _operators.c.setup_expires_at,
)  # fmt: skip
_LIST = select(
    _operators.c.id, _operators.c.email, _operators.c.role, _operators.c.created_at,
    _operators.c.last_sign_in_at, _operators.c.setup_expires_at,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class NewOperator:
    """An operator who was just made; password, secret and codes are shown once."""

    id: UUID
    email: str
    password: str = field(repr=False)
    totp_secret: str = field(repr=False)
    recovery_codes: list[str] = field(repr=False)


def sign_in(*, email: str, password: str, code: str, client: Client) -> Operator:
    """Sign an operator in with a password and a code: of the app, a recovery code, or one to set the app up.

    Every code works once, whoever else tries it at the same instant. Raises CouldNotVerifyLoginError, the same for
    a wrong address, password or code.
    """
    known = _find_by_email(emails.email_key(email))
    right = passwords.verify_password(password, known.password_hash if known else None)
    refused = errors.CouldNotVerifyLoginError(_WRONG)
    refused.about = _attempted(known, email)
    if known is None or not right:
        raise refused
    token, now = tokens.new_token(), utc_now()
    with system_unit_of_work() as unit:
        how = _use_code(unit, known, code)
        if how is None:
            raise refused
        row = {
            "id": uuid7(), "created_at": now, "token_hash": tokens.token_hash(token), "operator_id": known.id,
            "stage": "setup" if how == "setup code" else "full", "last_seen_at": now,
            "expires_at": now + LONGEST, "ip": clean(client.ip, 45) or "",
            "user_agent": clean(client.user_agent, 256) or "",
        }  # fmt: skip
        unit.execute(insert(_sessions), [row])
        unit.execute(
            update(_operators).where(_operators.c.id == known.id).values(last_sign_in_at=now)
        )
        actor = _actor(known.id, known.email)
        record(
            AuditEvent.OPERATOR_SIGNED_IN,
            actor=actor,
            target=_target(known.id, known.email),
            data={"how": how},
        )
    return Operator(
        known.id, known.email, known.role, OPERATOR_ROLES.get(known.role, frozenset()), row["id"],
        row["stage"], row["expires_at"], now, token,
    )  # fmt: skip


def find_operator(token: str) -> Operator | None:
    """Return who holds a session token, or None: unknown, older than 12 hours, or unused for 30 minutes."""
    now = utc_now()
    parameters = {"token_hash": tokens.token_hash(token), "now": now, "awake": now - IDLE}
    with database.looking_across("console: which operator calls?") as connection:
        row = connection.execute(_CALLER, parameters).one_or_none()
    if row is None:
        return None
    return Operator(
        row.id, row.email, row.role, OPERATOR_ROLES.get(row.role, frozenset()), row.session_id,
        row.stage, row.expires_at, row.last_seen_at, token,
    )  # fmt: skip


def touch_session(operator: Operator) -> None:
    """Note that an operator's session was used now; its caller asks at most once in SEEN_EVERY."""
    with system_unit_of_work() as unit:
        unit.execute(
            update(_sessions)
            .where(_sessions.c.id == operator.session_id)
            .values(last_seen_at=utc_now())
        )


def sign_out(operator: Operator) -> None:
    """End the operator's own session."""
    with system_unit_of_work() as unit:
        ended = unit.execute(delete(_sessions).where(_sessions.c.id == operator.session_id))
        if ended.rowcount:
            _record_ended(operator, operator.id, operator.label, "sign-out")


def begin_setup(operator: Operator) -> str:
    """Return the secret that an operator is to put into their app: the one of the seed that waits for it."""
    if operator.stage != "setup":
        raise errors.PermissionDeniedError("Your second factor is set up already.")
    known = _find(operator.id)
    return second_factor.secret_of(known.totp_seed, known.totp_key)


def finish_setup(operator: Operator, *, code: str) -> list[str]:
    """Take the first code of the new app: the second factor counts from now on. Returns ten new recovery codes.

    Raises ValidationFailedError on ``code``, PermissionDeniedError for one who has nothing to set up.
    """
    secret = begin_setup(operator)
    codes = second_factor.new_recovery_codes()
    with system_unit_of_work() as unit:
        step = second_factor.matching_step(secret, code.strip(), utc_now(), 0)
        if step is None:
            problem = errors.FieldError(
                "code", "This is not the code of the new app. Try the next."
            )
            raise errors.ValidationFailedError(field_errors=[problem])
        values = {"totp_step": step, "setup_hash": None, "setup_expires_at": None}
        unit.execute(update(_operators).where(_operators.c.id == operator.id).values(**values))
        unit.execute(
            update(_sessions).where(_sessions.c.id == operator.session_id).values(stage="full")
        )
        _store_codes(unit, operator.id, codes)
        record(
            AuditEvent.OPERATOR_FACTOR_SET,
            actor=operator.nowhere(),
            target=_target(operator.id, operator.label),
        )
    return codes


def renew_recovery_codes(operator: Operator, *, code: str) -> list[str]:
    """Make ten new recovery codes for the operator themselves; the old ones end. Asks a code of the app.

    Raises ValidationFailedError on ``code``, PermissionDeniedError before the second factor is set up.
    """
    if operator.stage != "full":
        raise errors.PermissionDeniedError("Set up your second factor first.")
    known, codes = _find(operator.id), second_factor.new_recovery_codes()
    with system_unit_of_work() as unit:
        if _use_app_code(unit, known, code.strip()) is None:
            problem = errors.FieldError("code", "This is not the present code of your app.")
            raise errors.ValidationFailedError(field_errors=[problem])
        _store_codes(unit, operator.id, codes)
        record(
            AuditEvent.OPERATOR_CODES_RENEWED,
            actor=operator.nowhere(),
            target=_target(operator.id, operator.label),
        )
    return codes


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
        _store_codes(unit, operator_id, codes)
        record(
            AuditEvent.OPERATOR_ADDED,
            actor=Actor("system", None, "flask operators add", NOWHERE, frozenset()),
            target=_target(operator_id, email),
            data={"role": role},
        )
    secret = second_factor.secret_of(seed, pepper)
    return NewOperator(operator_id, email, made_password, secret, codes)


def remove_operator(*, email: str) -> None:
    """Remove an operator and their sessions; for the command line alone. Raises NotFoundError."""
    known = _find_by_email(emails.email_key(email))
    if known is None:
        raise errors.NotFoundError(f"There is no operator {email}.")
    with system_unit_of_work() as unit:
        unit.execute(delete(_sessions).where(_sessions.c.operator_id == known.id))
        unit.execute(delete(_codes).where(_codes.c.operator_id == known.id))
        unit.execute(delete(_operators).where(_operators.c.id == known.id))
        record(
            AuditEvent.OPERATOR_REMOVED,
            actor=Actor("system", None, "flask operators remove", NOWHERE, frozenset()),
            target=_target(known.id, known.email),
        )


def everybody() -> list[AnyRow]:
    """Return every operator, for the command line: id, address, role, last sign-in."""
    with database.looking_across("command line: list the operators") as connection:
        return list(connection.execute(_LIST.order_by(_operators.c.email)).all())


def present_code(*, email: str) -> str:
    """Return an operator's present code, for a command that only development has; raises NotFoundError."""
    known = _find_by_email(emails.email_key(email))
    if known is None:
        raise errors.NotFoundError(f"There is no operator {email}.")
    secret = second_factor.secret_of(known.totp_seed, known.totp_key)
    return second_factor.code_at(secret, utc_now())


def list_operators(operator: Operator) -> list[AnyRow]:
    """Return every operator with the number of their open sessions, by address."""
    require_operator(operator, ConsolePermission.OPERATOR_READ)
    now = utc_now()
    open_ones = (
        select(func.count())
        .where(
            _sessions.c.operator_id == _operators.c.id,
            _sessions.c.expires_at > now,
            _sessions.c.last_seen_at > now - IDLE,
        )
        .scalar_subquery()
        .label("open_sessions")
    )
    with database.looking_across("console: the list of operators") as connection:
        listed = connection.execute(_LIST.add_columns(open_ones).order_by(_operators.c.email))
        return list(listed.all())


def reset_second_factor(
    operator: Operator, *, operator_id: UUID, reason: str, ticket: str | None = None
) -> str:
    """Take another operator's second factor away and sign them out; returns a code for setting it up anew.

    The code works once, within a day, beside their password. Raises NotFoundError, PermissionDeniedError for oneself.
    """
    require_operator(operator, ConsolePermission.OPERATOR_RESET)
    known = _find(operator_id)
    if known.id == operator.id:
        raise errors.PermissionDeniedError("Another administrator must reset your second factor.")
    code, (seed, pepper) = secrets.token_urlsafe(15), second_factor.new_seed()
    with system_unit_of_work() as unit:
        values = {
            "totp_seed": seed, "totp_key": pepper, "totp_step": 0,
            "setup_hash": tokens.token_hash(code), "setup_expires_at": utc_now() + SETUP_LASTS,
        }  # fmt: skip
        unit.execute(update(_operators).where(_operators.c.id == known.id).values(**values))
        unit.execute(delete(_codes).where(_codes.c.operator_id == known.id))
        unit.execute(delete(_sessions).where(_sessions.c.operator_id == known.id))
        record(
            AuditEvent.OPERATOR_FACTOR_RESET,
            actor=operator.nowhere(),
            target=_target(known.id, known.email),
            reason=reason,
        )
        record_act(operator, "reset second factor", _target(known.id, known.email), reason, ticket)
    return code


def sign_out_operator(
    operator: Operator, *, operator_id: UUID, reason: str, ticket: str | None = None
) -> int:
    """End every session of an operator; returns how many there were. Raises NotFoundError."""
    require_operator(operator, ConsolePermission.OPERATOR_SIGN_OUT)
    known = _find(operator_id)
    with system_unit_of_work() as unit:
        ended = unit.execute(delete(_sessions).where(_sessions.c.operator_id == known.id)).rowcount
        if ended:
            _record_ended(operator, known.id, known.email, "signed out by an operator")
        record_act(operator, "sign out operator", _target(known.id, known.email), reason, ticket)
    return ended


def record_act(
    operator: Operator,
    act: str,
    target: Any,
    reason: str | None,
    ticket: str | None,
    account: AnyRow | None = None,
) -> None:
    """Record what an operator did in the house's own log, inside the unit of work that does it."""
    data = {
        "act": act,
        "account_id": str(account.id) if account is not None else None,
        "account_name": account.name if account is not None else None,
        "ticket": ticket,
    }
    record(
        AuditEvent.CONSOLE_ACTED,
        actor=operator.nowhere(),
        target=target,
        reason=reason,
        data=data,
    )


def _use_code(unit: Unit, known: AnyRow, unsafe_code: str) -> str | None:
    """Use a code up and say what kind it was, or None; while a set-up waits, nothing but its code counts."""
    code = unsafe_code.strip()
    if known.setup_hash is not None:
        return _use_setup_code(unit, known, code)
    if _use_app_code(unit, known, code.replace(" ", "")) is not None:
        return "code of the app"
    used = unit.execute(
        update(_codes)
        .where(
            _codes.c.operator_id == known.id,
            _codes.c.code_hash == second_factor.recovery_hash(code),
            _codes.c.used_at.is_(None),
        )
        .values(used_at=utc_now())
    )
    return "recovery code" if used.rowcount else None


def _use_app_code(unit: Unit, known: AnyRow, code: str) -> int | None:
    """Use up a code of the app: the condition on the step lets only one of several at once have it."""
    secret = second_factor.secret_of(known.totp_seed, known.totp_key)
    step = second_factor.matching_step(secret, code, utc_now(), known.totp_step)
    if step is None:
        return None
    moved = unit.execute(
        update(_operators)
        .where(_operators.c.id == known.id, _operators.c.totp_step < step)
        .values(totp_step=step)
    )
    return step if moved.rowcount else None


def _use_setup_code(unit: Unit, known: AnyRow, code: str) -> str | None:
    """Use up a set-up code: it is replaced by one that nobody knows until the new app has proven itself."""
    if known.setup_hash != tokens.token_hash(code) or known.setup_expires_at <= utc_now():
        return None
    nobody_knows = tokens.token_hash(tokens.new_token())
    used = unit.execute(
        update(_operators)
        .where(_operators.c.id == known.id, _operators.c.setup_hash == known.setup_hash)
        .values(setup_hash=nobody_knows)
    )
    return "setup code" if used.rowcount else None


def _store_codes(unit: Unit, operator_id: UUID, codes: list[str]) -> None:
    unit.execute(delete(_codes).where(_codes.c.operator_id == operator_id))
    now = utc_now()
    rows = [
        {
            "id": uuid7(), "created_at": now, "operator_id": operator_id,
            "code_hash": second_factor.recovery_hash(code),
        }
        for code in codes
    ]  # fmt: skip
    unit.execute(insert(_codes), rows)


def _record_ended(operator: Operator, operator_id: UUID, email: str, how: str) -> None:
    record(
        AuditEvent.OPERATOR_SIGNED_OUT,
        actor=operator.nowhere(),
        target=_target(operator_id, email),
        data={"how": how},
    )


def _find_by_email(key: str) -> AnyRow | None:
    with database.looking_across("console sign-in: which operator has this address?") as connection:
        return connection.execute(_SIGN_IN.where(_operators.c.email_key == key)).one_or_none()


def _find(operator_id: UUID) -> AnyRow:
    with database.looking_across("console: one operator, by id") as connection:
        row = connection.execute(_SIGN_IN.where(_operators.c.id == operator_id)).one_or_none()
    if row is None:
        raise errors.NotFoundError
    return row


def _check_role(role: str) -> None:
    if role not in OPERATOR_ROLES:
        problem = errors.FieldError("role", f"Must be one of: {', '.join(OPERATOR_ROLES)}.")
        raise errors.ValidationFailedError(field_errors=[problem])


def _attempted(known: AnyRow | None, email: str) -> Target:
    """Say for the log who was to be signed in; of an address that no operator has, what tells it from others."""
    if known is not None:
        return _target(known.id, known.email)
    return Target("address", tokens.token_hash(emails.email_key(email))[:32], "no operator's")


def _actor(operator_id: UUID, email: str) -> Actor:
    return Actor("operator", operator_id, email, NOWHERE, frozenset())


def _target(operator_id: UUID, email: str) -> Target:
    return Target("operator", str(operator_id), clean(email, 254) or "")
