"""Canary secrets: what the suite drives through the product bears a mark, and no mark may turn up where none belongs.

Passwords: nowhere. Tokens of sessions, links and keys, and secrets of webhooks: in what is handed out once, and in the
mails that carry their links; never in an event, a log line or an error.
"""

from __future__ import annotations

import base64
import re
import secrets
from collections.abc import Callable
from typing import Any

import flask
from sqlalchemy import Text, cast, or_, select

from config.log_writer import LineWriter
from saas.models import AuditEventRow, SystemEventRow
from saas.security import signing, tokens

MARK = "c4n4ry"
PASSWORDS = ("horse battery", "quiet herons", "another phrase 5")
_ANY = re.compile("|".join((MARK, *PASSWORDS)).encode())
_PASSWORD = re.compile("|".join(PASSWORDS).encode())

found: list[str] = []
_new_token = tokens.new_token


def release() -> None:
    """Mark every secret that is made from now on, and watch every line of the log."""
    tokens.new_token = _marked_token
    signing.new_secret = _marked_secret
    LineWriter.write = _watched(LineWriter.write)  # type: ignore[method-assign]


def _marked_token() -> str:
    """A token of the product's own making, its first characters overwritten."""
    return MARK + _new_token()[len(MARK) :]


def _marked_secret() -> str:
    return (
        "whsec_"
        + base64.b64encode(base64.b64decode(f"{MARK}AA") + secrets.token_bytes(26)).decode()
    )


def _watched(write: Callable[[LineWriter, bytes], None]) -> Callable[[LineWriter, bytes], None]:
    def watched(writer: LineWriter, line: bytes) -> None:
        if _ANY.search(line):
            found.append(f"a log line: {line[:2000]!r}")
        write(writer, line)

    return watched


def watch(app: flask.Flask) -> None:
    """Look at every error that an app answers with. A page may show a token again to whoever has just sent it."""

    @app.after_request
    def look(response: flask.Response) -> flask.Response:
        if response.status_code >= 400 and not response.is_streamed:
            hidden = _ANY if response.mimetype == "application/json" else _PASSWORD
            if hidden.search(response.get_data()):
                found.append(f"an error: {response.get_data()[:2000]!r}")
        return response


def in_events(connection: Any) -> list[str]:
    """Return what of the marks stands in the two logs, read past every policy."""
    told = []
    for table in (AuditEventRow.__table__, SystemEventRow.__table__):
        texts = [cast(c, Text) for c in table.c if c.name not in ("seq", "time", "v")]
        hits = or_(*(text.contains(mark) for text in texts for mark in (MARK, *PASSWORDS)))
        told += [
            f"{table.name}: {dict(row._mapping)}"
            for row in connection.execute(select(table).where(hits).limit(3))
        ]
    return told


def in_mail(raw: bytes) -> bool:
    """Say whether a password stands in a mail."""
    return _PASSWORD.search(raw) is not None
