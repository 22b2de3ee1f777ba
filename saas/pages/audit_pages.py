"""The audit log of the account, to be read by people."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from werkzeug.wrappers import Response

from saas import errors, routing
from saas.actor import Actor
from saas.audit.verify import Report
from saas.pages import shared_pages
from saas.pages.form_schemas import AuditFormIn
from saas.schemas.audit_schemas import ACTIONS
from saas.services import audit_services

OUTCOMES = {"success": "Done", "denied": "Refused", "failure": "Failed"}
_FILTERS = ("action", "outcome", "actor_id", "target_id", "from", "to")


def list_audit_events(actor: Actor) -> Response:
    """One page of the account's audit events, newest first, as the address asks for them."""
    try:
        query = routing.read_query(AuditFormIn)
    except errors.ValidationFailedError as error:
        form = shared_pages.typed_again(error, *_FILTERS)
        return shared_pages.refuse(error, _draw(actor, AuditFormIn.from_strings({}), form))
    values = {name: value for name, value in _asked(query).items() if name in _FILTERS}
    return shared_pages.show(_draw(actor, query, shared_pages.FormState(values)), None)


def _draw(actor: Actor, query: AuditFormIn, form: shared_pages.FormState) -> str:
    filters = audit_services.Filters(
        action=query.action,
        actor_id=str(query.actor_id) if query.actor_id else None,
        target_id=str(query.target_id) if query.target_id else None,
        outcome=query.outcome,
        since=_midnight(query.since),
        until=_midnight(query.until + timedelta(days=1) if query.until else None),
    )
    page = audit_services.list_events(
        actor, limit=query.limit, cursor=query.cursor, filters=filters
    )
    asked = _asked(query)
    return shared_pages.draw(
        "audit.html",
        actor,
        events=page.items,
        form=form,
        asked=asked,
        labels=_labels(query, page.items),
        actions={"": "Any", **{action: action for action in ACTIONS}},
        outcomes={"": "Any", **OUTCOMES},
        exported=_for_the_api(filters),
        checked=_in_words(audit_services.verify_events(actor)) if query.check else None,
        cursor=query.cursor,
        next_cursor=page.next_cursor,
    )


def _asked(query: AuditFormIn) -> dict[str, str]:
    """Return what the address asks for, the place in the list aside."""
    asked = query.model_dump(
        mode="json", by_alias=True, exclude_defaults=True, exclude={"cursor", "check"}
    )
    return {name: str(value) for name, value in asked.items() if value is not None}


def _labels(query: AuditFormIn, events: Any) -> dict[str, str]:
    """Return what each filter that is set is called; ids by the names that the events have for them."""
    newest = events[0] if events else None
    labels = {
        "action": query.action,
        "outcome": OUTCOMES[query.outcome].lower() if query.outcome else None,
        "actor_id": f"by {newest.actor_label if newest else query.actor_id}",
        "target_id": f"about {newest.target_label if newest else query.target_id}",
        "from": f"from {query.since}",
        "to": f"to {query.until}",
    }
    return {name: str(labels[name]) for name in _asked(query) if name in labels}


def _for_the_api(filters: audit_services.Filters) -> dict[str, str]:
    """Return the same filters as the API takes them."""
    names = {"since": "from", "until": "to"}
    return {names.get(name, name): value for name, value in filters.told().items()}


def _in_words(report: Report) -> tuple[str, str]:
    """Return what came of verifying, as an alert: good or bad, and a sentence."""
    if report.finding is not None:
        what = report.finding.what
        return "bad", f"This log is not what was recorded. The first thing wrong: {what}."
    told = f"{report.events:,} entries checked: nothing was changed, put in or taken out."
    if report.pruned:
        told += (
            f" The first {report.pruned:,} were removed when their time was over, as the log tells."
        )
    if report.events >= audit_services.MOST_VERIFIED:
        told = f"The oldest {told} Those after them: /api/audit-events/verify?after_seq={report.last_seq}"
    return "good", told


def _midnight(day: date | None) -> datetime | None:
    return None if day is None else datetime.combine(day, time(), UTC)
