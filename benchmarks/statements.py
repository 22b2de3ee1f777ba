"""The SQL statements of one request, as PostgreSQL itself logs them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import flask
from psycopg import Connection, errors
from sqlalchemy import event

from benchmarks.instructions import call

_LOGGED = re.compile(r"(statement|execute [^:]*): (.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement, and whether PostgreSQL had it prepared: parsing and planning it again doubles its work."""

    text: str
    prepared: bool

    @property
    def is_transaction(self) -> bool:
        """Whether it only begins or ends the transaction."""
        return self.text.lstrip().startswith(("BEGIN", "COMMIT", "ROLLBACK"))


def of_one_request(app: flask.Flask, cookie: str) -> list[Statement]:
    """Return every statement of one request on warm connections, BEGIN and COMMIT among them.

    The session of each new connection sends its own log lines to the client, where they are collected.
    """
    seen: list[Statement] = []
    database = app.extensions["database"]

    def listen(connection: Connection[Any], record: Any) -> None:
        connection.add_notice_handler(lambda notice: _collect(notice, seen))

    event.listen(database.tenant_engine, "connect", listen)
    database.dispose()
    for _ in range(10):
        seen.clear()
        call(app, cookie)
    event.remove(database.tenant_engine, "connect", listen)
    database.dispose()
    return list(seen)


def _collect(notice: errors.Diagnostic, seen: list[Statement]) -> None:
    found = _LOGGED.match(notice.message_primary or "")
    if found:
        seen.append(Statement(found[2], prepared=found[1].startswith("execute _pg3_")))
