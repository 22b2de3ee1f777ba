"""The audit explorer: every account's log, and the house's own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Annotated, Any, Literal
from urllib.parse import urlencode
from uuid import UUID

import flask
from flask_admin import expose
from pydantic import Field

from admin import gate
from admin.guarded import ConsolePage, asks, read_query
from saas import errors, spreadsheet
from saas.audit import chain
from saas.audit.events import AuditEvent
from saas.operator import ConsolePermission, why_not
from saas.schemas.audit_schemas import Moment
from saas.schemas.fields import BLANK_IS_NONE, In, TextRule
from saas.schemas.list_schemas import Cursor
from saas.services import console_audit_services
from saas.services.console_audit_services import EventFilter

_Text = Annotated[Annotated[str, TextRule(254)] | None, BLANK_IS_NONE]
_COLUMNS = (
    "id", "time", "account_id", "account_name", "seq", "action", "outcome", "actor_type", "actor_id", "actor_label",
    "on_behalf_of_label", "target_type", "target_id", "target_label", "reason", "changes", "data", "request_id",
    "ip", "channel", "route", "hash",
)  # fmt: skip
DAYS = ("1", "7", "30", "90", "all")


class EventsQuery(In):
    """The filters of the explorer, as the address has them."""

    log: Literal["accounts", "house"] = "accounts"
    account_id: Annotated[UUID | None, BLANK_IS_NONE] = None
    action: _Text = None
    actor: _Text = None
    target_id: _Text = None
    outcome: Annotated[Literal["success", "denied", "failure"] | None, BLANK_IS_NONE] = None
    request_id: _Text = None
    days: Literal["1", "7", "30", "90", "all"] = "7"
    since: Annotated[Moment | None, BLANK_IS_NONE] = Field(None, alias="from")
    until: Annotated[Moment | None, BLANK_IS_NONE] = Field(None, alias="to")
    cursor: Cursor | None = None
    format: Literal["csv", "ndjson"] = "csv"

    def filter(self) -> EventFilter:
        """Return what the service is asked."""
        days = None if self.days == "all" or self.since is not None else int(self.days)
        return EventFilter(
            self.log, self.account_id, self.action, self.actor, self.target_id, self.outcome,
            self.request_id, days, self.since, self.until,
        )  # fmt: skip

    def asked(self) -> dict[str, str]:
        """Return what differs from the plain page, as the address has it."""
        plain = EventsQuery.from_strings({})
        values = self.model_dump(mode="json", by_alias=True, exclude={"cursor", "format"})
        usual = plain.model_dump(mode="json", by_alias=True)
        return {k: str(v) for k, v in values.items() if v is not None and v != usual[k]}


class AuditPage(ConsolePage):
    """``/admin/audit/``."""

    @asks(ConsolePermission.AUDIT_READ)
    @expose("/")
    def index(self) -> Any:
        """Show one page of events as the address asks for them."""
        operator = gate.current_operator()
        try:
            query = read_query(EventsQuery)
        except errors.ValidationFailedError as error:
            problems = {problem.field: problem.message for problem in error.field_errors}
            html = self._draw(EventsQuery.from_strings({}), None, problems)
            return flask.make_response(html, error.status)
        page = console_audit_services.list_events(operator, query.filter(), cursor=query.cursor)
        return self._draw(query, page, {})

    @asks(ConsolePermission.AUDIT_READ)
    @expose("/<uuid:event_id>/")
    def show(self, event_id: UUID) -> str:
        """Show all of one event, in words and as JSON."""
        operator = gate.current_operator()
        event = console_audit_services.read_event(operator, event_id=event_id)
        return self.render("console/event.html", event=event, raw=_json(event, indent=2))

    @asks(ConsolePermission.AUDIT_EXPORT)
    @expose("/export/")
    def export(self) -> Any:
        """Send what the address asks for as a file: CSV that no spreadsheet computes, or one JSON object a line."""
        operator, query = gate.current_operator(), read_query(EventsQuery)
        rows = console_audit_services.export_events(operator, query.filter())
        if query.format == "ndjson":
            answer = flask.Response(_lines(rows), content_type="application/x-ndjson")
        else:
            cells = ([getattr(row, name) for name in _COLUMNS] for row in rows)
            lines = spreadsheet.csv_lines(_COLUMNS, cells)
            answer = flask.Response(lines, content_type="text/csv; charset=utf-8")
        name = f"audit-events.{query.format}"
        answer.headers["Content-Disposition"] = f'attachment; filename="{name}"'
        return answer

    def _draw(self, query: EventsQuery, page: Any, problems: dict[str, str]) -> str:
        operator, asked = gate.current_operator(), query.asked()
        without = {key: urlencode({k: v for k, v in asked.items() if k != key}) for key in asked}
        return self.render(
            "console/audit.html", query=query, asked=asked, without=without, page=page,
            problems=problems, cursor=query.cursor, days=DAYS,
            actions=sorted(event.value for event in AuditEvent),
            no_export=why_not(operator, ConsolePermission.AUDIT_EXPORT), api=_api_query(query),
        )  # fmt: skip


def _api_query(query: EventsQuery) -> str:
    """Return the same question for the API of the account: what a customer would ask; "" where it cannot be asked."""
    if query.log == "house" or query.account_id is None:
        return ""
    asked = {
        "action": query.action if query.action and not query.action.endswith(".") else None,
        "target_id": query.target_id,
        "outcome": query.outcome,
        "from": query.since.isoformat() if query.since else None,
        "to": query.until.isoformat() if query.until else None,
    }
    chosen = {key: value for key, value in asked.items() if value is not None}
    return "/api/audit-events" + (f"?{urlencode(chosen)}" if chosen else "")


def _json(row: Any, *, indent: int | None = None) -> str:
    envelope = {k: chain.as_text(v) for k, v in row._mapping.items() if k != "account_name"}
    return json.dumps(envelope, ensure_ascii=False, indent=indent)


def _lines(rows: Iterator[Any]) -> Iterator[bytes]:
    for row in rows:
        yield _json(row).encode() + b"\n"
