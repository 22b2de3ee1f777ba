"""The account's own audit log: read, exported, verified."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, select

from saas import database, errors, paging
from saas.actor import Actor
from saas.audit import canonical, export
from saas.audit.events import AuditEvent
from saas.audit.reading import Chain
from saas.audit.record import Target, record
from saas.audit.verify import Head, Report
from saas.models import AuditEventRow
from saas.paging import Page
from saas.permissions import Permission, require
from saas.unit import AnyRow
from tenants import enter_account

MOST_VERIFIED = 50_000  # events in one call, about a second
_EXPORT_PAGE = 1000
_table = AuditEventRow.__table__
_events = _table.c


@dataclass(frozen=True, slots=True)
class Filters:
    """Which events are wanted; None: all of them."""

    action: str | None = None
    actor_id: str | None = None
    target_id: str | None = None
    outcome: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    def applied(self, statement: Select[Any]) -> Select[Any]:
        """Return the statement with these filters."""
        for name in ("action", "actor_id", "target_id", "outcome"):
            value = getattr(self, name)
            statement = statement if value is None else statement.where(_events[name] == value)
        if self.since is not None:
            statement = statement.where(_events.time >= self.since)
        return statement if self.until is None else statement.where(_events.time < self.until)

    def told(self) -> dict[str, str]:
        """Return the filters that are set, as an event tells them."""
        values = ((field.name, getattr(self, field.name)) for field in fields(self))
        return {
            name: canonical.time_text(value) if isinstance(value, datetime) else value
            for name, value in values
            if value is not None
        }


ALL = Filters()


def list_events(
    actor: Actor,
    *,
    limit: int = 20,
    cursor: str | None = None,
    after_seq: int | None = None,
    filters: Filters = ALL,
) -> Page:
    """Return one page of the account's events: newest first, or ascending for readers that pass ``after_seq``.

    ``seq`` has no gaps, so a reader that continues after the last seq it saw can miss nothing.
    """
    require(actor, Permission.AUDIT_READ)
    owner = actor.account_id
    statement = filters.applied(select(_table).where(_events.account_id == owner))
    if after_seq is not None:
        statement = statement.where(_events.seq > after_seq).order_by(_events.seq)
    elif cursor is not None:
        statement = statement.where(
            _events.seq < paging.open_cursor("audit", owner, cursor)
        ).order_by(_events.seq.desc())
    else:
        statement = statement.order_by(_events.seq.desc())
    with database.reading() as unit:
        rows = unit.rows(statement.limit(limit + 1), {})
    if after_seq is not None:
        return Page(rows[:limit], None)
    return paging.cut("audit", owner, rows, limit, key="seq")


def read_event(actor: Actor, *, event_id: UUID) -> AnyRow:
    """Return one event of the account; raises NotFoundError for an id that this account does not have."""
    require(actor, Permission.AUDIT_READ)
    with database.reading() as unit:
        statement = select(_table).where(
            _events.account_id == actor.account_id, _events.id == event_id
        )
        found = unit.rows(statement, {})
    if not found:
        raise errors.NotFoundError
    return found[0]


def export_events(actor: Actor, *, form: str, filters: Filters) -> Iterator[bytes]:
    """Return an export of the account's events up to now, oldest first, in pieces; it is recorded before it begins.

    ``form``: of ``export.MEDIA_TYPES``. Each piece is read in a transaction of its own, so that a slow reader holds
    none; events are only ever added, so what is read is one state of the log.
    """
    require(actor, Permission.AUDIT_EXPORT)
    chain = Chain(actor.account_id)
    with database.apart(), database.unit_of_work() as unit:
        head = chain.head(unit.rows)
        until = head.seq if head else 0
        data = {"format": form, "filters": filters.told(), "until_seq": until}
        target = Target("account", str(actor.account_id), actor.account_name)
        record(AuditEvent.AUDIT_EXPORTED, actor=actor, target=target, data=data)
    pages = _pages(database.current_database(), actor.account_id, filters, until)
    return export.export(pages, form)


def _pages(
    in_use: database.Database, owner: UUID, filters: Filters, until: int
) -> Iterator[Sequence[AnyRow]]:
    """Yield pages of rows, each read by itself: between two of them nothing is open and no account is entered."""
    statement = filters.applied(canonical.select_events(_table).where(_events.account_id == owner))
    statement = statement.where(_events.seq <= until).order_by(_events.seq).limit(_EXPORT_PAGE)
    after = 0
    while True:
        with (
            database.use(in_use),
            enter_account(owner),
            database.apart(),
            database.reading() as unit,
        ):
            rows = unit.rows(statement.where(_events.seq > after), {})
        if rows:
            yield rows
        if len(rows) < _EXPORT_PAGE:
            return
        after = rows[-1][0]


def verify_events(actor: Actor, *, after_seq: int = 0) -> Report:
    """Verify the account's chain from the first event there is, or behind ``after_seq``; at most MOST_VERIFIED events.

    Raises ValidationFailedError for an ``after_seq`` that the account does not have.
    """
    require(actor, Permission.AUDIT_READ)
    chain = Chain(actor.account_id)
    with database.reading() as unit:
        after = None
        if after_seq:
            link = select(_events.seq, _events.hash)
            found = unit.rows(
                link.where(_events.account_id == actor.account_id, _events.seq == after_seq), {}
            )
            if not found:
                problem = errors.FieldError("after_seq", "The account has no event of this number.")
                raise errors.ValidationFailedError(field_errors=[problem])
            after = Head(found[0].seq, found[0].hash)
        return chain.verify(unit.rows, after=after, most=MOST_VERIFIED)
