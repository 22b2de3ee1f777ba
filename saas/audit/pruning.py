"""Pruning: old events of an account are removed, and the chain itself tells which and how many.

Off unless an account has a retention. It removes whole UTC days, from the beginning of the chain, never past the
slowest destination, and runs as the owner of the tables: the app's role may delete no event. What is left still
verifies, for the event that tells of the removal holds the last link that went.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Engine, delete, func, select

from saas import database
from saas.actor import system_actor
from saas.audit import canonical
from saas.audit.events import AuditEvent
from saas.audit.record import Target, record
from saas.columns import utc_now
from saas.models.events import AuditEventRow, AuditHead
from saas.unit import Unit

LEAST_DAYS = 1
AT_ONCE = (
    20_000  # events in one transaction, each with an event of its own: no lock is held for long
)
_events = AuditEventRow.__table__.c


@dataclass(frozen=True, slots=True)
class Pruned:
    """What was removed, or would be: how many events, and the last of them (0: none)."""

    removed: int
    last_seq: int


def prune(
    engine: Engine, account_id: UUID, *, keep_days: int, not_past: int | None, dry_run: bool = False
) -> Pruned:
    """Remove the account's events of all whole days that are over for ``keep_days`` days or more.

    ``engine``: the owner's. ``not_past``: the last seq that every destination has (None: there is none). Raises
    ValueError for less than LEAST_DAYS.
    """
    if keep_days < LEAST_DAYS:
        raise ValueError(f"events are kept for {LEAST_DAYS} day at least")
    removed = last = 0
    before = _start_of_day(utc_now()) - timedelta(days=keep_days)
    while True:
        with database.work_of_owner(engine, account_id) as unit:
            step = _step(unit, before, not_past, last if dry_run else 0)
            if step is not None and not dry_run:
                _remove(unit, step, before)
        if step is None:
            return Pruned(removed, last)
        removed, last = removed + step.removed, step.last_seq


def _step(unit: Unit, before: datetime, not_past: int | None, behind: int) -> Pruned | None:
    """Return the next stretch to remove, from the beginning of the chain: none of its events is young."""
    mine: list[ColumnElement[bool]] = [_events.account_id == unit.account_id, _events.seq > behind]
    # The clock may have gone back: what lies before the first young event is old, and nothing after it is asked.
    first_young = unit.execute(
        select(func.min(_events.seq)).where(*mine, _events.time >= before)
    ).scalar()
    mine += [] if first_young is None else [_events.seq < first_young]
    mine += [] if not_past is None else [_events.seq <= not_past]
    # The newest event always stays: the chain goes on from it.
    newest = select(AuditHead.__table__.c.seq).where(
        AuditHead.__table__.c.account_id == unit.account_id
    )
    mine.append(_events.seq < unit.execute(newest).scalar_one())
    found = select(_events.seq).where(*mine).order_by(_events.seq).limit(AT_ONCE)
    seqs = [row[0] for row in unit.execute(found)]
    return Pruned(len(seqs), seqs[-1]) if seqs else None


def _remove(unit: Unit, step: Pruned, before: datetime) -> None:
    mine = (_events.account_id == unit.account_id, _events.seq <= step.last_seq)
    last_hash = unit.execute(
        select(_events.hash).where(mine[0], _events.seq == step.last_seq)
    ).scalar_one()
    gone = unit.execute(delete(AuditEventRow.__table__).where(*mine)).rowcount
    data: dict[str, Any] = {"last_seq": step.last_seq, "last_hash": last_hash}
    data |= {"removed": gone, "before": canonical.time_text(before)}
    record(
        AuditEvent.AUDIT_PRUNED,
        actor=system_actor(unit.account_id, "flask audit prune"),
        target=Target("account", str(unit.account_id), ""),
        data=data,
    )


def _start_of_day(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
