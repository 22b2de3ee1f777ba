"""Exports of the log: NDJSON (the envelope, as it was digested), CSV for spreadsheets, ECS for SIEMs. Memory is flat.

Only NDJSON can be verified, because only there stands every byte that was digested.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import orjson

from saas import spreadsheet
from saas.audit import canonical
from saas.columns import canonical_json

MEDIA_TYPES = {
    "ndjson": "application/x-ndjson",
    "csv": "text/csv; charset=utf-8",
    "ecs": "application/x-ndjson",
}
_ECS_VERSION = "8.17.0"
_COLUMNS = ("seq", *canonical.FIELDS, "digest", "prev", "hash")
_ECS_TYPES = {"c": "creation", "r": "access", "u": "change", "d": "deletion", "x": "info"}
_ECS_SIGN_IN_TYPES = {"c": "start", "d": "end"}
_ECS_OUTCOMES = {"success": "success", "denied": "failure", "failure": "failure"}
_ECS_CATEGORIES = {
    "session": "authentication", "sign_in": "authentication", "password": "authentication",
    "access": "api", "request": "api", "visitor": "api",
    "audit": "configuration", "webhook": "configuration",
}  # fmt: skip


def export(pages: Iterable[Sequence[Any]], form: str) -> Iterator[bytes]:
    """Yield an export of pages of ``canonical.select_events`` rows, one piece a page; ``form``: of MEDIA_TYPES."""
    write = {"ndjson": _ndjson, "csv": _csv, "ecs": _ecs}[form]
    if form == "csv":
        yield spreadsheet.csv_text([_COLUMNS])
    for rows in pages:
        yield write(rows)


def as_event(row: Sequence[Any]) -> dict[str, Any]:
    """Return a row as the event that the API shows."""
    event: dict[str, Any] = orjson.loads(canonical.line(row))
    return event


def _ndjson(rows: Sequence[Any]) -> bytes:
    return b"".join([canonical.line(row) + b"\n" for row in rows])


def _csv(rows: Sequence[Any]) -> bytes:
    return spreadsheet.csv_text([event[name] for name in _COLUMNS] for event in map(as_event, rows))


def _ecs(rows: Sequence[Any]) -> bytes:
    return "".join([canonical_json(to_ecs(as_event(row))) + "\n" for row in rows]).encode()


def to_ecs(event: dict[str, Any]) -> dict[str, Any]:
    """Return an event in the Elastic Common Schema; what ECS has no field for stands whole under ``tenantry``.

    https://www.elastic.co/guide/en/ecs/8.17/ecs-field-reference.html
    """
    fields = {
        "@timestamp": event["time"],
        "ecs": {"version": _ECS_VERSION},
        "message": event["action"],
        "event": _ecs_event(event),
        "organization": {"id": event["account_id"]},
        "user": {"id": event["actor_id"], "name": event["actor_label"]},
        "source": {"ip": event["ip"]},
        "user_agent": {"original": event["user_agent"]},
        "http": {"request": {"id": event["request_id"]}},
        "url": {"path": event["route"]},
        "log": {"level": event["severity"], "logger": "audit"},
        "tenantry": event,
    }
    return {key: value for key, value in map(_told, fields.items()) if value not in (None, {})}


def _ecs_event(event: dict[str, Any]) -> dict[str, Any]:
    category = _ECS_CATEGORIES.get(event["action"].partition(".")[0], "iam")
    kind = _ECS_TYPES[event["crud"]]
    if category == "authentication":
        kind = _ECS_SIGN_IN_TYPES.get(event["crud"], "info")
    return {
        "kind": "event",
        "id": event["id"],
        "action": event["action"],
        "category": [category],
        "type": ["denied" if event["outcome"] == "denied" else kind],
        "outcome": _ECS_OUTCOMES[event["outcome"]],
        "reason": event["reason"],
        "sequence": event["seq"],
        "hash": event["hash"],
        "dataset": "tenantry.audit",
    }


def _told(item: tuple[str, Any]) -> tuple[str, Any]:
    key, value = item
    if key != "tenantry" and isinstance(value, dict):
        value = {name: each for name, each in map(_told, value.items()) if each not in (None, {})}
    return key, value
