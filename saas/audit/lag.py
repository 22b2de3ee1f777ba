"""How far the destinations are behind, and which event the slowest of them has still to get."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Connection, Integer, and_, cast, func, literal_column, select, true

from saas import database
from saas.audit.chain import SYSTEM_HEAD_ID
from saas.audit.destinations.looks import WEBHOOKS
from saas.columns import utc_now
from saas.database import Database
from saas.models import (
    Account,
    AuditCursor,
    AuditEventRow,
    AuditHead,
    SystemEventRow,
    SystemHead,
    Webhook,
)

_cursors, _hooks = AuditCursor.__table__.c, Webhook.__table__.c
_heads, _events = AuditHead.__table__.c, AuditEventRow.__table__.c
_system, _system_events = SystemHead.__table__.c, SystemEventRow.__table__.c
_ONE: Any = literal_column("1", Integer)
_accounts = Account.__table__.c
_configured: list[str] = []


class Lag(NamedTuple):
    """How far one destination is behind, over all chains; ``seconds_behind``: the age of what waits longest."""

    destination: str
    events_behind: int
    seconds_behind: float


def configure(destinations: list[str]) -> None:
    """Say which destinations of all chains the settings name: those without a cursor are behind by everything."""
    _configured[:] = destinations


def lag(in_use: Database) -> list[Lag]:
    """Return one line for each destination of the settings, and one for all webhooks of accounts together."""
    now = utc_now()
    with (
        database.use(in_use),
        database.looking_across("relay: how far each destination is behind") as connection,
    ):
        lines = [_of_chains(connection, name, now) for name in _configured]
        return [*lines, _of_webhooks(connection, now)]


def slowest_seq(connection: Connection, account_id: UUID | None) -> int | None:
    """Return the last seq that every destination of a chain has got; None when there is none to wait for.

    ``account_id`` None: the system's chain. ``connection``: of the system's role, or the owner's. Webhooks that are
    switched off are not waited for.
    """
    stream_id = account_id or SYSTEM_HEAD_ID
    own = select(_cursors.destination, _cursors.seq).where(_cursors.stream_id == stream_id)
    got = {row.destination: row.seq for row in connection.execute(own)}
    reached = [got.get(name, 0) for name in _configured]
    if account_id is not None:
        hooks = Webhook.__table__.outerjoin(AuditCursor.__table__, _CURSOR_OF_WEBHOOK)
        slowest = select(func.min(func.coalesce(_cursors.seq, _hooks.from_seq))).select_from(hooks)
        of_account = (_hooks.account_id == account_id, _hooks.status == "enabled")
        reached += [s for s in connection.scalars(slowest.where(*of_account)) if s is not None]
    return min(reached, default=None)


_CURSOR_OF_WEBHOOK = and_(_cursors.destination == WEBHOOKS, _cursors.stream_id == _hooks.id)


def _of_chains(connection: Connection, name: str, now: datetime) -> Lag:
    seq = func.coalesce(_cursors.seq, 0)
    heads = AuditHead.__table__.outerjoin(
        AuditCursor.__table__,
        and_(_cursors.destination == name, _cursors.stream_id == _heads.account_id),
    )
    accounts = _behind(connection, heads, _heads, seq, _events)
    system_heads = SystemHead.__table__.outerjoin(
        AuditCursor.__table__, and_(_cursors.destination == name, _cursors.stream_id == _system.id)
    )
    system = _behind(connection, system_heads, _system, seq, _system_events)
    return _line(name, [accounts, system], now)


def _of_webhooks(connection: Connection, now: datetime) -> Lag:
    hooks = Webhook.__table__.join(AuditHead.__table__, _heads.account_id == _hooks.account_id)
    hooks = hooks.join(Account.__table__, _accounts.account_id == _hooks.account_id)
    hooks = hooks.outerjoin(AuditCursor.__table__, _CURSOR_OF_WEBHOOK)
    seq = func.coalesce(_cursors.seq, _hooks.from_seq)
    on = (_hooks.status == "enabled", _accounts.status == "active")
    return _line(WEBHOOKS, [_behind(connection, hooks, _heads, seq, _events, *on)], now)


def _behind(
    connection: Connection, joined: Any, heads: Any, seq: Any, events: Any, *more: Any
) -> Any:
    """Return how many events are behind and the time of the first of them."""
    count = cast(func.sum(heads.seq - seq), Integer)
    behind = (heads.seq > seq, *more)
    total = connection.scalar(select(count).select_from(joined).where(*behind)) or 0
    of_chain = events.account_id == heads.account_id if "account_id" in events else true()
    first = joined.join(events.id.table, and_(of_chain, events.seq == seq + _ONE))
    oldest = connection.scalar(select(func.min(events.time)).select_from(first).where(*behind))
    return total, oldest


def _line(name: str, parts: list[Any], now: datetime) -> Lag:
    oldest = min((when for _, when in parts if when is not None), default=now)
    total = sum(int(count) for count, _ in parts)
    return Lag(name, total, max(0.0, (now - oldest).total_seconds()))
