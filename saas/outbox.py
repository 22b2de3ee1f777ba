"""The outbox: work that must happen after the commit, at least once, whatever dies meanwhile.

``put`` writes the work down in the transaction that makes it necessary. Workers lease it, do it outside every
transaction, and mark it done; a worker that dies loses its lease, and another one does it again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import Connection, Update, func, insert, select, update
from uuid_utils.compat import uuid7

from saas.columns import utc_now
from saas.database import Database, _begin
from saas.models import OutboxItem
from saas.unit import Unit

# Longer than any one piece of work may take: a mail is some ten steps, and each may wait for its server.
LEASE = timedelta(minutes=5)
FIRST_PAUSE = timedelta(seconds=5)
LONGEST_PAUSE = timedelta(hours=1)
_FRESH = 0.9  # of a lease: what it must still have when its work begins, or it is renewed
MOST_ATTEMPTS = 30  # about a day
AUDIT = "audit"  # the topic of events for other accounts' logs: tried until they are told
Handler = Callable[[dict[str, Any]], None]

_log = structlog.get_logger("outbox")
_table = OutboxItem.__table__
_items = _table.c


@dataclass(frozen=True, slots=True)
class Work:
    """One leased piece of work."""

    id: UUID
    topic: str
    payload: dict[str, Any]
    attempts: int
    lease_until: datetime


def put(unit: Unit, topic: str, payload: dict[str, Any]) -> None:
    """Write work down in the open unit of work: it exists if, and only if, the unit commits."""
    now = utc_now()
    row = {"id": uuid7(), "created_at": now, "account_id": unit.account_id, "topic": topic}
    unit.execute(insert(_table), [row | {"payload": payload, "not_before": now, "attempts": 0}])


def put_outside(database: Database, topic: str, payload: dict[str, Any]) -> None:
    """Write work down that belongs to no account, in a transaction of its own; raises DatabaseAwayError."""
    now = utc_now()
    row = {"id": uuid7(), "created_at": now, "account_id": None, "topic": topic}
    with _writing(database) as connection:
        connection.execute(
            insert(_table), [row | {"payload": payload, "not_before": now, "attempts": 0}]
        )


def work_once(
    database: Database,
    handlers: Mapping[str, Handler],
    most: int = 20,
    *,
    stopped: Callable[[], bool] = lambda: False,
) -> int:
    """Lease what is due, do it, and return how many pieces were leased; 0 means nothing is due.

    ``stopped`` is asked before each piece: once it says yes, what is left is given back at once. Raises
    DatabaseAwayError, or what SQLAlchemy raises: the work waits, and what is leased is free again later.
    """
    leased = _lease(database, tuple(handlers), most)
    for number, work in enumerate(leased):
        if stopped():
            _give_back(database, leased[number:])
            return number
        held = _hold(database, work)
        if held is not None:
            _do(database, handlers[held.topic], held)
    return len(leased)


def depth(database: Database) -> dict[str, int]:
    """Return how much waits and how much was given up."""
    with database.system_engine.connect() as connection:
        waiting = connection.scalar(
            select(func.count()).where(_items.done_at.is_(None), _items.given_up_at.is_(None))
        )
        given_up = connection.scalar(select(func.count()).where(_items.given_up_at.is_not(None)))
    return {"waiting": waiting or 0, "given_up": given_up or 0}


def _lease(database: Database, topics: tuple[str, ...], most: int) -> list[Work]:
    now = utc_now()
    until = now + LEASE
    due = (
        select(_items.id, _items.topic, _items.payload, _items.attempts)
        .where(
            _items.done_at.is_(None),
            _items.given_up_at.is_(None),
            _items.not_before <= now,
            _items.lease_until.is_(None) | (_items.lease_until < now),
            _items.topic.in_(topics),
        )
        .order_by(_items.not_before)
        .limit(most)
        .with_for_update(skip_locked=True)  # SQLite has one writer at a time and needs no lock
    )
    with _writing(database) as connection:
        found = [Work(*row, until) for row in connection.execute(due)]
        if found:
            leased = update(_table).where(_items.id.in_([work.id for work in found]))
            connection.execute(leased.values(lease_until=until))
    return found


def _hold(database: Database, work: Work) -> Work | None:
    """Return the work with a lease that is long enough for it, or None if another worker has it by now.

    The pieces of a batch are done one after another, and a slow one uses up the lease of those behind it.
    """
    now = utc_now()
    if work.lease_until - now > LEASE * _FRESH:
        return work
    until = now + LEASE
    with _writing(database) as connection:
        renewed = connection.execute(_mine(work).values(lease_until=until)).rowcount
    return replace(work, lease_until=until) if renewed else None


def _give_back(database: Database, leased: list[Work]) -> None:
    with _writing(database) as connection:
        for work in leased:
            connection.execute(_mine(work).values(lease_until=None))


def _do(database: Database, handler: Handler, work: Work) -> None:
    try:
        handler(work.payload)
    except Exception as error:  # noqa: BLE001 - whatever went wrong, the work waits and is tried again
        _put_off(database, work, error)
    else:
        # The payload may hold a token: once it is delivered, no database should keep it. Done is done, also where
        # the lease has run out meanwhile.
        done = update(_table).where(_items.id == work.id)
        state = {"done_at": utc_now(), "payload": {}, "lease_until": None, "last_error": None}
        with _writing(database) as connection:
            connection.execute(done.values(given_up_at=None, **state))


def _put_off(database: Database, work: Work, error: Exception) -> None:
    attempts = work.attempts + 1
    pause = min(FIRST_PAUSE * 2 ** min(work.attempts, 20), LONGEST_PAUSE)
    told = f"{type(error).__name__}: {error}"[:300]
    state: dict[str, Any] = {"attempts": attempts, "lease_until": None, "last_error": told}
    if attempts >= MOST_ATTEMPTS and work.topic != AUDIT:
        _log.error("outbox.given_up", topic=work.topic, id=str(work.id), error=told)
        state |= {"given_up_at": utc_now(), "payload": {}}
    else:
        _log.warning("outbox.put_off", topic=work.topic, id=str(work.id), error=told)
        state["not_before"] = utc_now() + pause
    with _writing(database) as connection:
        connection.execute(_mine(work).values(**state))


def _mine(work: Work) -> Update:
    """Return an update of the work that finds nothing once the lease has gone to another worker."""
    return update(_table).where(
        _items.id == work.id, _items.lease_until == work.lease_until, _items.done_at.is_(None)
    )


@contextmanager
def _writing(database: Database) -> Iterator[Connection]:
    """Open a transaction of the system engine; raises DatabaseAwayError where none can be had."""
    connection = _begin(database.system_engine)
    try:
        yield connection
        connection.commit()
    finally:
        connection.close()
