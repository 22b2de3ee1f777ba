"""Codes that let an operator in, each used up in the transaction of the sign-in."""

from __future__ import annotations

from uuid import UUID

import structlog
from sqlalchemy import delete, insert, update
from uuid_utils.compat import uuid7

from saas.columns import utc_now
from saas.models import OperatorRow, RecoveryCode
from saas.security import second_factor, tokens
from saas.unit import AnyRow, Unit

_log = structlog.get_logger(__name__)
_operators, _codes = OperatorRow.__table__, RecoveryCode.__table__


def use_code(unit: Unit, known: AnyRow, unsafe_code: str) -> str | None:
    """Use a code up and say what kind it was, or None; while a set-up waits, nothing but its code counts."""
    code = unsafe_code.strip()
    if known.setup_hash is not None:
        return _use_setup_code(unit, known, code)
    if use_app_code(unit, known, code.replace(" ", "")) is not None:
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


def use_app_code(unit: Unit, known: AnyRow, code: str) -> int | None:
    """Use up a code of the app: the condition on the step lets only one of several at once have it.

    No code is right where the pepper of the secret is gone: logged as an error, since it locks an operator out.
    """
    try:
        secret = second_factor.secret_of(known.totp_seed, known.totp_key)
    except KeyError:
        _log.error("pepper of a second factor is gone", operator=str(known.id), key=known.totp_key)
        return None
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


def store_codes(unit: Unit, operator_id: UUID, codes: list[str]) -> None:
    """Put new recovery codes in the place of the old ones."""
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
