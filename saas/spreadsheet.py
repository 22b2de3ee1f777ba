"""Cells that a spreadsheet takes for text, and lines of CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

from saas.columns import canonical_json

# What makes a spreadsheet compute a cell, or hides what does. https://owasp.org/www-community/attacks/CSV_Injection
_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def safe_cell(value: Any) -> str:
    """Return a value as text that no spreadsheet computes: one that begins like a formula gets a quote in front."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, list | dict):
        value = canonical_json(value)
    text = str(value)
    return "'" + text if text.lstrip(" ").startswith(_STARTS) or text.startswith(_STARTS) else text


def csv_lines(head: Iterable[str], rows: Iterable[Iterable[Any]]) -> Iterator[bytes]:
    """Yield lines of CSV (RFC 4180), one at a time: whatever the number of rows, only one is held."""
    yield csv_text([head])
    for row in rows:
        yield csv_text([row])


def csv_text(rows: Iterable[Iterable[Any]]) -> bytes:
    """Return rows as CSV in one piece."""
    out = io.StringIO(newline="")
    csv.writer(out).writerows([safe_cell(cell) for cell in row] for row in rows)
    return out.getvalue().encode()
