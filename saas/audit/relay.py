"""The relay: takes what the log has after each destination's cursor there, in order, at least once.

Every destination has a thread of its own, and every account's webhooks take turns in a few more: whatever is down
waits by itself, and loses nothing, since its cursor stays where it was. Any number of workers may run.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from threading import Event as Flag
from threading import Thread
from uuid import UUID

import structlog
from sqlalchemy.exc import SQLAlchemyError

from saas import database, errors
from saas.audit import cursors
from saas.audit.crew import Crew, working
from saas.audit.destinations import Destination, Event, Sink, Stream
from saas.audit.lag import lag, slowest_seq
from saas.audit.reading import Chain
from saas.columns import utc_now
from saas.database import Database

__all__ = ["Relay", "lag", "slowest_seq", "work_once"]

BATCH = 200  # events read at once
IDLE_SECONDS = 1.0
TURN_SECONDS = 5.0  # then the next stream has its turn
MOST_STREAMS = 200  # found at once
SWEEP_SECONDS = 60.0
_OVERLAP = timedelta(seconds=10)  # how long before its commit the id of an event may have been made

_log = structlog.get_logger("relay")


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
    with working(in_use):
        post = _Post(in_use, destination, never)
        while found := post.look(sweep=True):
            before = turns
            turns += sum(post.turn(stream) for stream in found)
            if turns == before:
                break
    return turns


def _serve(in_use: Database, destination: Destination, stop: Flag) -> None:
    """Work for one destination until told to stop; a database that is away is waited for."""
    with working(in_use):
        post = _Post(in_use, destination, stop)
        worker = Crew(in_use, post, destination.parallel) if destination.parallel > 1 else post
        while not stop.is_set():
            try:
                turns = worker.round()
            except (SQLAlchemyError, errors.DatabaseAwayError) as error:
                _log.info("relay.waits", destination=destination.name, error=type(error).__name__)
                turns = 0
            except Exception as error:  # noqa: BLE001 - whatever one stream brings about, the others go on
                _log.error("relay.failed", destination=destination.name, exc_info=error)
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
            head, rows = Chain(stream.account_id).news(
                lambda statement, values: connection.execute(statement, values).all(),
                after=held.seq,
                most=BATCH,
                actions=sink.actions,
            )
        events = [Event.of(row) for row in rows]
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


def _first_id(moment: datetime) -> UUID:
    """Return the least id that can be made at a moment (UUIDv7 begins with 48 bits of milliseconds)."""
    return UUID(int=int(moment.timestamp() * 1000) << 80)
