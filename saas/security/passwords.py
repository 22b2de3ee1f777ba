"""Password hashing; the rules a new password must meet are in `password_rules`.

A stored password is `v1$<key id>$<bcrypt>`: bcrypt over base64(HMAC-SHA256(pepper, NFC(password))).
The HMAC makes every password 44 bytes, because bcrypt reads only 72 and its library refuses more.
The pepper's key id stands with the hash, so that peppers can be rotated: new hashes take the
newest, old ones verify as long as their pepper is still configured.
"""

import base64
import hmac
import os
import re
import threading
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import structlog

from saas.errors import FieldError, TooManyRequestsError, ValidationFailedError
from saas.security.password_rules import MAX_LENGTH, MIN_LENGTH, check_strength

__all__ = [
    "MAX_LENGTH",
    "MIN_LENGTH",
    "check_strength",
    "configure",
    "derive",
    "hash_password",
    "needs_rehash",
    "newest_pepper",
    "verify_password",
]

_STORED = re.compile(r"v1\$([A-Za-z0-9_-]{1,32})\$(\$2b\$(\d\d)\$[./A-Za-z0-9]{53})")
_KEY_ID = re.compile(r"[A-Za-z0-9_-]{1,32}")
_SHORTEST_PEPPER = 16
_COSTS = range(4, 17)  # 4 is bcrypt's own least; 16 already takes about four seconds

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Setup:
    peppers: dict[str, bytes]
    newest: str
    cost: int
    gate: threading.BoundedSemaphore
    wait_seconds: float


_configured: list[_Setup] = []  # none or one


def configure(
    peppers: list[tuple[str, str]],
    cost: int = 12,
    *,
    concurrent: int | None = None,
    wait_seconds: float = 10.0,
) -> None:
    """Set the peppers (key id, secret; newest first), the bcrypt cost and the bound on hashing.

    `concurrent` hashes run at once in this process (default: one per core it may use); who waits
    longer than `wait_seconds` is refused. Raises ValueError when a value cannot be used.
    """
    if not peppers or len({key_id for key_id, _ in peppers}) != len(peppers):
        raise ValueError("Give at least one pepper, each with its own key id.")
    for key_id, secret in peppers:
        if not _KEY_ID.fullmatch(key_id):
            raise ValueError(f"A pepper's key id is 1-32 letters, digits, _ or -, not {key_id!r}.")
        if len(secret) < _SHORTEST_PEPPER:
            raise ValueError(f"The pepper {key_id} needs at least {_SHORTEST_PEPPER} characters.")
    if cost not in _COSTS:
        raise ValueError(f"The password cost must be {_COSTS[0]} to {_COSTS[-1]}.")
    setup = _Setup(
        peppers={key_id: secret.encode() for key_id, secret in peppers},
        newest=peppers[0][0],
        cost=cost,
        gate=threading.BoundedSemaphore(concurrent or _usable_cores()),
        wait_seconds=wait_seconds,
    )
    _configured[:] = [setup]


def hash_password(password: str) -> str:
    """The form to store, made with the newest pepper at the configured cost.

    Raises ValidationFailedError for text that cannot be a password (over 1,000 characters, lone
    surrogates) and TooManyRequestsError when too many hashes are under way.
    """
    import bcrypt  # not at start-up

    setup = _ready()
    secret = _prehash(password, setup.peppers[setup.newest])
    if secret is None:
        message = f"Use at most {MAX_LENGTH:,} ordinary characters."
        raise ValidationFailedError(field_errors=[FieldError("password", message)])
    with _turn(setup):
        hashed = bcrypt.hashpw(secret, bcrypt.gensalt(setup.cost))
    return f"v1${setup.newest}${hashed.decode()}"


def verify_password(password: str, stored: str | None) -> bool:
    """Whether the password is the stored one; every "no" takes the time of one hash at full cost.

    `None` stands for an unknown person. So do a stored value that cannot be read and one whose
    pepper is gone, which are logged as errors: both lock people out. Raises TooManyRequestsError
    when too many hashes are under way.
    """
    import bcrypt

    setup = _ready()
    key_id, hashed, cost = _read(setup, stored)
    secret = _prehash(password, setup.peppers[key_id])
    with _turn(setup):
        matches = bcrypt.checkpw(secret or b"", hashed)
        if matches and stored is not None and secret is not None:
            return True
        # A hash from before the cost was raised: 2^old + 2^old + 2^(old+1) + ... = 2^now.
        for missing in range(cost, setup.cost):
            bcrypt.checkpw(b"", _dummy(missing))
    return False


def needs_rehash(stored: str) -> bool:
    """Whether to hash again at the next sign-in: another pepper, a lower cost or another scheme."""
    setup = _ready()
    parts = _parse(stored)
    return parts is None or parts[1] != setup.newest or int(parts[3]) < setup.cost


def newest_pepper() -> str:
    """The key id of the pepper that new secrets are made with."""
    return _ready().newest


def derive(purpose: str, seed: str, key_id: str) -> bytes:
    """32 bytes that follow from a seed and a pepper, for one purpose; KeyError for a pepper that is gone."""
    pepper = _ready().peppers[key_id]
    return hmac.digest(pepper, f"{purpose}\0{seed}".encode(), "sha256")


def _ready() -> _Setup:
    if not _configured:
        raise RuntimeError("Call passwords.configure() before the first password.")
    return _configured[0]


def _usable_cores() -> int:
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def _dummy(cost: int) -> bytes:
    """A well-formed hash of nothing anybody can type; checking it takes as long as a real one."""
    return b"$2b$%02d$" % cost + b"." * 53


def _read(setup: _Setup, stored: str | None) -> tuple[str, bytes, int]:
    """Key id, bcrypt hash and cost of a stored password; those of the dummy when there is none."""
    nobody = setup.newest, _dummy(setup.cost), setup.cost
    if stored is None:
        return nobody
    parts = _parse(stored)
    if parts is None:
        _log.error("password_hash_unreadable")
        return nobody
    if parts[1] not in setup.peppers:
        _log.error("password_pepper_missing", key_id=parts[1])
        return nobody
    return parts[1], parts[2].encode(), int(parts[3])


def _parse(stored: str) -> re.Match[str] | None:
    parts = _STORED.fullmatch(stored)
    return parts if parts and int(parts[3]) in _COSTS else None


def _prehash(password: str, pepper: bytes) -> bytes | None:
    if len(password) > MAX_LENGTH:
        return None
    try:
        encoded = unicodedata.normalize("NFC", password).encode()
    except UnicodeEncodeError:  # lone surrogates: no keyboard makes them
        return None
    return base64.b64encode(hmac.digest(pepper, encoded, "sha256"))


@contextmanager
def _turn(setup: _Setup) -> Iterator[None]:
    """Hashing takes a core for a quarter of a second: more at once only slows everybody."""
    if not setup.gate.acquire(timeout=setup.wait_seconds):
        raise TooManyRequestsError(retry_after=round(setup.wait_seconds))
    try:
        yield
    finally:
        setup.gate.release()
