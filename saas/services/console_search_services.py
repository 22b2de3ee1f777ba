"""The one search of the console: accounts and people by how they begin, everything else by its exact id."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import String, cast, func, literal_column, select, union_all

from saas import database
from saas.models import Account, AuditEventRow, Identity, SystemEventRow, User
from saas.operator import ConsolePermission, Operator, require_operator
from saas.services import console_looks

MOST = 8  # of each kind
_a, _u, _i = Account.__table__.c, User.__table__.c, Identity.__table__.c
_e, _sys = AuditEventRow.__table__.c, SystemEventRow.__table__.c
_ID = re.compile(r"[0-9a-fA-F]{8}-?(?:[0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}")


@dataclass(frozen=True, slots=True)
class Found:
    """One thing that was found. ``kind``: account, person, seat, event, request or house request."""

    kind: str
    id: UUID | str
    label: str
    more: str
    exact: bool


def search(operator: Operator, *, words: str) -> list[Found]:
    """Return what an exact id names, else accounts and people that begin so, at most MOST of a kind.

    One statement beside the record of the look; no search inside of texts, so it stays quick in millions.
    """
    require_operator(operator, ConsolePermission.ACCOUNT_READ)
    require_operator(operator, ConsolePermission.PERSON_READ)
    words = words.strip()[:200]
    if not words:
        return []
    console_looks.look_across(operator, "search", words)
    exact = _ID.fullmatch(words) is not None
    statement = _by_id(UUID(words)) if exact else _by_beginning(words)
    with database.looking_across("console: search over accounts and people") as connection:
        rows = connection.execute(statement).all()
    found = [Found(row.kind, _id(row), row.label or "", row.more or "", exact) for row in rows]
    return [
        each for each in found if operator.can(ConsolePermission.AUDIT_READ) or each.kind in _OPEN
    ]


_OPEN = frozenset({"account", "person", "seat"})


def _id(row: Any) -> UUID | str:
    return row.id if row.kind.endswith("request") else UUID(row.id)


def _part(kind: str, id_column: Any, label: Any, more: Any, source: Any, *where: Any) -> Any:
    chosen = select(
        literal_column(f"'{kind}'", String).label("kind"),
        cast(id_column, String(36)).label("id"),
        label.label("label"),
        more.label("more"),
    ).select_from(source)
    return select(chosen.where(*where).limit(MOST).subquery())


def _by_id(id_: UUID) -> Any:
    seats = User.__table__.join(Identity.__table__, _i.id == _u.identity_id)
    events, house = AuditEventRow.__table__, SystemEventRow.__table__
    hex_id = (str(id_), id_.hex)
    return union_all(
        _part(
            "account", _a.account_id, _a.name, _a.status, Account.__table__, _a.account_id == id_
        ),
        _part("person", _i.id, _i.email, _NONE, Identity.__table__, _i.id == id_),
        _part("person", _i.id, _i.email, _u.username, seats, _u.id == id_),
        _part("event", _e.id, _e.action, _e.actor_label, events, _e.id == id_),
        _part("event", _sys.id, _sys.action, _sys.actor_label, house, _sys.id == id_),
        _part(
            "request", _e.request_id, _e.action, _e.actor_label, events, _e.request_id.in_(hex_id)
        ),
        _part(
            "house request",
            _sys.request_id,
            _sys.action,
            _sys.actor_label,
            house,
            _sys.request_id.in_(hex_id),
        ),
    )


def _by_beginning(words: str) -> Any:
    prefix = re.sub(r"[%_/]", r"/\g<0>", words.lower()) + "%"
    seats = User.__table__.join(Identity.__table__, _i.id == _u.identity_id)
    events, house = AuditEventRow.__table__, SystemEventRow.__table__

    def begins(column: Any) -> Any:
        return func.lower(column).like(prefix, escape="/")

    email = _i.email_key.like(prefix, escape="/")
    return union_all(
        _part("account", _a.account_id, _a.name, _a.status, Account.__table__, begins(_a.name)),
        _part("person", _i.id, _i.email, _NONE, Identity.__table__, email),
        _part("seat", _i.id, _u.username, _i.email, seats, begins(_u.username)),
        _part("request", _e.request_id, _e.action, _e.actor_label, events, _e.request_id == words),
        _part(
            "house request",
            _sys.request_id,
            _sys.action,
            _sys.actor_label,
            house,
            _sys.request_id == words,
        ),
    )


_NONE: Any = literal_column("''", String)
