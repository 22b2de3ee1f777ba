"""What the console shows of one account; every look is told in the account's own log."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ScalarSelect, Select, bindparam, func, select

from saas import database, errors, paging
from saas.columns import utc_now
from saas.models import (
    Account,
    AccountNote,
    ApiKey,
    AuditEventRow,
    Identity,
    Invitation,
    Role,
    User,
    UserRole,
    UserSession,
)
from saas.operator import ConsolePermission, Operator, require_operator
from saas.permissions import Permission
from saas.services import console_looks, held_permissions, invitation_services
from saas.unit import AnyRow

PAGE = 25
_a, _u, _i = Account.__table__.c, User.__table__.c, Identity.__table__.c
_r, _ur, _s = Role.__table__.c, UserRole.__table__.c, UserSession.__table__.c
_k, _n, _e, _inv = (
    ApiKey.__table__.c,
    AccountNote.__table__.c,
    AuditEventRow.__table__.c,
    Invitation.__table__.c,
)
_OWNER: Any = bindparam("owner")


def _count(of: Any, *where: Any) -> ScalarSelect[int]:
    return select(func.count()).where(of == _OWNER, *where).scalar_subquery()


def owners_of(account_id: Any) -> Any:
    """Return a scalar sub-select: the names of an account's active owners, joined by commas."""
    return (
        select(func.aggregate_strings(_u.username, ", "))
        .select_from(UserRole.__table__)
        .join(Role.__table__, (_r.account_id == _ur.account_id) & (_r.id == _ur.role_id))
        .join(User.__table__, (_u.account_id == _ur.account_id) & (_u.id == _ur.user_id))
        .where(_ur.account_id == account_id, _r.system_key == "owner", _u.status == "active")
        .scalar_subquery()
    )


_HEADER = select(
    _a.account_id.label("id"), _a.name, _a.status, _a.created_at, _a.roles_version,
    owners_of(_OWNER).label("owners"),
    _count(_u.account_id).label("users"),
    _count(_r.account_id).label("roles"),
    _count(_inv.account_id, _inv.accepted_at.is_(None), _inv.revoked_at.is_(None)).label("invitations"),
    _count(_k.account_id, _k.revoked_at.is_(None)).label("keys"),
    _count(_s.account_id, _s.expires_at > bindparam("now")).label("sessions"),
    _count(_n.account_id).label("notes"),
).where(_a.account_id == _OWNER)  # fmt: skip
_USERS = select(
    _u.id, _u.username, _u.status, _u.created_at, _u.last_used_at, _u.identity_id, _i.email,
    _i.suspended_at, _i.confirmed_at,
    held_permissions.role_names_of(_u.id, "owner").label("role_names"),
).join_from(User.__table__, Identity.__table__, _i.id == _u.identity_id)  # fmt: skip
_ROLES = (
    select(
        _r.id,
        _r.name,
        _r.system_key,
        _r.permissions,
        select(func.count())
        .where(_ur.account_id == _r.account_id, _ur.role_id == _r.id)
        .scalar_subquery()
        .label("holders"),
    )
    .where(_r.account_id == _OWNER)
    .order_by(_r.system_key.is_(None), _r.id)
    .limit(200)
)
_INVITATIONS = invitation_services._ROWS
_KEYS = select(
    _k.id, _k.name, _k.permissions, _k.created_at, _k.expires_at, _k.last_used_at, _k.revoked_at, _u.username,
    _u.identity_id,
).join_from(
    ApiKey.__table__, User.__table__, (_u.account_id == _k.account_id) & (_u.id == _k.user_id)
)  # fmt: skip
_SESSIONS = select(
    _s.id, _s.created_at, _s.last_seen_at, _s.expires_at, _s.ip, _s.user_agent, _u.username,
    _u.identity_id,
).join_from(
    UserSession.__table__, User.__table__, (_u.account_id == _s.account_id) & (_u.id == _s.user_id)
)  # fmt: skip
_NOTES = select(
    _n.id, _n.text, _n.author_label, _n.created_at, _u.username, _n.user_id
).join_from(
    AccountNote.__table__, User.__table__,
    (_u.account_id == _n.account_id) & (_u.id == _n.user_id), isouter=True,
)  # fmt: skip
_EVENTS = select(AuditEventRow.__table__)
# tab → (statement, owner column, key column)
_LISTS: dict[str, tuple[Select[Any], Any, Any]] = {
    "users": (_USERS, _u.account_id, _u.id),
    "invitations": (_INVITATIONS, _inv.account_id, _inv.id),
    "keys": (_KEYS, _k.account_id, _k.id),
    "sessions": (_SESSIONS, _s.account_id, _s.id),
    "events": (_EVENTS, _e.account_id, _e.id),
    "notes": (_NOTES, _n.account_id, _n.id),
}
TABS = ("overview", "users", "roles", "invitations", "keys", "sessions", "events", "notes")
_CAUSE = (
    select(_e.actor_label, _e.reason, _e.time)
    .where(_e.account_id == _OWNER, _e.action == "account.suspended")
    .order_by(_e.seq.desc())
    .limit(1)
)


