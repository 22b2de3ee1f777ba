"""A bound on what refusals may write: the first ones are told one by one, the others counted and summarised.

An attacker chooses how many refusals there are, so their number must neither fill the log nor hold up its chain. What
succeeds never passes here: nothing that changed anything is ever summarised.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

_Said = TypeVar("_Said")

# Times the limit of one source: how many sources are told apart in a window. All further ones share one summary.
MOST_SOURCES = 20
MOST_ALONE = 10  # times the limit of one source: what all of them may write one by one in a window


@dataclass(slots=True)
class _Source(Generic[_Said]):
    ends: float
    told: int = 0
    untold: list[_Said] = field(default_factory=list)  # the first of them, as the example
    count: int = 0


class FloodGate(Generic[_Said]):
    """Lets ``limit`` refusals of one source through in ``seconds``; counts the others. Bounded in memory, thread-safe.

    ``family``: what shares the bound over all sources, such as one kind of event in one chain.
    """

    def __init__(
        self, limit: int, seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.limit, self.seconds = limit, seconds
        self._clock = clock
        self._sources: dict[tuple[Hashable, Hashable], _Source[_Said]] = {}
        self._lock = threading.Lock()

    def admit(self, family: Hashable, source: Hashable, said: _Said) -> bool:
        """Say whether this refusal is told by itself; otherwise it is counted for the summary of its source."""
        with self._lock:
            whole = self._of(family, None)
            here = self._of(family, source) if self._has_room(family, source) else whole
            if (
                here.told < self.limit
                and whole.told < self.limit * MOST_ALONE
                and here is not whole
            ):
                here.told += 1
                whole.told += 1
                return True
            here.count += 1
            if not here.untold:
                here.untold.append(said)
            return False

    def due(self, *, all_of_it: bool = False) -> list[tuple[_Said, int]]:
        """Return the first refusal and the number of those that were counted, of every source whose window is over."""
        now = self._clock()
        with self._lock:
            over = [k for k, s in self._sources.items() if all_of_it or s.ends <= now]
            gone = [self._sources.pop(key) for key in over]
        return [(source.untold[0], source.count) for source in gone if source.count]

    def wait(self) -> float | None:
        """Return the seconds until a summary is due, or None when nothing is counted."""
        with self._lock:
            ends = [s.ends for s in self._sources.values() if s.count]
        return max(0.0, min(ends) - self._clock()) if ends else None

    def _has_room(self, family: Hashable, source: Hashable) -> bool:
        most = self.limit * MOST_SOURCES
        if (family, source) in self._sources or len(self._sources) < most:
            return True
        # Windows that are over without a count are nobody's any more, and must keep no newcomer out.
        now = self._clock()
        for key in [k for k, s in self._sources.items() if s.ends <= now and not s.count]:
            del self._sources[key]
        return len(self._sources) < most

    def _of(self, family: Hashable, source: Hashable) -> _Source[_Said]:
        found = self._sources.get((family, source))
        now = self._clock()
        if found is None or (found.ends <= now and not found.count):
            found = self._sources[family, source] = _Source(now + self.seconds)
        return found
