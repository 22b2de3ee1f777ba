"""Webhooks over HTTP."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from saas.actor import Actor
from saas.paging import Page
from saas.schemas.list_schemas import ListIn
from saas.schemas.webhook_schemas import CreateWebhookIn, UpdateWebhookIn
from saas.services import webhook_services
from saas.views.session_views import SUCCESS

_NEW = ("id", "url", "description", "actions", "status", "created_at")
_DELIVERY = (
    *("id", "event_id", "seq", "action", "attempt", "status_code", "error", "duration_ms", "at"),
)


def list_webhooks(actor: Actor, query: ListIn) -> Page:
    """GET /api/webhooks: newest first, never their secrets."""
    page = webhook_services.list_webhooks(actor, limit=query.limit, cursor=query.cursor)
    return Page([dict(row._mapping) for row in page.items], page.next_cursor)


def create_webhook(actor: Actor, body: CreateWebhookIn) -> dict[str, Any]:
    """POST /api/webhooks: ``secret`` is in this answer and in no later one."""
    made = webhook_services.create_webhook(
        actor, url=body.url, actions=body.actions, description=body.description
    )
    return {name: getattr(made.model, name) for name in _NEW} | {"secret": made.secret}


def read_webhook(actor: Actor, webhook_id: UUID) -> dict[str, Any]:
    """GET /api/webhooks/<webhook_id>."""
    return dict(webhook_services.read_webhook(actor, webhook_id=webhook_id)._mapping)


def update_webhook(actor: Actor, webhook_id: UUID, body: UpdateWebhookIn) -> dict[str, Any]:
    """PATCH /api/webhooks/<webhook_id>: what is left out stays; ``status`` switches it off and on."""
    given = {name: getattr(body, name) for name in body.model_fields_set}
    # Of null, only that of the actions says something: all of them.
    changes = {name: value for name, value in given.items() if value is not None}
    if "actions" in given:
        changes["actions"] = given["actions"]
    row = webhook_services.update_webhook(actor, webhook_id=webhook_id, changes=changes)
    return dict(row._mapping)


def delete_webhook(actor: Actor, webhook_id: UUID) -> dict[str, str]:
    """DELETE /api/webhooks/<webhook_id>: for good, with what is kept of its deliveries."""
    webhook_services.delete_webhook(actor, webhook_id=webhook_id)
    return SUCCESS


def test_webhook(actor: Actor, webhook_id: UUID) -> dict[str, str]:
    """POST /api/webhooks/<webhook_id>/test: the worker sends an event at once; what came of it is a delivery."""
    webhook_services.test_webhook(actor, webhook_id=webhook_id)
    return SUCCESS


def rotate_secret(actor: Actor, webhook_id: UUID) -> dict[str, Any]:
    """POST /api/webhooks/<webhook_id>/rotate-secret: ``secret`` is in this answer and in no later one."""
    secret, until = webhook_services.rotate_secret(actor, webhook_id=webhook_id)
    return {"secret": secret, "previous_secret_until": until}


def list_deliveries(actor: Actor, webhook_id: UUID, query: ListIn) -> Page:
    """GET /api/webhooks/<webhook_id>/deliveries: the last attempts, newest first."""
    page = webhook_services.list_deliveries(
        actor, webhook_id=webhook_id, limit=query.limit, cursor=query.cursor
    )
    items = [{name: getattr(row, name) for name in _DELIVERY} for row in page.items]
    return Page(items, page.next_cursor)
