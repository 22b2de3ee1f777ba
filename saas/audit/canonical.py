"""The bytes that are digested: the canonical JSON of an event, made from its columns as they are stored.

``select_events`` gives rows in the order of ``FIELDS``; the JSON columns come as the text that is stored, so that not
even a space in them can be changed unseen. ``chain.digest`` makes the same bytes of an event that is being written.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from json.encoder import encode_basestring
from typing import Any
from uuid import UUID

from sqlalchemy import Column, Select, Table, Text, null, select, type_coerce

from saas.columns import CanonicalJson, canonical_json
from saas.models.events import AuditEventRow

LINK = ("seq", "prev", "hash", "digest")  # what is not digested
_columns = AuditEventRow.__table__.c
FIELDS = tuple(sorted(column.name for column in _columns if column.name not in LINK))
JSON_FIELDS = frozenset(c.name for c in _columns if isinstance(c.type, CanonicalJson))


def time_text(value: datetime) -> str:
    """Return a time as the envelope has it: UTC, always with six digits, and a Z."""
    return value.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _text(value: str | None) -> str:
    return "null" if value is None else encode_basestring(value)


def _encoder(column: Column[Any]) -> Callable[[Any], str]:
    if column.name in JSON_FIELDS:
        return str
    if column.type.python_type is UUID:
        return lambda value: "null" if value is None else f'"{value}"'
    if column.type.python_type is datetime:
        return lambda value: f'"{time_text(value)}"'
    return str if column.type.python_type is int else _text


_ENCODERS = [(f'"{name}":', _encoder(_columns[name])) for name in FIELDS]


def select_events(table: Table) -> Select[Any]:
    """Return a select of an event table: seq, prev, hash and digest, then ``FIELDS`` with their JSON as text."""
    return select(*(table.c[name] for name in LINK), *(_field(table, name) for name in FIELDS))


def _field(table: Table, name: str) -> Any:
    if name not in table.c:  # the system's own chain belongs to no account
        return null().label(name)
    column = table.c[name]
    return type_coerce(column, Text).label(name) if name in JSON_FIELDS else column


def canonical(values: Sequence[Any]) -> str:
    """Return the canonical JSON of the values of ``FIELDS``; raises TypeError for one of a foreign type."""
    return (
        "{"
        + ",".join(
            [key + encode(value) for (key, encode), value in zip(_ENCODERS, values, strict=True)]
        )
        + "}"
    )


def digest(values: Sequence[Any]) -> str:
    """Return the digest of an event from the values of ``FIELDS``, as they are stored."""
    return sha256(canonical(values).encode()).hexdigest()


def digest_of(event: Mapping[str, Any]) -> str:
    """Return the digest of an event that is about to be written, in Python's own values."""
    return digest(
        [canonical_json(event[name]) if name in JSON_FIELDS else event[name] for name in FIELDS]
    )


def line(row: Sequence[Any]) -> str:
    """Return a row of ``select_events`` as one line of JSON: the envelope with its link, as the API shows it."""
    seq, prev, hashed, digested = row[:4]
    tail = f',"digest":"{digested}","hash":"{hashed}","prev":"{prev}","seq":{seq}}}'
    return canonical(row[4:])[:-1] + tail
