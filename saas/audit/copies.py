"""A copy of the log kept outside: verified by itself, and held against the log that the database has now.

A chain cannot show that its end was rewritten together with its head; a copy of that end can.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby, islice
from typing import Any
from uuid import UUID

import orjson

from saas.audit import canonical
from saas.audit import chain as chain_module
from saas.audit.events import AuditEvent
from saas.audit.reading import Chain, Rows, marker_of
from saas.audit.verify import Check, Head, Link, Report

_AT_ONCE = 1000


class UnreadableCopyError(ValueError):
    """A file is no export in NDJSON; the message names the line."""


def verify(lines: Iterable[bytes]) -> list[Report]:
    """Verify an export by itself, without a database: one report a chain. Raises UnreadableCopyError.

    What was left out, by a filter or because the export ended early, makes it incomplete; it cannot show that there
    was more behind its last event.
    """
    checks: dict[str, Check] = {}
    markers: dict[str, Head] = {}
    for event in read(lines):
        name = event["account_id"] or "system"
        check = checks.setdefault(name, Check(name, whole=False))
        check.feed([_link(event)])
        if event.get("action") == AuditEvent.AUDIT_PRUNED:
            markers[name] = marker_of(event["data"])
    return [check.end(None, markers.get(name)) for name, check in checks.items()]


def compare(lines: Iterable[bytes], run: Rows, only: set[str] | None = None) -> list[Report]:
    """Hold a database against a copy: every event of the copy must be there with the same hash, unless it was pruned.

    ``only``: the names of the chains that are asked about. Raises UnreadableCopyError.
    """
    reports: dict[str, Report] = {}
    pruned: dict[str, Head | None] = {}
    for name, batch in _batches(lines):
        if only is not None and name not in only:
            continue
        chain = Chain(None if name == "system" else UUID(name))
        report = reports.setdefault(name, Report(f"{name} against the copy"))
        if name not in pruned:
            pruned[name] = chain.pruned(run)
        _compare(report, batch, chain, run, pruned[name])
    return list(reports.values())


def _compare(
    report: Report, batch: list[dict[str, Any]], chain: Chain, run: Rows, gone: Head | None
) -> None:
    first, last = batch[0]["seq"], max(event["seq"] for event in batch)
    pages = chain.pages(run, after=first - 1, until=last)
    here = {row[0]: row[2] for rows in pages for row in rows}
    for event in batch:
        seq = event["seq"]
        if gone is not None and seq <= gone.seq:
            if seq == gone.seq and event["hash"] != gone.hash:
                report.tampered(seq, "what was pruned is not what the copy has")
            continue
        if seq not in here:
            report.tampered(seq, "the copy has it, the log does not")
        elif here[seq] != event["hash"]:
            report.tampered(seq, "the copy has another event of this number")
        report.events += 1
        report.first_seq, report.last_seq = report.first_seq or seq, seq


def _batches(lines: Iterable[bytes]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    for name, events in groupby(read(lines), key=lambda event: event["account_id"] or "system"):
        while batch := list(islice(events, _AT_ONCE)):
            yield name, batch


def read(lines: Iterable[bytes]) -> Iterator[dict[str, Any]]:
    """Yield the events of an export in NDJSON; raises UnreadableCopyError."""
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        yield _read(line, number)


def _read(line: bytes, number: int) -> dict[str, Any]:
    event: dict[str, Any] = {}
    try:
        event = orjson.loads(line)
        account_id = event["account_id"]
        if account_id is not None:
            UUID(account_id)
        fits = type(event["seq"]) is int and all(
            type(event[name]) is str for name in canonical.LINK[1:]
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        fits = False
    if not fits:
        raise UnreadableCopyError(f"Line {number} is no event of an export in NDJSON.")
    return event


def _link(event: dict[str, Any]) -> Link:
    made = chain_module.digest(event)
    return event["seq"], event["prev"], event["hash"], event["digest"], made
