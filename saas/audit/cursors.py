"""How far each destination has got: held by one worker at a time, and moved once what was sent is acknowledged."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from saas.audit.destinations import Stream
from saas.audit.destinations.looks import WEBHOOKS
from saas.columns import utc_now
from saas.database import Database, writing_as_system
from saas.models import AuditCursor, Webhook

# Longer than a turn, the POST that it ends with, and the look-up of a name by a resolver that takes its time.
LEASE = timedelta(seconds=60)
_JITTER = 0.2  # of a pause, either way, so that what failed together does not come back together
_table = AuditCursor.__table__
_cursors = _table.c


@dataclass(frozen=True, slots=True)
class Held:
    """A cursor that this worker holds; ``lease_until`` is also the proof of it."""

    destination: str
    stream_id: UUID
    seq: int
    attempts: int
    failing_since: datetime | None
    lease_until: datetime


def hold(database: Database, destination: str, stream: Stream) -> Held | None:
    """Take the cursor of a stream, making it where it is missing; None while it is held or put off."""
    now = utc_now()
    until = now + LEASE
    this = (_cursors.destination == destination, _cursors.stream_id == stream.id)
    free = _cursors.lease_until.is_(None) | (_cursors.lease_until < now)
    due = _cursors.not_before.is_(None) | (_cursors.not_before <= now)
    with writing_as_system(database) as connection:
        # The update comes first: it waits for whoever moves the cursor, so what is read after it is the newest.
        taken = connection.execute(update(_table).where(*this, free, due).values(lease_until=until))
        row = connection.execute(select(_table).where(*this)).first()
    if row is None:
        return _make(database, destination, stream, until)
    if not taken.rowcount:
        return None
    return Held(destination, stream.id, row.seq, row.attempts, row.failing_since, until)


def move(database: Database, held: Held, seq: int) -> Held | None:
    """Write down what was acknowledged and hold on; None when the cursor is no longer ours."""
    until = utc_now() + LEASE
    cleared = {"attempts": 0, "failing_since": None, "not_before": None, "last_error": None}
    if not _write(database, held, {"seq": seq, "lease_until": until} | cleared):
        return None
    return replace(held, seq=seq, lease_until=until, attempts=0, failing_since=None)


def let_go(database: Database, held: Held, *, again: bool = False) -> None:
    """Give the cursor back; ``again``: there is more to do, as soon as a worker gets to it."""
    when = utc_now() if again else None
    _write(database, held, {"lease_until": None, "not_before": when})


def put_off(database: Database, held: Held, error: str, first: float, longest: float) -> None:
    """Give the cursor back until later, longer with each failure in a row."""
    now = utc_now()
    pause = min(first * 2 ** min(held.attempts, 30), longest)
    pause *= 1 + random.uniform(-_JITTER, _JITTER)  # noqa: S311 - nothing secret hangs on it
    state: dict[str, Any] = {"attempts": held.attempts + 1}
    state |= {"failing_since": held.failing_since or now}
    state |= {"lease_until": None, "last_error": error[:200]}
    _write(database, held, state | {"not_before": now + timedelta(seconds=pause)})


def rewind(database: Database, destination: str, stream_ids: Iterable[UUID], seq: int) -> int:
    """Set cursors back to ``seq``, so that what comes after it is sent again; returns how many were further.

    Whoever holds one of them loses it, and does not move it on. Cursors are never moved forward: that would lose.
    """
    back = {"seq": seq, "updated_at": utc_now(), "lease_until": None}
    back |= {"not_before": utc_now(), "attempts": 0, "failing_since": None}
    further = (_cursors.destination == destination, _cursors.seq > seq)
    with writing_as_system(database) as connection:
        statement = update(_table).where(*further, _cursors.stream_id.in_(list(stream_ids)))
        return int(connection.execute(statement.values(**back)).rowcount)


def forget_deleted(database: Database) -> None:
    """Drop the cursors of webhooks that are deleted."""
    there = select(Webhook.__table__.c.id).where(Webhook.__table__.c.id == _cursors.stream_id)
    with writing_as_system(database) as connection:
        gone = delete(_table).where(_cursors.destination == WEBHOOKS, ~there.exists())
        connection.execute(gone)


def _make(database: Database, destination: str, stream: Stream, until: datetime) -> Held | None:
    row = {"destination": destination, "stream_id": stream.id, "seq": stream.start}
    try:
        with writing_as_system(database) as connection:
            more = {"updated_at": utc_now(), "lease_until": until, "attempts": 0}
            connection.execute(insert(_table), [row | more])
    except IntegrityError:  # another worker was first
        return None
    return Held(destination, stream.id, stream.start, 0, None, until)


def _write(database: Database, held: Held, state: dict[str, Any]) -> bool:
    """Change a cursor that we hold; False when the lease has gone to another worker, or a rewind took it."""
    mine = (
        _cursors.destination == held.destination,
        _cursors.stream_id == held.stream_id,
        _cursors.lease_until == held.lease_until,
    )
    with writing_as_system(database) as connection:
        changed = connection.execute(
            update(_table).where(*mine).values(updated_at=utc_now(), **state)
        )
    return bool(changed.rowcount)
