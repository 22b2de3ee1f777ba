"""One event on PostgreSQL: the head of the chain is moved and the event inserted, in one statement.

This is what nearly every change writes, and it holds the lock on the account's head for one round trip instead of
three. The event comes as the very text that was digested, and the database takes it apart: three parameters instead
of thirty. The database makes the link; ``chain.link`` makes the same bytes.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    JSON,
    String,
    Text,
    bindparam,
    cast,
    column,
    func,
    insert,
    literal_column,
    select,
    update,
)
from sqlalchemy.sql.dml import ReturningInsert

from saas.audit.canonical import FIELDS, JSON_FIELDS
from saas.models.events import AuditEventRow, AuditHead

_events, _head = AuditEventRow.__table__, AuditHead.__table__
_COLON: Any = literal_column("':'", String)
_UTF8: Any = literal_column("'UTF8'", String)
_HEX: Any = literal_column("'hex'", String)
_ONE: Any = literal_column("1")
_OWNER = bindparam("owner", type_=_events.c.account_id.type)
_DIGEST = bindparam("digest", type_=String)

# Whoever waits for another writer's head sees, once it is free, what that one left (READ COMMITTED): no two link to
# the same hash.
_link = func.concat(_head.c.hash, _COLON, _head.c.seq + _ONE, _COLON, _DIGEST)
_moved = (
    update(_head)
    .where(_head.c.account_id == bindparam("owner"))
    .values(
        seq=_head.c.seq + _ONE,
        prev=_head.c.hash,
        hash=func.encode(func.sha256(func.convert_to(_link, _UTF8)), _HEX),
    )
    .returning(_head.c.seq, _head.c.prev, _head.c.hash)
    .cte("moved")
)
_names = [name for name in FIELDS if name != "account_id"]
# JSON as text is the text itself, byte for byte: what is stored is what was digested.
_event = (
    func.json_to_record(cast(bindparam("event", type_=Text), JSON))
    .table_valued(
        *(column(n, Text() if n in JSON_FIELDS else _events.c[n].type) for n in _names),
        name="event",
        joins_implicitly=True,  # it is one row
    )
    .render_derived(name="event", with_types=True)
)


def insert_event(seq: Any, prev: Any, hashed: Any) -> ReturningInsert[Any]:
    """Return the INSERT of an event with a link.

    It takes the canonical JSON of the event as ``event``, its ``digest`` and its account as ``owner``, and returns
    its link: seq, prev, hash.
    """
    names = ["account_id", *_names, "digest", "seq", "prev", "hash"]
    given = [_event.c[name] for name in _names]
    return (
        insert(_events)
        .from_select(names, select(_OWNER, *given, _DIGEST, seq, prev, hashed))
        .returning(_events.c.seq, _events.c.prev, _events.c.hash)
    )


LINK_ONE = insert_event(_moved.c.seq, _moved.c.prev, _moved.c.hash)
