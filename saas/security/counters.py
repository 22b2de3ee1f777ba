"""Where hits are counted: in Redis when there is one, in the memory of this process else.

The counting itself is the `limits` library's exact moving window; this module chooses the store and
keeps it out of trouble: Redis that is away costs a quarter of a second once in five seconds.
"""

import importlib.util
import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any, cast

import structlog

if TYPE_CHECKING:
    from limits import RateLimitItem
    from limits.storage import MemoryStorage
    from limits.strategies import MovingWindowRateLimiter

    _Question = Callable[[MovingWindowRateLimiter, RateLimitItem, str], int]

_REDIS_SECONDS = 0.25  # a sign-in waits no longer for Redis to answer
_RETRY_SECONDS = 5.0  # how long Redis is left alone once it did not answer
_SWEEP_EVERY = 1000  # questions between two sweeps of the memory

_log = structlog.get_logger(__name__)
_importing = threading.Lock()


@dataclass(frozen=True, slots=True)
class Limit:
    """`amount` hits in any stretch of `seconds`."""

    amount: int
    seconds: int


class Counters:
    """Counts hits per key; raises ValueError when the Redis URL cannot be used.

    While Redis is away each process counts alone, against half the limit, and the log says so once.
    """

    def __init__(self, redis_url: str | None = None) -> None:
        self._redis_url = redis_url
        if redis_url:
            _check_redis(redis_url)
        self._lock = threading.Lock()
        self._away_until = 0.0  # monotonic; 0 while Redis answers
        self._asked = 0

    def seconds_to_wait(self, limit: Limit, key: str) -> int:
        """Count a hit and answer 0, or leave it uncounted and tell the seconds (1 or more)."""
        return self._ask(_count, limit, key)

    def forget(self, limit: Limit, key: str) -> None:
        """Drop what was counted for the key under this limit."""
        self._ask(_clear, limit, key)

    @property
    def ready(self) -> bool:
        """Whether all processes count together as set up."""
        if not self._redis_url:
            return True
        _import_limits()
        return time.monotonic() >= self._away_until and bool(self._shared.storage.check())

    def _ask(self, question: "_Question", limit: Limit, key: str) -> int:
        """Ask Redis when it is set and answers, else the memory of this process."""
        storage_error = _import_limits()
        if self._redis_url and self._may_try_redis():
            try:
                answer = question(self._shared, _item(limit), key)
            except storage_error as error:
                self._redis_went(error)
            else:
                self._redis_came()
                return answer
        if self._redis_url:
            limit = Limit(max(1, limit.amount // 2), limit.seconds)
        with self._lock:  # the memory store itself may lose counts between threads
            self._sweep()
            return question(self._local, _item(limit), key)

    @cached_property
    def _local(self) -> "MovingWindowRateLimiter":
        from limits.storage import MemoryStorage
        from limits.strategies import MovingWindowRateLimiter

        return MovingWindowRateLimiter(MemoryStorage())

    @cached_property
    def _shared(self) -> "MovingWindowRateLimiter":
        from limits.storage import RedisStorage
        from limits.strategies import MovingWindowRateLimiter
        from redis.backoff import NoBackoff
        from redis.retry import Retry

        options: dict[str, Any] = {
            "socket_timeout": _REDIS_SECONDS,
            "socket_connect_timeout": _REDIS_SECONDS,
            "retry": Retry(NoBackoff(), 0),
        }
        storage = RedisStorage(self._redis_url or "", wrap_exceptions=True, **options)
        return MovingWindowRateLimiter(storage)

    def _may_try_redis(self) -> bool:
        if not self._away_until:
            return True
        with self._lock:
            if time.monotonic() < self._away_until:
                return False
            # One thread tries while the others keep counting alone.
            self._away_until = time.monotonic() + _RETRY_SECONDS
            return True

    def _redis_went(self, error: Exception) -> None:
        with self._lock:
            known, self._away_until = self._away_until, time.monotonic() + _RETRY_SECONDS
        if not known:
            # The kind only: the text may hold the URL and with it the password.
            _log.warning("throttle_counts_alone", reason=type(error.__cause__).__name__)

    def _redis_came(self) -> None:
        if not self._away_until:
            return
        with self._lock:
            known, self._away_until = self._away_until, 0.0
        if known:
            _log.info("throttle_counts_together")

    def _sweep(self) -> None:
        """Drop keys without hits: the memory store keeps an empty list for each one ever seen."""
        self._asked += 1
        if self._asked % _SWEEP_EVERY:
            return
        storage = cast("MemoryStorage", self._local.storage)
        for key in [key for key, events in list(storage.events.items()) if not events]:
            storage.clear(key)


def _import_limits() -> type[Exception]:
    """Import the library, one thread at a time; its modules import each other, and two threads would see halves."""
    with _importing:
        from limits.errors import StorageError
    return StorageError


@cache
def _item(limit: Limit) -> "RateLimitItem":
    from limits import RateLimitItemPerSecond

    return RateLimitItemPerSecond(limit.amount, limit.seconds, namespace="throttle")


def _count(limiter: "MovingWindowRateLimiter", item: "RateLimitItem", key: str) -> int:
    if limiter.hit(item, key):
        return 0
    reset = limiter.get_window_stats(item, key).reset_time
    return max(1, math.ceil(reset - time.time()))


def _clear(limiter: "MovingWindowRateLimiter", item: "RateLimitItem", key: str) -> int:
    limiter.clear(item, key)
    return 0


def _check_redis(url: str) -> None:
    if not url.startswith(("redis://", "rediss://", "redis+unix://")):
        raise ValueError("REDIS_URL must begin with redis://, rediss:// or redis+unix://.")
    if importlib.util.find_spec("redis") is None:
        raise ValueError("REDIS_URL is set, but the redis package is not installed.")
