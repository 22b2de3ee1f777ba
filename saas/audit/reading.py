"""Reading a chain from the database in order and in pages, whoever asks: verify, export, tail.

A ``Chain`` is an account's or the system's; ``Rows`` is how its reader runs a statement: inside an account on the
tenant engine, or across accounts on the system's.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Select, bindparam, func, select

from saas import database
from saas.audit import canonical
from saas.audit.chain import SYSTEM_HEAD_ID
from saas.audit.events import AuditEvent
from saas.audit.verify import Check, Head, Link, Report
from saas.models.events import AuditEventRow, AuditHead, SystemEventRow, SystemHead

Rows = Callable[[Select[Any], Mapping[str, Any]], Sequence[Any]]
PAGE = 2000  # events read at once: a few MB
_events, _heads = AuditEventRow.__table__, AuditHead.__table__
_system, _system_head = SystemEventRow.__table__, SystemHead.__table__


class _Statements:
    """What is asked of one kind of chain, prepared once."""

    def __init__(self, events: Any, heads: Any, owner: Any, head_owner: Any) -> None:
        mine = [] if owner is None else [owner == bindparam("owner")]
        self.action = events.c.action
        self.page = (
            canonical.select_events(events)
            .where(*mine, events.c.seq > bindparam("after"), events.c.seq <= bindparam("until"))
            .order_by(events.c.seq)
            .limit(bindparam("count"))
        )
        self.head = select(heads.c.seq, heads.c.hash).where(head_owner == bindparam("owner"))
        self.beyond = (
            select(func.max(events.c.seq))
            .where(*mine, events.c.seq > self.head.with_only_columns(heads.c.seq).scalar_subquery())
        )  # fmt: skip
        self.marker = (
            select(events.c.data)
            .where(*mine, events.c.action == bindparam("action"))
            .order_by(events.c.seq.desc())
            .limit(1)
        )


_OF_ACCOUNT = _Statements(_events, _heads, _events.c.account_id, _heads.c.account_id)
_OF_SYSTEM = _Statements(_system, _system_head, None, _system_head.c.id)


@dataclass(frozen=True, slots=True)
class Chain:
    """One chain: an account's, or the system's (None)."""

    account_id: UUID | None

    @property
    def name(self) -> str:
        return "system" if self.account_id is None else str(self.account_id)

    @property
    def _statements(self) -> _Statements:
        return _OF_SYSTEM if self.account_id is None else _OF_ACCOUNT

    @property
    def _owner(self) -> dict[str, Any]:
        return {"owner": self.account_id or SYSTEM_HEAD_ID}

    def head(self, run: Rows) -> Head | None:
        """Return the head, or None where the chain has none."""
        found = run(self._statements.head, self._owner)
        return Head(found[0][0], found[0][1]) if found else None

    def pages(
        self, run: Rows, *, after: int = 0, until: int | None = None, size: int = PAGE
    ) -> Iterator[Sequence[Any]]:
        """Yield pages of rows of ``canonical.select_events`` in ascending order, memory flat."""
        owner = self._owner if self.account_id is not None else {}
        while True:
            bounds = {"after": after, "until": (1 << 63) - 1 if until is None else until}
            rows = run(self._statements.page, owner | bounds | {"count": size})
            if rows:
                yield rows
            if len(rows) < size:
                return
            after = rows[-1][0]

    def news(
        self, run: Rows, *, after: int, most: int, actions: Sequence[str] | None = None
    ) -> tuple[int, Sequence[Any]]:
        """Return the head's seq and the first rows behind ``after``, up to the head; of ``actions`` alone.

        The head is read first and what it counts is committed, so no rows means that there is nothing up to it.
        """
        head = self.head(run)
        until, page = head.seq if head else 0, self._statements.page
        if actions is not None:
            page = page.where(self._statements.action.in_(actions))
        owner = self._owner if self.account_id is not None else {}
        return until, run(page, owner | {"after": after, "until": until, "count": most})

    def pruned(self, run: Rows) -> Head | None:
        """Return the last link that pruning removed, or None where nothing was pruned."""
        action = {"action": AuditEvent.AUDIT_PRUNED.value}
        owner = self._owner if self.account_id is not None else {}
        found = run(self._statements.marker, owner | action)
        return marker_of(found[0][0]) if found else None

    def verify(self, run: Rows, *, after: Head | None = None, most: int | None = None) -> Report:
        """Verify the chain up to its head, or ``most`` events of it; ``after``: from behind a verified link."""
        head = self.head(run)
        if head is None:
            report = Report(self.name)
            report.tampered(1, "the chain has no head")
            return report
        start = after.seq if after else 0
        until = head.seq if most is None else min(head.seq, start + most)
        check = Check(self.name, after=after)
        for rows in self.pages(run, after=start, until=until):
            if not check.feed(links(rows)):
                break
        if until < head.seq:
            return check.end(None, self.pruned(run))
        report = check.end(head, self.pruned(run))
        return report if report.finding else self._nothing_beyond(run, check)

    def _nothing_beyond(self, run: Rows, check: Check) -> Report:
        # One statement sees events and head together, so what others write meanwhile is never beyond.
        beyond = run(self._statements.beyond, self._owner)[0][0]
        if beyond is not None:
            head = self.head(run)
            check.report.tampered(
                head.seq + 1 if head else 1, "it is not behind the head of the chain"
            )
        return check.report


def across(statement: Select[Any], parameters: Mapping[str, Any]) -> Sequence[Any]:
    """Run a statement across accounts (a ``Rows``), in a transaction of its own: none is held for long."""
    with database.looking_across("the audit log: verify, export or follow any chain") as connection:
        return connection.execute(statement, parameters).all()


def marker_of(data: Any) -> Head:
    """Return the link that an ``audit.pruned`` event names."""
    values = json.loads(data) if isinstance(data, str) else data
    return Head(int(values["last_seq"]), str(values["last_hash"]))


def links(rows: Sequence[Any]) -> Iterator[Link]:
    """Return of each row what a ``Check`` is fed."""
    for row in rows:
        try:
            made = canonical.digest(canonical.of_row(row[4:]))
        except (TypeError, ValueError, AttributeError):
            made = "a value that no event can have"
        yield row[0], row[1], row[2], row[3], made
