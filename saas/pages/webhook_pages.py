"""Webhooks: where the account's audit events are sent, what came of it, and what signs them."""

from __future__ import annotations

from datetime import datetime
from itertools import groupby
from uuid import UUID

import flask
from werkzeug.wrappers import Response

from saas import errors, routing
from saas.actor import Actor
from saas.audit.events import AuditEvent
from saas.pages import shared_pages
from saas.pages.form_schemas import WebhookFormIn
from saas.schemas.list_schemas import ListIn
from saas.services import webhook_services

_FIELDS = ("url", "description")
_MENDABLE = (*shared_pages.MENDABLE, errors.TooManyWebhooksError)
_OF_ACCOUNTS = sorted(event.value for event in AuditEvent if event.chain == "account")
EVENTS = {
    noun: list(events) for noun, events in groupby(_OF_ACCOUNTS, lambda e: e.partition(".")[0])
}
"""The events that an account has, by their noun."""


def list_webhooks(actor: Actor) -> str:
    """One page of the account's webhooks, newest first, with the form for a new one."""
    return _draw_list(actor, routing.read_query(ListIn), shared_pages.FormState())


def create_webhook(actor: Actor) -> Response:
    """Make a webhook and show its secret in this answer: no later one has it."""
    try:
        body = routing.read_form(WebhookFormIn)
        made = webhook_services.create_webhook(
            actor, url=body.url, actions=body.actions, description=body.description
        )
    except _MENDABLE as error:
        form = shared_pages.typed_again(error, *_FIELDS, ticked="actions")
        return shared_pages.refuse(error, _draw_list(actor, ListIn(), form))
    return _show_secret(actor, made.model.id, made.secret, None)


def read_webhook(actor: Actor, webhook_id: UUID) -> str:
    """One webhook: what it sends, its last deliveries, and what can be done with it."""
    return _draw(actor, webhook_id, routing.read_query(ListIn), None)


def update_webhook(actor: Actor, webhook_id: UUID) -> Response:
    """Change address, description or events; what stays as it was is not touched."""
    try:
        body = routing.read_form(WebhookFormIn)
        present = webhook_services.read_webhook(actor, webhook_id=webhook_id)
        given = {"url": body.url, "description": body.description, "actions": body.actions}
        changes = {name: value for name, value in given.items() if getattr(present, name) != value}
        webhook_services.update_webhook(actor, webhook_id=webhook_id, changes=changes)
    except _MENDABLE as error:
        form = shared_pages.typed_again(error, *_FIELDS, ticked="actions")
        return shared_pages.refuse(error, _draw(actor, webhook_id, ListIn(), form))
    return shared_pages.go_to(f"/webhooks/{webhook_id}", "Saved.")


def test_webhook(actor: Actor, webhook_id: UUID) -> Response:
    """Have a test event sent; what comes of it is among the deliveries."""
    webhook_services.test_webhook(actor, webhook_id=webhook_id)
    return shared_pages.go_to(
        f"/webhooks/{webhook_id}", "A test event is on its way. What comes of it is shown below."
    )


def enable_webhook(actor: Actor, webhook_id: UUID) -> Response:
    """Switch a webhook on; it goes on where it stopped."""
    _switch(actor, webhook_id, "enabled")
    return shared_pages.go_to(f"/webhooks/{webhook_id}", "Switched on.")


def disable_webhook(actor: Actor, webhook_id: UUID) -> Response:
    """Switch a webhook off."""
    _switch(actor, webhook_id, "disabled")
    return shared_pages.go_to(f"/webhooks/{webhook_id}", "Switched off. Nothing is sent any more.")


def rotate_secret(actor: Actor, webhook_id: UUID) -> Response:
    """Give a webhook a new secret and show it in this answer: no later one has it."""
    secret, until = webhook_services.rotate_secret(actor, webhook_id=webhook_id)
    return _show_secret(actor, webhook_id, secret, until)


def delete_webhook(actor: Actor, webhook_id: UUID) -> Response:
    """Delete a webhook for good, with what is kept of its deliveries."""
    webhook_services.delete_webhook(actor, webhook_id=webhook_id)
    return shared_pages.go_to("/webhooks", "Webhook deleted. Nothing is sent there any more.")


def _switch(actor: Actor, webhook_id: UUID, status: str) -> None:
    webhook_services.update_webhook(actor, webhook_id=webhook_id, changes={"status": status})


def _show_secret(actor: Actor, webhook_id: UUID, secret: str, until: datetime | None) -> Response:
    html = shared_pages.draw(
        "webhook_secret.html", actor, here=f"/webhooks/{webhook_id}", secret=secret, until=until
    )
    return flask.make_response(html, 201)


def _draw_list(actor: Actor, query: ListIn, form: shared_pages.FormState) -> str:
    page = webhook_services.list_webhooks(actor, limit=query.limit, cursor=query.cursor)
    return shared_pages.draw(
        "webhooks.html",
        actor,
        form=form,
        webhooks=page.items,
        groups=EVENTS,
        cursor=query.cursor,
        next_cursor=page.next_cursor,
    )


def _draw(
    actor: Actor, webhook_id: UUID, query: ListIn, refused: shared_pages.FormState | None
) -> str:
    webhook = webhook_services.read_webhook(actor, webhook_id=webhook_id)
    page = webhook_services.list_deliveries(
        actor, webhook_id=webhook_id, limit=query.limit, cursor=query.cursor
    )
    present = shared_pages.FormState(
        {name: getattr(webhook, name) for name in _FIELDS}, frozenset(webhook.actions or ())
    )
    return shared_pages.draw(
        "webhook.html",
        actor,
        form=refused or present,
        webhook=webhook,
        deliveries=page.items,
        groups=EVENTS,
        cursor=query.cursor,
        next_cursor=page.next_cursor,
    )