@dataclass(frozen=True, slots=True)
class AccountPage:
    """One tab of an account: the header row, who suspended it and why, and the tab's rows."""

    header: AnyRow
    cause: AnyRow | None
    rows: list[Any]
    next_cursor: str | None


def read_account(
    operator: Operator, *, account_id: UUID, tab: str, cursor: str | None = None
) -> AccountPage:
    """Return one tab of an account, newest first, and tell the account that it was looked at.

    Raises NotFoundError for an account or a tab that there is not, PermissionDeniedError for notes, roles or events
    that the operator may not read.
    """
    require_operator(operator, ConsolePermission.ACCOUNT_READ)
    needs = {
        "roles": ConsolePermission.ROLE_READ,
        "events": ConsolePermission.AUDIT_READ,
        "notes": ConsolePermission.NOTE_READ,
    }
    if tab not in TABS:
        raise errors.NotFoundError
    if tab in needs:
        require_operator(operator, needs[tab])
    bound = {"owner": account_id, "now": utc_now()}
    with database.looking_across("console: one account") as connection:
        header = connection.execute(_HEADER, bound).one_or_none()
    if header is None:
        raise errors.NotFoundError
    console_looks.look_inside(operator, tab, [header])
    with database.looking_across("console: one tab of an account") as connection:
        cause = None
        if header.status == "suspended":
            cause = connection.execute(_CAUSE, bound).one_or_none()
        rows, following = _rows(connection, tab, account_id, bound, cursor)
    return AccountPage(header, cause, rows, following)


def find_account(operator: Operator, *, account_id: UUID) -> AnyRow:
    """Return id, name and status of an account, for asking before an act; raises NotFoundError."""
    require_operator(operator, ConsolePermission.ACCOUNT_READ)
    with database.looking_across("console: which account is meant?") as connection:
        found = connection.execute(_HEADER, {"owner": account_id, "now": utc_now()}).one_or_none()
    if found is None:
        raise errors.NotFoundError
    return found


def find_invitation(operator: Operator, *, account_id: UUID, invitation_id: UUID) -> AnyRow:
    """Return one invitation of an account, for asking before an act; raises NotFoundError."""
    require_operator(operator, ConsolePermission.ACCOUNT_READ)
    statement = _INVITATIONS.where(_inv.account_id == _OWNER, _inv.id == invitation_id)
    with database.looking_across("console: which invitation is meant?") as connection:
        found = connection.execute(statement, {"owner": account_id}).one_or_none()
    if found is None:
        raise errors.NotFoundError
    return found


def matrix(rows: list[AnyRow]) -> list[tuple[str, list[tuple[Permission, list[bool]]]]]:
    """Return permissions in groups, each with one yes or no a role, in the order of ``rows``."""
    given = [held_permissions.permissions_of_role(row) for row in rows]
    groups: dict[str, list[tuple[Permission, list[bool]]]] = {}
    for permission in Permission:
        noun = permission.value.partition(":")[0]
        groups.setdefault(noun, []).append((permission, [permission in held for held in given]))
    return list(groups.items())


def _rows(
    connection: Any, tab: str, account_id: UUID, bound: dict[str, Any], cursor: str | None
) -> tuple[list[Any], str | None]:
    if tab == "roles":
        return list(connection.execute(_ROLES, bound).all()), None
    statement, owner, key = _LISTS["events" if tab == "overview" else tab]
    limit = 8 if tab == "overview" else PAGE
    statement = statement.where(owner == _OWNER)
    if tab == "sessions":
        statement = statement.where(_s.expires_at > bindparam("now"))
    if cursor is not None:
        after = paging.open_cursor(f"console {tab}", account_id, cursor)
        statement = statement.where(key < after)
    found = connection.execute(statement.order_by(key.desc()).limit(limit + 1), bound).all()
    page = paging.cut(f"console {tab}", account_id, list(found), limit)
    return page.items, page.next_cursor
