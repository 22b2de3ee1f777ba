"""The relay: takes what the log has after each destination's cursor there, in order, at least once.

Every destination has a thread of its own, and every account's webhooks take turns in a few more: whatever is down
waits by itself, and loses nothing, since its cursor stays where it was. Any number of workers may run.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from datetime import datetime, timedelta
from threading import Event as Flag
from threading import Thread
from uuid import UUID

import structlog
from sqlalchemy import Connection, Select, select
from sqlalchemy.exc import SQLAlchemyError

from saas import context, database, errors
from saas.audit import cursors
from saas.audit.destinations import Destination, Event, Sink, Stream
from saas.audit.lag import lag, slowest_seq
from saas.columns import utc_now
from saas.database import Database
from saas.models import AuditEventRow, AuditHead, SystemEventRow, SystemHead

__all__ = ["Relay", "lag", "slowest_seq", "work_once"]

IDLE_SECONDS = 1.0
TURN_SECONDS = 5.0  # then the next stream has its turn
BATCH = 200  # events read at once
MOST_STREAMS = 200  # found at once
OF_ONE_ACCOUNT = (
    2  # webhooks of one account at once, so that hers cannot keep all threads from the others
)
SWEEP_SECONDS = 60.0
_OVERLAP = timedelta(seconds=10)  # how long before its commit the id of an event may have been made

_log = structlog.get_logger("relay")
_events, _heads = AuditEventRow.__table__.c, AuditHead.__table__.c
_system_events, _system = SystemEventRow.__table__.c, SystemHead.__table__.c


class Relay:
    """The threads that work for the destinations of one process."""

    def __init__(self, in_use: Database, destinations: Sequence[Destination], stop: Flag) -> None:
        self._threads = [
            Thread(target=_serve, args=(in_use, each, stop), name=f"relay {each.name}", daemon=True)
            for each in destinations
        ]

    def start(self) -> None:
        """Start every thread; they end when ``stop`` is set."""
        for thread in self._threads:
            thread.start()

    def join(self) -> None:
        """Wait for the turns at hand to end."""
        for thread in self._threads:
            thread.join(cursors.LEASE.total_seconds())


def work_once(in_use: Database, destination: Destination) -> int:
    """Give every stream that is behind and due its turns until none is; returns how many turns there were."""
    turns, never = 0, Flag()
    with _working(in_use):
        post = _Post(in_use, destination, never)
        while found := post.look(sweep=True):
            before = turns
            turns += sum(post.turn(stream) for stream in found)
            if turns == before:
                break
    return turns


def _serve(in_use: Database, destination: Destination, stop: Flag) -> None:
    """Work for one destination until told to stop; a database that is away is waited for."""
    with _working(in_use):
        post = _Post(in_use, destination, stop)
        worker = _Crew(in_use, post, destination.parallel) if destination.parallel > 1 else post
        while not stop.is_set():
            try:
                turns = worker.round()
            except (SQLAlchemyError, errors.DatabaseAwayError) as error:
                _log.info("relay.waits", destination=destination.name, error=type(error).__name__)
                turns = 0
            if not turns:
                stop.wait(IDLE_SECONDS)
        worker.close()
        destination.close()


class _Post:
    """What one process knows of one destination: when it looked last, and whether it is away."""

    def __init__(self, in_use: Database, destination: Destination, stop: Flag) -> None:
        self._database, self._to, self._stop = in_use, destination, stop
        self._looked = utc_now()
        self._swept = float("-inf")
        self._failures = 0
        self._away_until = 0.0  # monotonic

    def round(self) -> int:
        """Look once and give what was found its turns; returns how many there were."""
        return sum(self.turn(stream) for stream in self.look_when_due())

    def close(self) -> None:
        """Nothing of its own to let go of."""

    def look_when_due(self) -> list[Stream]:
        """Look, once in a while at all accounts; nothing while the destination is known to be away."""
        if time.monotonic() < self._away_until:
            return []
        return self.look(sweep=time.monotonic() - self._swept > SWEEP_SECONDS)

    def look(self, *, sweep: bool) -> list[Stream]:
        """Return streams that are behind; ``sweep``: of all accounts, not of those with new events alone."""
        if sweep:
            self._to.tidy(self._database)
        now = utc_now()
        after = None if sweep else _first_id(self._looked - _OVERLAP)
        with database.looking_across("relay: which accounts have new events") as connection:
            found = self._to.find(connection, now, after, MOST_STREAMS)
        if len(found) < MOST_STREAMS:  # else there are more, and the next look is the same
            self._looked = now
            if sweep:
                self._swept = time.monotonic()
        return found

    def turn(self, stream: Stream) -> int:
        """Deliver what one stream has, for a few seconds; 0 when another worker is at it, or it must wait."""
        if self._stop.is_set() or time.monotonic() < self._away_until:
            return 0
        held = cursors.hold(self._database, self._to.name, stream)
        if held is None:
            return 0
        until = time.monotonic() + TURN_SECONDS
        more = True
        while more and held is not None and time.monotonic() < until and not self._stop.is_set():
            held, more = self._deliver(stream, held, until)
        if held is not None:
            cursors.let_go(self._database, held, again=more)
        return 1

    def _deliver(
        self, stream: Stream, held: cursors.Held, until: float
    ) -> tuple[cursors.Held | None, bool]:
        """Deliver one batch; returns the cursor while it is ours, and whether there may be more."""
        sink = self._to.open(stream)
        if sink is None:
            return held, False
        try:
            return self._through(sink, stream, held, until)
        finally:
            sink.close()

    def _through(
        self, sink: Sink, stream: Stream, held: cursors.Held, until: float
    ) -> tuple[cursors.Held | None, bool]:
        with database.looking_across("relay: events after a cursor") as connection:
            head, events = read_after(connection, stream.account_id, held.seq, sink.actions)
        if not events:
            at_end = cursors.move(self._database, held, head) if head > held.seq else held
            return at_end, False
        outcome = sink.deliver(events, until, held.attempts + 1)
        last = events[outcome.acknowledged - 1].seq if outcome.acknowledged else held.seq
        whole = outcome.error is None and outcome.acknowledged == len(events) < BATCH
        kept: cursors.Held | None = held
        if outcome.acknowledged:
            kept = cursors.move(self._database, held, head if whole else last)
            self._failures = 0
        if outcome.error is not None and kept is not None:
            self._failed(kept, outcome.error, everywhere=outcome.everywhere)
        sink.settle(outcome)
        return (None if outcome.error is not None else kept), not whole

    def _failed(self, held: cursors.Held, error: str, *, everywhere: bool) -> None:
        first, longest = self._to.first_pause, self._to.longest_pause
        if everywhere:
            self._away_until = time.monotonic() + min(first * 2 ** min(self._failures, 30), longest)
            self._failures += 1
        told = {"destination": self._to.name, "stream": str(held.stream_id), "seq": held.seq}
        _log.info("relay.put_off", attempts=held.attempts + 1, error=error, **told)
        cursors.put_off(self._database, held, error, first, longest)


def read_after(
    connection: Connection, account_id: UUID | None, seq: int, actions: Sequence[str] | None
) -> tuple[int, list[Event]]:
    """Return the head's seq and the first events after ``seq``, up to the head, in order; of ``actions`` alone.

    The head is read first and what it counts is committed, so an empty list means that there is nothing up to it.
    """
    statement: Select[*tuple[object, ...]]
    if account_id is None:
        head = connection.scalar(select(_system.seq)) or 0
        statement = select(SystemEventRow.__table__)
        columns = _system_events
    else:
        head = connection.scalar(select(_heads.seq).where(_heads.account_id == account_id)) or 0
        statement = select(AuditEventRow.__table__).where(_events.account_id == account_id)
        columns = _events
    statement = statement.where(columns.seq > seq, columns.seq <= head).order_by(columns.seq)
    if actions is not None:
        statement = statement.where(columns.action.in_(actions))
    return head, [Event.of(row) for row in connection.execute(statement.limit(BATCH))]


class _Crew:
    """Several turns at once, of one account a few at a time; one that takes long keeps nobody else waiting."""

    def __init__(self, in_use: Database, post: _Post, parallel: int) -> None:
        self._database, self._post, self._parallel = in_use, post, parallel
        self._pool = ThreadPoolExecutor(parallel, thread_name_prefix="relay")
        self._waiting: dict[UUID, Stream] = {}
        self._busy: dict[Future[int], Stream] = {}

    def round(self) -> int:
        """Look, start what there is room for and wait for one to end; returns how many ended with work done."""
        at_it = {stream.id for stream in self._busy.values()}
        self._waiting |= {s.id: s for s in self._post.look_when_due() if s.id not in at_it}
        self._fill()
        ended = wait(self._busy, IDLE_SECONDS, FIRST_COMPLETED).done if self._busy else set()
        for each in ended:
            del self._busy[each]
        return sum(each.result() for each in ended)

    def close(self) -> None:
        """Wait for the turns at hand."""
        self._pool.shutdown()

    def _fill(self) -> None:
        at_work = Counter(stream.account_id for stream in self._busy.values())
        for stream in list(self._waiting.values()):
            if len(self._busy) < self._parallel and at_work[stream.account_id] < OF_ONE_ACCOUNT:
                at_work[stream.account_id] += 1
                del self._waiting[stream.id]
                self._busy[self._pool.submit(self._turn, stream)] = stream

    def _turn(self, stream: Stream) -> int:
        with _working(self._database):
            return self._post.turn(stream)


@contextmanager
def _working(in_use: Database) -> Iterator[None]:
    """Be a thread of the relay: the database in use, calls come from a job."""
    with database.use(in_use), context.calling_from(context.CallContext("job")):
        yield


def _first_id(moment: datetime) -> UUID:
    """Return the least id that can be made at a moment (UUIDv7 begins with 48 bits of milliseconds)."""
    return UUID(int=int(moment.timestamp() * 1000) << 80)
