"""Keyset paging: prepared lists, newest first, with cursors that cannot be forged. No OFFSET, no counts."""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, bindparam

from saas import errors
from saas.unit import Unit

_SIGNATURE = 8  # bytes: a forged cursor would open a page of the forger's own account, no more
_secret: list[bytes] = []  # none or one


def configure(secret: str) -> None:
    """Set the secret that cursors are signed with (a change ends cursors that are out, nothing else)."""
    _secret[:] = [hmac.digest(secret.encode(), b"tenantry cursor", "sha256")]


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list: its rows, and where the next page begins (None: this is the last)."""

    items: list[Any]
    next_cursor: str | None


class Keyset:
    """A list prepared once at import: two statements, the first page and the pages after it.

    ``name`` goes into the signature of its cursors, ``owner`` is the column every row is chosen by (the account,
    or the identity for what belongs to a person), ``key`` the unique column it is ordered by, newest first.
    """

    def __init__(
        self,
        name: str,
        statement: Select[Any],
        *,
        owner: ColumnElement[Any],
        key: ColumnElement[Any],
    ) -> None:
        self.name = name
        self._first = (
            statement.where(owner == bindparam("owner"))
            .order_by(key.desc())
            .limit(bindparam("count"))
        )
        self._next = self._first.where(key < bindparam("after"))

    def page(
        self, unit: Unit, owner: UUID, *, limit: int, cursor: str | None, **parameters: Any
    ) -> Page:
        """Return one page of ``limit`` rows; raises ValidationFailedError for a cursor that is not of this list."""
        parameters |= {"owner": owner, "count": limit + 1}
        if cursor is None:
            rows = unit.rows(self._first, parameters)
        else:
            rows = unit.rows(
                self._next, parameters | {"after": open_cursor(self.name, owner, cursor)}
            )
        return cut(self.name, owner, rows, limit)


def cut(name: str, owner: UUID, rows: list[Any], limit: int, key: str = "id") -> Page:
    """Make a page of ``limit`` rows out of ``limit + 1``: the one too many says that there is a next page."""
    if len(rows) <= limit:
        return Page(rows, None)
    return Page(rows[:limit], make_cursor(name, owner, getattr(rows[limit - 1], key)))


def make_cursor(name: str, owner: UUID, key: UUID | int) -> str:
    """Return the opaque cursor that continues after ``key`` in one list of one owner."""
    raw = key.bytes if isinstance(key, UUID) else key.to_bytes(8, "big")
    return _text(raw + _signature(name, owner, raw))


def open_cursor(name: str, owner: UUID, unsafe_cursor: str) -> Any:
    """Return the key in a cursor, UUID or int; raises ValidationFailedError for one not made for this list."""
    try:
        sealed = urlsafe_b64decode(unsafe_cursor + "=" * (-len(unsafe_cursor) % 4))
    except (Base64Error, ValueError):
        sealed = b""
    if _text(sealed) != unsafe_cursor:
        sealed = b""  # base64 has several spellings of one value; ours is the only one
    raw, signature = sealed[:-_SIGNATURE], sealed[-_SIGNATURE:]
    if len(raw) not in (8, 16) or not hmac.compare_digest(signature, _signature(name, owner, raw)):
        raise errors.ValidationFailedError(
            field_errors=[
                errors.FieldError("cursor", "This cursor is not of this list. Start without one.")
            ]
        )
    return UUID(bytes=raw) if len(raw) == 16 else int.from_bytes(raw, "big")


def _text(sealed: bytes) -> str:
    return urlsafe_b64encode(sealed).decode().rstrip("=")


def _signature(name: str, owner: UUID, raw: bytes) -> bytes:
    if not _secret:
        raise RuntimeError("saas.paging.configure() was not called")
    return hmac.digest(_secret[0], name.encode() + owner.bytes + raw, "sha256")[:_SIGNATURE]
