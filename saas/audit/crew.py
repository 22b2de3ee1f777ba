"""Several turns of one destination at once, so that a receiver that takes its time keeps no other waiting."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import Protocol
from uuid import UUID

from saas import context, database
from saas.audit.destinations import Stream
from saas.database import Database

OF_ONE_ACCOUNT = (
    2  # webhooks of one account at once, so that hers cannot keep all threads from the others
)
_WAIT_SECONDS = 1.0  # for a turn to end, before the next look


class Post(Protocol):
    """What the crew works for."""

    def look_when_due(self) -> list[Stream]:
        """Return streams that are behind."""

    def turn(self, stream: Stream) -> int:
        """Give one its turn; returns 0 where there was nothing to do."""


class Crew:
    """Several turns at once, of one account a few at a time; one that takes long keeps nobody else waiting."""

    def __init__(self, in_use: Database, post: Post, parallel: int) -> None:
        self._database, self._post, self._parallel = in_use, post, parallel
        self._pool = ThreadPoolExecutor(parallel, thread_name_prefix="relay")
        self._waiting: dict[UUID, Stream] = {}
        self._busy: dict[Future[int], Stream] = {}

    def round(self) -> int:
        """Look, start what there is room for and wait for one to end; returns how many ended with work done."""
        at_it = {stream.id for stream in self._busy.values()}
        self._waiting |= {s.id: s for s in self._post.look_when_due() if s.id not in at_it}
        self._fill()
        ended = wait(self._busy, _WAIT_SECONDS, FIRST_COMPLETED).done if self._busy else set()
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
        with working(self._database):
            return self._post.turn(stream)


@contextmanager
def working(in_use: Database) -> Iterator[None]:
    """Be a thread of the relay: the database in use, calls come from a job."""
    with database.use(in_use), context.calling_from(context.CallContext("job")):
        yield
