"""Limits on sign-in and sign-up, counted in memory or in Redis.

The scheme for signing in. Every try counts twice: for the address it comes from (the setting, such
as `10/minute`), and for the pair of address and identity over sixty times as long (ten times as
many: `100/hour`), which slows a patient guesser. Nothing is counted for an identity alone: such a
counter could be filled by strangers and would lock the owner out. Guessing from many addresses is
slowed by the bound on concurrent hashes and by the rules for passwords instead.
"""

import hashlib
import ipaddress
import re
from collections.abc import Mapping

from saas.errors import TooManyRequestsError
from saas.security.counters import Counters, Limit

_LIMIT = re.compile(r"(\d{1,9})\s*(?:/|per)\s*(\d{0,6})\s*(second|minute|hour|day)s?")
_SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}
_PAIR_TIMES, _PAIR_WINDOWS = 10, 60


def parse_limit(text: str) -> Limit:
    """Read `10/minute`, `5 per 2 hours`; raises ValueError for anything else."""
    parts = _LIMIT.fullmatch(text.strip())
    if parts is None or not int(parts[1]) or (parts[2] and not int(parts[2])):
        raise ValueError(f"The limit {text!r} is not of the form 10/minute.")
    return Limit(int(parts[1]), int(parts[2] or 1) * _SECONDS[parts[3]])


class Throttle:
    """Named limits over any keys; raises ValueError when a limit or the Redis URL is unusable.

    Without `redis_url` each process counts for itself, with it all count together. Redis that is
    away never fails a request: see `counters`.
    """

    def __init__(self, limits: Mapping[str, str], redis_url: str | None = None) -> None:
        self._limits = {name: parse_limit(text) for name, text in limits.items()}
        self._counters = Counters(redis_url)

    def hit(self, name: str, *keys: str | None) -> None:
        """Count one try; raises TooManyRequestsError with the seconds to wait.

        A try that is refused is not counted. Keys are compared without case and outer spaces; an
        IPv6 address counts as its /64 network, which is what one customer line has.
        """
        self._count(name, self._limits[name], keys)

    def hit_sign_in(self, address: str | None, identity: str) -> None:
        """Count one sign-in as the scheme above tells; `identity` is the key of the email."""
        limit = self._limits["sign_in"]
        self._count("sign_in", limit, (address,))
        self._count("sign_in_pair", _pair_limit(limit), (address, identity))

    def forgive_sign_in(self, address: str | None, identity: str) -> None:
        """Forget the pair's tries after a right password; the address stays counted."""
        key = _key("sign_in_pair", (address, identity))
        self._counters.forget(_pair_limit(self._limits["sign_in"]), key)

    @property
    def ready(self) -> bool:
        """Whether all processes count together as set up; with False the throttle still works."""
        return self._counters.ready

    def _count(self, name: str, limit: Limit, keys: tuple[str | None, ...]) -> None:
        wait = self._counters.seconds_to_wait(limit, _key(name, keys))
        if wait:
            raise TooManyRequestsError(retry_after=wait)


def _pair_limit(limit: Limit) -> Limit:
    longest = max(limit.seconds, _SECONDS["day"])
    return Limit(limit.amount * _PAIR_TIMES, min(limit.seconds * _PAIR_WINDOWS, longest))


def _key(name: str, keys: tuple[str | None, ...]) -> str:
    """Hashed, so that neither a log of Redis nor its memory tells who signs in."""
    text = "\n".join(_comparable(key or "") for key in keys)
    return f"{name}/{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()[:32]}"


def _comparable(key: str) -> str:
    key = key.strip().casefold()
    if ":" not in key:
        return key
    try:
        address = ipaddress.IPv6Address(key)
    except ValueError:
        return key
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return str(ipaddress.IPv6Network((int(address) >> 64 << 64, 64)))
