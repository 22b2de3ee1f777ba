"""An operator's second factor: setting it up, new recovery codes, and its reset by another operator."""

from __future__ import annotations

import secrets
from datetime import timedelta
from uuid import UUID

from sqlalchemy import delete, update

from saas import errors
from saas.audit.events import AuditEvent
from saas.audit.record import record
from saas.columns import utc_now
from saas.models import OperatorRow, OperatorSession, RecoveryCode
from saas.operator import ConsolePermission, Operator, require_operator
from saas.security import second_factor, tokens
from saas.services import operator_codes, operator_rows
from saas.system_unit import system_unit_of_work

SETUP_LASTS = timedelta(hours=24)
_operators, _sessions, _codes = (
    OperatorRow.__table__,
    OperatorSession.__table__,
    RecoveryCode.__table__,
)


def begin_setup(operator: Operator) -> str:
    """Return the secret that an operator is to put into their app: the one of the seed that waits for it."""
    if operator.stage != "setup":
        raise errors.PermissionDeniedError("Your second factor is set up already.")
    known = operator_rows.find(operator.id)
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
        operator_codes.store_codes(unit, operator.id, codes)
        record(
            AuditEvent.OPERATOR_FACTOR_SET,
            actor=operator.nowhere(),
            target=operator_rows.target(operator.id, operator.label),
        )
    return codes


def renew_recovery_codes(operator: Operator, *, code: str) -> list[str]:
    """Make ten new recovery codes for the operator themselves; the old ones end. Asks a code of the app.

    Raises ValidationFailedError on ``code``, PermissionDeniedError before the second factor is set up.
    """
    if operator.stage != "full":
        raise errors.PermissionDeniedError("Set up your second factor first.")
    known, codes = operator_rows.find(operator.id), second_factor.new_recovery_codes()
    with system_unit_of_work() as unit:
        if operator_codes.use_app_code(unit, known, code.strip()) is None:
            problem = errors.FieldError("code", "This is not the present code of your app.")
            raise errors.ValidationFailedError(field_errors=[problem])
        operator_codes.store_codes(unit, operator.id, codes)
        record(
            AuditEvent.OPERATOR_CODES_RENEWED,
            actor=operator.nowhere(),
            target=operator_rows.target(operator.id, operator.label),
        )
    return codes


def reset_second_factor(
    operator: Operator, *, operator_id: UUID, reason: str, ticket: str | None = None
) -> str:
    """Take another operator's second factor away and sign them out; returns a code for setting it up anew.

    The code works once, within a day, beside their password. Raises NotFoundError, PermissionDeniedError for oneself.
    """
    require_operator(operator, ConsolePermission.OPERATOR_RESET)
    known = operator_rows.find(operator_id)
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
            target=operator_rows.target(known.id, known.email),
            reason=reason,
        )
        target = operator_rows.target(known.id, known.email)
        operator_rows.record_act(operator, "reset second factor", target, reason, ticket)
    return code
