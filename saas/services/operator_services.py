"""Operators: signing in with two factors, their sessions, and who is one. Nothing here touches a customer."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from sqlalchemy import bindparam, delete, func, insert, select, update
from uuid_utils.compat import uuid7

from saas import database, errors
from saas.actor import NOWHERE, Actor
from saas.audit.events import AuditEvent
from saas.audit.record import clean, record
from saas.columns import utc_now
from saas.models import OperatorRow, OperatorSession, RecoveryCode
from saas.operator import OPERATOR_ROLES, ConsolePermission, Operator, require_operator
from saas.security import emails, passwords, tokens
from saas.services import operator_codes, operator_rows
from saas.services.session_services import Client
from saas.system_unit import system_unit_of_work
from saas.unit import AnyRow

LONGEST, IDLE = timedelta(hours=12), timedelta(minutes=30)
SEEN_EVERY = timedelta(minutes=1)
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


def sign_in(*, email: str, password: str, code: str, client: Client) -> Operator:
    """Sign an operator in with a password and a code: of the app, a recovery code, or one to set the app up.

    Every code works once, whoever else tries it at the same instant. Raises CouldNotVerifyLoginError, the same for
    a wrong address, password or code.
    """
    known = operator_rows.find_by_email(emails.email_key(email))
    right = passwords.verify_password(password, known.password_hash if known else None)
    refused = errors.CouldNotVerifyLoginError(_WRONG)
    refused.about = operator_rows.attempted(known, email)
    if known is None or not right:
        raise refused
    token, now = tokens.new_token(), utc_now()
    with system_unit_of_work() as unit:
        how = operator_codes.use_code(unit, known, code)
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
        record(
            AuditEvent.OPERATOR_SIGNED_IN,
            actor=Actor("operator", known.id, known.email, NOWHERE, frozenset()),
            target=operator_rows.target(known.id, known.email),
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
        listed = connection.execute(
            operator_rows.LIST.add_columns(open_ones).order_by(_operators.c.email)
        )
        return list(listed.all())


def sign_out_operator(
    operator: Operator, *, operator_id: UUID, reason: str, ticket: str | None = None
) -> int:
    """End every session of an operator; returns how many there were. Raises NotFoundError."""
    require_operator(operator, ConsolePermission.OPERATOR_SIGN_OUT)
    known = operator_rows.find(operator_id)
    with system_unit_of_work() as unit:
        ended = unit.execute(delete(_sessions).where(_sessions.c.operator_id == known.id)).rowcount
        if ended:
            _record_ended(operator, known.id, known.email, "signed out by an operator")
        target = operator_rows.target(known.id, known.email)
        operator_rows.record_act(operator, "sign out operator", target, reason, ticket)
    return ended


def _record_ended(operator: Operator, operator_id: UUID, email: str, how: str) -> None:
    record(
        AuditEvent.OPERATOR_SIGNED_OUT,
        actor=operator.nowhere(),
        target=operator_rows.target(operator_id, email),
        data={"how": how},
    )
