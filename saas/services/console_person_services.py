"""What the console shows of one person: seats, what each may do and why, sessions, events."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import func, select

from saas import database, errors, paging
from saas.columns import utc_now
from saas.models import (
    Account,
    AccountNote,
    AuditEventRow,
    Identity,
    Role,
    SystemEventRow,
    User,
    UserRole,
    UserSession,
)
from saas.operator import ConsolePermission, Operator, require_operator
from saas.permissions import Permission
from saas.services import console_looks, held_permissions
from saas.unit import AnyRow

PAGE = 25
TABS = ("overview", "sessions", "events", "house", "notes")
_a, _u, _i = Account.__table__.c, User.__table__.c, Identity.__table__.c
_r, _ur, _s = Role.__table__.c, UserRole.__table__.c, UserSession.__table__.c
_n, _e, _sys = AccountNote.__table__.c, AuditEventRow.__table__.c, SystemEventRow.__table__.c
_PERSON = select(_i.id, _i.email, _i.created_at, _i.confirmed_at, _i.suspended_at)
_SEATS = (
    select(
        _a.account_id.label("id"),
        _a.name,
        _a.status.label("account_status"),
        _u.id.label("user_id"),
        _u.username,
        _u.status,
        _u.created_at,
        _u.last_used_at,
        _r.name.label("role_name"),
        _r.id.label("role_id"),
        _r.system_key,
        _r.permissions,
    )
    .join_from(User.__table__, Account.__table__, _a.account_id == _u.account_id)
    .join(
        UserRole.__table__,
        (_ur.account_id == _u.account_id) & (_ur.user_id == _u.id),
        isouter=True,
    )
    .join(Role.__table__, (_r.account_id == _ur.account_id) & (_r.id == _ur.role_id), isouter=True)
    .order_by(_a.account_id, _r.name)
)
_SESSIONS = (
    select(_s.id, _s.created_at, _s.last_seen_at, _s.expires_at, _s.ip, _s.user_agent, _a.name)
    .join_from(UserSession.__table__, Account.__table__, _a.account_id == _s.account_id)
    .order_by(_s.id.desc())
    .limit(100)
)
_NOTES = (
    select(_n.id, _n.text, _n.author_label, _n.created_at, _n.account_id, _n.user_id)
    .order_by(_n.id.desc())
    .limit(100)
)


@dataclass(frozen=True, slots=True)
class Seat:
    """One seat: its account, its roles, and each permission with the names of the roles that give it."""

    id: UUID
    name: str
    account_status: str
    user_id: UUID
    username: str
    status: str
    created_at: Any
    last_used_at: Any
    roles: list[str]
    permissions: list[tuple[Permission, list[str]]]


@dataclass(frozen=True, slots=True)
class PersonPage:
    """One tab of a person."""

    person: AnyRow
    seats: list[Seat]
    rows: list[Any]
    next_cursor: str | None
    open_sessions: int


def read_person(
    operator: Operator, *, identity_id: UUID, tab: str, cursor: str | None = None
) -> PersonPage:
    """Return one tab of a person, and tell every account that they sit in that they were looked at.

    Raises NotFoundError for a person or a tab that there is not, PermissionDeniedError for what the operator may
    not read.
    """
    require_operator(operator, ConsolePermission.PERSON_READ)
    needs = {
        "events": ConsolePermission.AUDIT_READ,
        "house": ConsolePermission.AUDIT_READ,
        "notes": ConsolePermission.NOTE_READ,
    }
    if tab not in TABS:
        raise errors.NotFoundError
    if tab in needs:
        require_operator(operator, needs[tab])
    person, seats, count = _person(identity_id)
    console_looks.look_inside(operator, f"person: {tab}", seats)
    if not seats:
        console_looks.look_across(operator, f"person: {tab}", str(identity_id))
    with database.looking_across("console: one tab of a person") as connection:
        rows, following = _rows(connection, tab, person, seats, cursor)
    return PersonPage(person, seats, rows, following, count)


def find_person(operator: Operator, *, identity_id: UUID) -> tuple[AnyRow, list[Seat]]:
    """Return a person and their seats, for asking before an act; raises NotFoundError."""
    require_operator(operator, ConsolePermission.PERSON_READ)
    person, seats, _ = _person(identity_id)
    return person, seats


def _person(identity_id: UUID) -> tuple[AnyRow, list[Seat], int]:
    open_ones = (
        select(func.count())
        .where(_s.identity_id == identity_id, _s.expires_at > utc_now())
        .scalar_subquery()
    )
    with database.looking_across("console: one person and their seats") as connection:
        person = connection.execute(
            _PERSON.add_columns(open_ones.label("open_sessions")).where(_i.id == identity_id)
        ).one_or_none()
        if person is None:
            raise errors.NotFoundError
        rows = connection.execute(_SEATS.where(_u.identity_id == identity_id)).all()
    return person, _seats(list(rows)), person.open_sessions


def _seats(rows: list[Any]) -> list[Seat]:
    by_seat: dict[UUID, list[Any]] = defaultdict(list)
    for row in rows:
        by_seat[row.user_id].append(row)
    return [_seat(held) for held in by_seat.values()]


def _seat(held: list[Any]) -> Seat:
    one = held[0]
    given = {
        row.role_name: held_permissions.permissions_of_role(row)
        for row in held
        if row.role_id is not None
    }
    explained = [
        (p, [name for name, held_by_role in given.items() if p in held_by_role])
        for p in Permission
        if any(p in held_by_role for held_by_role in given.values())
    ]
    return Seat(
        one.id, one.name, one.account_status, one.user_id, one.username, one.status,
        one.created_at, one.last_used_at, list(given), explained,
    )  # fmt: skip


def _rows(
    connection: Any, tab: str, person: AnyRow, seats: list[Seat], cursor: str | None
) -> tuple[list[Any], str | None]:
    if tab == "sessions":
        live = (_s.identity_id == person.id, _s.expires_at > utc_now())
        return list(connection.execute(_SESSIONS.where(*live)).all()), None
    if tab == "notes":
        about = (
            _n.account_id.in_([s.id for s in seats]),
            _n.user_id.in_([s.user_id for s in seats]),
        )
        return list(connection.execute(_NOTES.where(*about)).all()), None
    if tab == "overview" or (tab == "events" and not seats):
        return [], None
    table, statement = _events_of(tab, person, seats)
    if cursor is not None:
        after = paging.open_cursor(f"person {tab}", person.id, cursor)
        statement = statement.where(table.id < after)
    found = connection.execute(statement.order_by(table.id.desc()).limit(PAGE + 1)).all()
    page = paging.cut(f"person {tab}", person.id, list(found), PAGE)
    return page.items, page.next_cursor


def _events_of(tab: str, person: AnyRow, seats: list[Seat]) -> tuple[Any, Any]:
    """Return events as actor and as target: in the accounts' logs, or ("house") in the system's own."""
    if tab == "house":
        mine = _sys.target_id == str(person.id)
        return _sys, select(SystemEventRow.__table__).where(mine)
    ids = [str(seat.user_id) for seat in seats]
    there = _e.account_id.in_([seat.id for seat in seats])
    acted = _e.actor_id.in_(ids) | _e.on_behalf_of_id.in_(ids)
    return _e, select(AuditEventRow.__table__).where(there, acted | _e.target_id.in_(ids))
