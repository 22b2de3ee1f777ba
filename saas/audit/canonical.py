"""The bytes that are digested: the canonical JSON of an event, made from its columns as they are stored.

``select_events`` gives rows in the order of ``FIELDS``; the JSON columns come as the text that is stored, so that not
even a space in them can be changed unseen. ``of_event`` makes the same bytes of an event that is being written.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import orjson
from orjson import Fragment
from sqlalchemy import Select, Table, Text, null, select, type_coerce

from saas.columns import CanonicalJson
from saas.models.events import AuditEventRow

LINK = ("seq", "prev", "hash", "digest")  # what is not digested
_columns = AuditEventRow.__table__.c
FIELDS = tuple(sorted(column.name for column in _columns if column.name not in LINK))
JSON_FIELDS = frozenset(c.name for c in _columns if isinstance(c.type, CanonicalJson))


def time_text(value: datetime) -> str:
    """Return a time as the envelope has it: UTC, always with six digits, and a Z."""
    return value.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def select_events(table: Table) -> Select[Any]:
    """Return a select of an event table: seq, prev, hash and digest, then ``FIELDS`` with their JSON as text."""
    return select(*(table.c[name] for name in LINK), *(_field(table, name) for name in FIELDS))


def _field(table: Table, name: str) -> Any:
    if name not in table.c:  # the system's own chain belongs to no account
        return null().label(name)
    column = table.c[name]
    return type_coerce(column, Text).label(name) if name in JSON_FIELDS else column


def of_row(values: Sequence[Any]) -> bytes:
    """Return the canonical JSON of the values of ``FIELDS``; raises TypeError for one of a foreign type."""
    event = dict(zip(FIELDS, values, strict=True))
    event["time"] = time_text(event["time"])
    for name in JSON_FIELDS:
        event[name] = Fragment(event[name])
    return orjson.dumps(event)  # in the order of FIELDS, which is the canonical one


def of_event(event: dict[str, Any]) -> bytes:
    """Return the canonical JSON of an event that is about to be written, in Python's own values."""
    return orjson.dumps(event | {"time": time_text(event["time"])}, option=orjson.OPT_SORT_KEYS)


def digest(body: bytes) -> str:
    """Return the digest of the canonical JSON of an event."""
    return sha256(body).hexdigest()


def linked(body: bytes, seq: int, prev: str, hashed: str, digested: str) -> bytes:
    """Return the canonical JSON of an event together with its link: the event as the API and every export show it."""
    tail = f',"digest":"{digested}","hash":"{hashed}","prev":"{prev}","seq":{seq}}}'
    return body[:-1] + tail.encode()


def line(row: Sequence[Any]) -> bytes:
    """Return a row of ``select_events`` as one line of JSON: the envelope with its link, as the API shows it."""
    return linked(of_row(row[4:]), *row[:4])
