"""Where the relay sends events: what every destination is, and what comes of a delivery."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy import Connection

from saas.audit import canonical
from saas.database import Database


@dataclass(frozen=True, slots=True)
class Event:
    """One event to deliver; ``body`` is the envelope as ``GET /api/audit-events`` shows it, one JSON object."""

    id: UUID
    seq: int
    action: str
    account_id: UUID | None
    body: bytes

    @classmethod
    def of(cls, row: Any) -> Event:
        """Make one of a row of ``canonical.select_events``."""
        return cls(row.id, row.seq, row.action, row.account_id, canonical.line(row))


@dataclass(frozen=True, slots=True)
class Stream:
    """A chain, or of the destination ``webhooks`` one webhook, with events after its cursor.

    ``account_id``: None for the system's chain. ``start``: where the cursor begins when there is none yet.
    """

    id: UUID
    account_id: UUID | None
    start: int = 0


@dataclass(frozen=True, slots=True)
class Outcome:
    """How many events, from the first on, were acknowledged, and why no more. ``error`` None: nothing failed.

    ``everywhere``: the destination itself is away, so that no other stream need try now.
    """

    acknowledged: int
    error: str | None = None
    everywhere: bool = False


class Sink(Protocol):
    """An open way to one destination, for one stream."""

    actions: Sequence[str] | None

    def deliver(self, events: Sequence[Event], until: float, attempt: int) -> Outcome:
        """Deliver in order; start no further event once ``time.monotonic()`` is past ``until``."""

    def settle(self, outcome: Outcome) -> None:
        """Note what came of it, once the cursor stands."""

    def close(self) -> None:
        """Let go of what only this turn needs."""


class Destination(Protocol):
    """Something that events are sent to; ``name`` stands in ``audit_cursors``."""

    name: str
    parallel: int  # streams at once; 1 where all share one way
    first_pause: float  # seconds, doubled with each failure in a row
    longest_pause: float

    def find(
        self, connection: Connection, now: datetime, after: UUID | None, most: int
    ) -> list[Stream]:
        """Return streams that are behind; ``after``: only where an event has a greater id than that."""

    def open(self, stream: Stream) -> Sink | None:
        """Open the way for one turn; None where nothing is to be sent any more."""

    def tidy(self, in_use: Database) -> None:
        """Drop cursors of what is gone; asked about once a minute."""

    def close(self) -> None:
        """Let go of everything."""
