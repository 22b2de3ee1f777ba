"""One event on PostgreSQL: the head is locked, linked and moved and the event inserted, in one statement.

This is what nearly every change writes, and it holds the lock on the account's head for one round trip instead of
three. The database makes the link; ``chain.link`` makes the same bytes.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Column, String, bindparam, func, insert, literal_column, select, update

from saas.models.events import AuditEventRow, AuditHead

_events, _head = AuditEventRow.__table__, AuditHead.__table__
_COLON: Any = literal_column("':'", String)
_UTF8: Any = literal_column("'UTF8'", String)
_HEX: Any = literal_column("'hex'", String)
_ONE: Any = literal_column("1")


def _name(column: Column[Any]) -> str:
    """The parameter of a column; a parameter named like a column of the head would be written to the head."""
    return "owner" if column.name == "account_id" else column.name


# FOR UPDATE reads the newest head there is, after waiting for whoever holds it; without it two writers would both
# link to the head that their statement began with.
_locked = (
    select(_head.c.account_id, _head.c.seq, _head.c.hash)
    .where(_head.c.account_id == bindparam("owner"))
    .with_for_update()
    .cte("locked")
)
_link = func.concat(
    _locked.c.hash, _COLON, _locked.c.seq + _ONE, _COLON, bindparam("digest", type_=String)
)
_moved = (
    update(_head)
    .where(_head.c.account_id == bindparam("owner"), _head.c.account_id == _locked.c.account_id)
    .values(
        seq=_locked.c.seq + _ONE,
        hash=func.encode(func.sha256(func.convert_to(_link, _UTF8)), _HEX),
    )
    .returning(_head.c.seq, _locked.c.hash.label("prev"), _head.c.hash)
    .cte("moved")
)
_given = [column for column in _events.c if column.name not in ("seq", "prev", "hash")]

# Takes an event without seq, prev and hash, its account as ``owner``; returns these three.
LINK_ONE = (
    insert(_events)
    .from_select(
        [*(column.name for column in _given), "seq", "prev", "hash"],
        select(
            *(bindparam(_name(column), type_=column.type) for column in _given),
            _moved.c.seq,
            _moved.c.prev,
            _moved.c.hash,
        ),
    )
    .returning(_events.c.seq, _events.c.prev, _events.c.hash)
)
