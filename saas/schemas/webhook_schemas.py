"""Webhooks and their deliveries, in and out."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, Field

from saas.audit.events import AuditEvent
from saas.schemas.fields import In, Out, PlainText, TextRule, refuse
from saas.security import egress


def _reachable(url: str) -> str:
    try:
        egress.check_url(url)
    except egress.RefusedAddressError as error:
        raise refuse(str(error)) from None
    return url


def _no_system_event(actions: list[AuditEvent]) -> list[AuditEvent]:
    if any(action.chain != "account" for action in actions):
        raise refuse("Holds an action that belongs to no account and is never sent to one.")
    return actions


_PATTERN = {"format": "uri", "pattern": "^https?://[!-~]+$"}
Url = Annotated[str, TextRule(1000), AfterValidator(_reachable), Field(json_schema_extra=_PATTERN)]
Actions = Annotated[
    list[Annotated[AuditEvent, Field(strict=False)]],
    Field(min_length=1, max_length=200),
    AfterValidator(_no_system_event),
]
Description = Annotated[str, PlainText(200, min=0)]


class CreateWebhookIn(In):
    """Where events go, and which; all of them when ``actions`` is left out or null."""

    url: Url
    actions: Actions | None = None
    description: Description = ""


class UpdateWebhookIn(In):
    """What of a webhook can be changed; what is left out stays. ``actions`` null: all of them."""

    url: Url | None = None
    actions: Actions | None = None
    description: Description | None = None
    status: Literal["enabled", "disabled"] | None = None


class WebhookOut(Out):
    """A webhook, without its secret. ``failing_since``: nothing has arrived since then."""

    id: UUID
    url: str
    description: str
    actions: list[str] | None
    status: str
    disabled_reason: str | None
    made_by: str | None
    failing_since: datetime | None
    tested_at: datetime | None
    created_at: datetime


class NewWebhookOut(Out):
    """A webhook that was just made: ``secret`` is shown this once."""

    id: UUID
    url: str
    description: str
    actions: list[str] | None
    status: str
    created_at: datetime
    secret: str


class NewSecretOut(Out):
    """A new secret, shown this once; until then deliveries are signed with the old one as well."""

    secret: str
    previous_secret_until: datetime


class DeliveryOut(Out):
    """One attempt: ``status_code`` is what the address answered, ``error`` why there is none or it was not taken."""

    id: UUID
    event_id: UUID
    seq: int
    action: str
    attempt: int
    status_code: int | None
    error: str | None
    duration_ms: int
    at: datetime
