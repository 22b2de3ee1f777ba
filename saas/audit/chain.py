"""The chain: gap-free ``seq``, ``digest``, ``prev`` and ``hash``, written as the last statements before COMMIT.

``digest`` = SHA-256 of the canonical JSON of the envelope without seq, prev and hash. ``hash`` = SHA-256 of the
ASCII text ``prev:seq:digest``, all in hex; the first prev is 64 zeros. Anyone can recompute it from an export.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from functools import partial
from hashlib import sha256
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.exc import NoResultFound

from saas.audit import canonical
from saas.audit.record import PendingEvent
from saas.columns import canonical_json
from saas.models.accounts import Account
from saas.models.events import AuditEventRow, AuditHead, SystemEventRow, SystemHead
from saas.unit import AnyRow, Unit

GENESIS = "0" * 64
SYSTEM_HEAD_ID = UUID("00000000-0000-7000-8000-000000000001")

_log = structlog.get_logger("audit")
_head, _system_head = AuditHead.__table__, SystemHead.__table__
_ACCOUNT_HEAD = (
    select(_head.c.seq, _head.c.hash)
    .where(_head.c.account_id == bindparam("owner"))
    .with_for_update(),
    update(_head)
    .where(_head.c.account_id == bindparam("owner"))
    .values(seq=bindparam("s"), prev=bindparam("p"), hash=bindparam("h")),
)
# An event refers to its account's row, so MariaDB locks that row for reading when one is inserted. Whoever comes with
# nothing but an event must have it before the head, as all others do: they would wait for each other in a circle.
_ACCOUNT_ROW = (
    select(Account.__table__.c.account_id)
    .where(Account.__table__.c.account_id == bindparam("owner"))
    .with_for_update(read=True)
)
_SYSTEM_HEAD = (
    select(_system_head.c.seq, _system_head.c.hash)
    .where(_system_head.c.id == bindparam("owner"))
    .with_for_update(),
    update(_system_head)
    .where(_system_head.c.id == bindparam("owner"))
    .values(seq=bindparam("s"), hash=bindparam("h")),
)
_INSERT = {"account": insert(AuditEventRow.__table__), "system": insert(SystemEventRow.__table__)}


def write(unit: Unit) -> None:
    """Link and insert the recorded events of a unit: the account's chain first, the system's after it.

    The order is the same everywhere, so two transactions never wait for each other's head in a circle. On PostgreSQL
    events of the account alone are committed too, with all that the unit did, in the message that brings them.
    """
    in_account = [p for p in unit.events if p.event.chain == "account"]
    in_system = [p for p in unit.events if p.event.chain == "system"]
    if in_account and not in_system and unit.connection.dialect.name == "postgresql":
        _append_and_commit(unit, in_account)
        return
    if in_account:
        _link(unit, in_account, "account", unit.account_id)
    if in_system:
        _link(unit, in_system, "system", None)


def _append_and_commit(unit: Unit, pending: list[PendingEvent]) -> None:
    from saas.audit.one_message import append_and_commit  # the driver is there where it is used

    bodies = [canonical.of_event(p.envelope | {"account_id": unit.account_id}) for p in pending]
    events = [(body, canonical.digest(body)) for body in bodies]
    links = append_and_commit(unit.connection, unit.account_id, events)
    for event, (body, digested), link in zip(pending, events, links, strict=True):
        _tell(unit, event, canonical.linked(body, *link, digested))


def _link(unit: Unit, pending: Iterable[PendingEvent], chain: str, account_id: UUID | None) -> None:
    read_head, move_head = _ACCOUNT_HEAD if chain == "account" else _SYSTEM_HEAD
    owner = account_id or SYSTEM_HEAD_ID
    head = hold_head(unit) if account_id else unit.execute(read_head, {"owner": owner}).one()
    if head is None:
        raise NoResultFound("the account has no head")
    seq, prev, last = head[0], head[1], head[1]
    rows = []
    for event in pending:
        seq, prev = seq + 1, last
        row = event.envelope | {"account_id": account_id}
        body = canonical.of_event(row)
        digested = canonical.digest(body)
        last = link(prev, seq, digested)
        rows.append(row | {"seq": seq, "prev": prev, "hash": last, "digest": digested})
        _tell(unit, event, canonical.linked(body, seq, prev, last, digested))
    moved = {"owner": owner, "s": seq, "h": last}
    unit.execute(_INSERT[chain], rows if account_id else [_without_account(row) for row in rows])
    unit.execute(move_head, moved | {"p": prev} if account_id else moved)


def hold_head(unit: Unit) -> AnyRow | None:
    """Lock the head of the unit's account until the unit ends, and return its seq and hash; None where it has none."""
    owner = {"owner": unit.account_id}
    if unit.connection.dialect.name == "mariadb":
        unit.execute(_ACCOUNT_ROW, owner)
    return unit.execute(_ACCOUNT_HEAD[0], owner).one_or_none()


def _tell(unit: Unit, pending: PendingEvent, line: bytes) -> None:
    """Let the event be a line of the log once it is committed."""
    unit.after_commit.append(partial(_log.info, pending.event.value, log_type="audit", json=line))


def link(prev: str, seq: int, digest_hex: str) -> str:
    """Return the hash of one link of a chain."""
    return sha256(f"{prev}:{seq}:{digest_hex}".encode("ascii")).hexdigest()


def digest(event: dict[str, Any]) -> str:
    """Return the digest of an event: of everything in it but seq, prev, hash and the digest itself."""
    body = {key: as_text(value) for key, value in event.items() if key not in canonical.LINK}
    return sha256(canonical_json(body).encode()).hexdigest()


def as_text(value: Any) -> Any:
    """Return an id or a time as the envelope has it: times in UTC, always with six digits, and a Z."""
    if isinstance(value, datetime):
        return canonical.time_text(value)
    return str(value) if isinstance(value, UUID) else value


def _without_account(row: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in row.items() if key != "account_id"}
