"""Secrets that we must be able to use again, encrypted at rest: webhooks are signed with theirs.

Fernet (AES-128-CBC with HMAC-SHA256) under keys derived from SECRET_KEY by HKDF (RFC 5869); SECRET_KEY_FALLBACKS
open what former keys have sealed. Each text is bound to the place it is for, so that moving it to another row or
account opens nothing.
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography.fernet import MultiFernet

_INFO = b"tenantry secret box 1"
_keys: list[tuple[str, ...]] = []  # none or one


class SealBrokenError(Exception):
    """A sealed secret opens with no key that is configured, or was sealed for another place."""


def configure(keys: Sequence[str]) -> None:
    """Set the secrets that the box's keys are derived from, the present one first."""
    _keys[:] = [tuple(keys)]


def seal(secret: str, place: str) -> str:
    """Return the encrypted secret; only ``unseal`` with the same ``place`` opens it."""
    return _box(*_ready()).encrypt(f"{place}\0{secret}".encode()).decode("ascii")


def unseal(sealed: str, place: str) -> str:
    """Return the secret; raises SealBrokenError."""
    from cryptography.fernet import InvalidToken

    try:
        opened = _box(*_ready()).decrypt(sealed.encode("ascii", "replace")).decode()
    except InvalidToken:
        raise SealBrokenError("no configured SECRET_KEY opens it") from None
    where, _, secret = opened.partition("\0")
    if where != place:
        raise SealBrokenError("it was sealed for another place")
    return secret


def _ready() -> tuple[str, ...]:
    if not _keys:
        raise RuntimeError("Call secret_box.configure() before the first secret.")
    return _keys[0]


@cache
def _box(*keys: str) -> MultiFernet:
    from cryptography.fernet import Fernet, MultiFernet  # not at start-up

    return MultiFernet([Fernet(urlsafe_b64encode(_derived(key))) for key in keys])


def _derived(key: str) -> bytes:
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    return HKDF(SHA256(), length=32, salt=None, info=_INFO).derive(key.encode())
