"""What the console's home tells: four figures over 30 days, and what needs a look."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import String, cast, exists, func, literal_column, select, union_all

from saas import database
from saas.columns import utc_now
from saas.models import (
    Account,
    AuditEventRow,
    Identity,
    OutboxItem,
    Role,
    SystemEventRow,
    User,
    UserRole,
    UserSession,
)
from saas.operator import ConsolePermission, Operator, require_operator
from saas.services import console_looks

DAYS = 30
_a, _u, _i, _s = (
    Account.__table__.c,
    User.__table__.c,
    Identity.__table__.c,
    UserSession.__table__.c,
)
_r, _ur = Role.__table__.c, UserRole.__table__.c
_e, _sys, _o = AuditEventRow.__table__.c, SystemEventRow.__table__.c, OutboxItem.__table__.c
_TITLES = {
    "accounts": "New accounts",
    "people": "New people",
    "sessions": "Open sessions begun",
    "refusals": "Refused in accounts",
}


@dataclass(frozen=True, slots=True)
class Figure:
    """One number over 30 days, the 30 before, and the line: one value a day, the oldest first."""

    key: str
    title: str
    number: int
    before: int
    line: list[int]
    first_day: date


@dataclass(frozen=True, slots=True)
class Need:
    """Something that needs a look: how many, in words, and where."""

    key: str
    number: int


def figures(operator: Operator) -> list[Figure]:
    """Return the four figures, in UTC days: one statement."""
    require_operator(operator, ConsolePermission.ACCOUNT_READ)
    today = utc_now().date()
    start = datetime.combine(today, datetime.min.time(), utc_now().tzinfo)
    since = start - timedelta(days=2 * DAYS - 1)
    first = console_looks.first_id_at(since)
    parts = [
        _by_day("accounts", _a.created_at, _a.account_id >= first),
        _by_day("people", _i.created_at, _i.id >= first),
        _by_day("sessions", _s.created_at, _s.id >= first, _s.expires_at > utc_now()),
        _by_day("refusals", _e.time, _e.outcome != "success", _e.id >= first),
    ]
    with database.looking_across("console: figures of the home page") as connection:
        rows = connection.execute(union_all(*parts)).all()
    counted: dict[tuple[str, str], int] = {(row.kind, str(row.day)): row.number for row in rows}
    return [_figure(key, today, counted) for key in _TITLES]


def needs(operator: Operator) -> list[Need]:
    """Return what needs a look, only what there is: one statement."""
    require_operator(operator, ConsolePermission.ACCOUNT_READ)
    hour_ago = console_looks.first_id_at(utc_now() - timedelta(hours=1))
    owned = (
        exists()
        .where(
            _ur.account_id == _a.account_id,
            _r.account_id == _ur.account_id,
            _r.id == _ur.role_id,
            _r.system_key == "owner",
            _u.account_id == _ur.account_id,
            _u.id == _ur.user_id,
            _u.status == "active",
        )
        .correlate(Account.__table__)
    )
    failed = (_sys.action == "sign_in.failed", _sys.id >= hour_ago)
    waiting = (_o.done_at.is_(None), _o.given_up_at.is_(None))
    late = _o.not_before < utc_now() - timedelta(minutes=10)
    parts = [
        _number("suspended accounts", _a.account_id, _a.status == "suspended"),
        _number("suspended people", _i.id, _i.suspended_at.is_not(None)),
        _number("accounts without an owner", _a.account_id, _a.status == "active", ~owned),
        _number("failed sign-ins in the last hour", _sys.id, *failed),
        _number("mails and jobs that are late", _o.id, *waiting, late),
        _number("mails and jobs given up", _o.id, _o.given_up_at.is_not(None)),
    ]
    with database.looking_across("console: what needs a look") as connection:
        rows = connection.execute(union_all(*parts)).all()
    return [Need(row.kind, row.number) for row in rows if row.number]


def _by_day(kind: str, when: Any, *where: Any) -> Any:
    day = cast(func.date(when), String(10))
    return (
        select(
            literal_column(f"'{kind}'", String).label("kind"),
            day.label("day"),
            func.count().label("number"),
        )
        .where(*where)
        .group_by(day)
    )


def _number(kind: str, column: Any, *where: Any) -> Any:
    return select(
        literal_column(f"'{kind}'", String).label("kind"), func.count(column).label("number")
    ).where(*where)


def _figure(key: str, today: date, counted: dict[tuple[str, str], int]) -> Figure:
    days = [today - timedelta(days=back) for back in range(2 * DAYS - 1, -1, -1)]
    line = [counted.get((key, day.isoformat()), 0) for day in days]
    return Figure(key, _TITLES[key], sum(line[DAYS:]), sum(line[:DAYS]), line[DAYS:], days[DAYS])
