"""What destinations of every chain have in common: one way for all streams, and nothing to keep but the cursor."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection

from saas.audit.destinations import Event, Outcome, Sink, Stream, looks
from saas.database import Database


class Shared(ABC):
    """Base of a destination that gets every event of every account, and of the system."""

    name: str
    parallel = 1
    first_pause = 1.0
    longest_pause = 60.0

    def find(
        self, connection: Connection, now: datetime, after: UUID | None, most: int
    ) -> list[Stream]:
        """See Destination."""
        return looks.chains_behind(connection, self.name, now, after, most)

    def open(self, stream: Stream) -> Sink | None:
        """See Destination."""
        return _Turn(self.deliver)

    def tidy(self, in_use: Database) -> None:  # noqa: B027 - nothing to do, and no subclass need say so
        """Nothing: accounts stay."""

    @abstractmethod
    def deliver(self, events: Sequence[Event], until: float) -> Outcome:
        """Deliver in order; see Sink."""


class _Turn:
    """A turn on the way that all share, which stays open after it."""

    actions: Sequence[str] | None = None

    def __init__(self, deliver: Callable[[Sequence[Event], float], Outcome]) -> None:
        self._deliver = deliver

    def deliver(self, events: Sequence[Event], until: float, attempt: int) -> Outcome:
        """See Sink."""
        return self._deliver(events, until)

    def settle(self, outcome: Outcome) -> None:
        """Nothing: the cursor and the log line say it."""

    def close(self) -> None:
        """Nothing: the next turn goes on with it."""
