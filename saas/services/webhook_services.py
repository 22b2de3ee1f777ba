"""Webhooks: an account's audit events, sent to an address of its own.

They belong to the account: they outlive whoever made them, and stop when it is suspended or closed. Whoever has the
log sent somewhere must be able to read it themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, func, select
from uuid_utils.compat import uuid7

from saas import database, errors, outbox
from saas.actor import Actor
from saas.audit.events import AuditEvent
from saas.audit.record import changed, record
from saas.columns import utc_now
from saas.models import AuditHead, User, Webhook, WebhookDelivery
from saas.models.webhooks import place
from saas.paging import Keyset, Page
from saas.permissions import Permission, require
from saas.security import egress, secret_box, signing
from saas.services import guards
from saas.unit import AnyRow, Unit

MOST = 20  # of one account
OVERLAP = timedelta(hours=24)  # how long deliveries are signed with the former secret as well
TEST = "webhook.test"  # topic of the outbox
_hooks, _users = Webhook.__table__.c, User.__table__.c
_deliveries, _heads = WebhookDelivery.__table__.c, AuditHead.__table__.c
_ROWS = select(
    _hooks.id, _hooks.url, _hooks.description, _hooks.actions, _hooks.status, _hooks.disabled_reason,
    _hooks.failing_since, _hooks.tested_at, _hooks.created_at, _users.username.label("made_by"),
).outerjoin_from(
    Webhook.__table__, User.__table__,
    (_users.account_id == _hooks.account_id) & (_users.id == _hooks.created_by_id),
)  # fmt: skip
_LIST = Keyset("webhooks", _ROWS, owner=_hooks.account_id, key=_hooks.id)
_ONE = _ROWS.where(
    _hooks.account_id == bindparam("account_id"), _hooks.id == bindparam("webhook_id")
)
_ATTEMPTS = Keyset(
    "deliveries",
    select(WebhookDelivery.__table__).where(_deliveries.webhook_id == bindparam("webhook_id")),
    owner=_deliveries.account_id,
    key=_deliveries.id,
)


@dataclass(frozen=True, slots=True)
class NewWebhook:
    """A webhook that was just made; ``secret`` is shown once and is in no answer ever after."""

    model: Webhook
    secret: str


def list_webhooks(actor: Actor, *, limit: int = 20, cursor: str | None = None) -> Page:
    """Return one page of the account's webhooks, newest first; never their secrets."""
    require(actor, Permission.WEBHOOK_READ)
    with database.reading() as unit:
        return _LIST.page(unit, actor.account_id, limit=limit, cursor=cursor)


def read_webhook(actor: Actor, *, webhook_id: UUID) -> AnyRow:
    """Return one webhook; raises NotFoundError for an id that this account does not have."""
    require(actor, Permission.WEBHOOK_READ)
    with database.reading() as unit:
        return _row(unit, webhook_id)


def list_deliveries(
    actor: Actor, *, webhook_id: UUID, limit: int = 20, cursor: str | None = None
) -> Page:
    """Return one page of the attempts that are kept of a webhook, newest first; raises NotFoundError."""
    require(actor, Permission.WEBHOOK_READ)
    with database.reading() as unit:
        _row(unit, webhook_id)
        of = {"webhook_id": webhook_id}
        return _ATTEMPTS.page(unit, actor.account_id, limit=limit, cursor=cursor, **of)


def create_webhook(
    actor: Actor, *, url: str, actions: Sequence[str] | None = None, description: str = ""
) -> NewWebhook:
    """Make a webhook that gets every event from now on, or those of ``actions``.

    Raises PermissionDeniedError for whoever cannot read the log, ValidationFailedError for an address that is not
    public, TooManyWebhooksError.
    """
    require(actor, Permission.WEBHOOK_CREATE)
    _require_reader(actor)
    _check_url(url)
    secret, webhook_id = signing.new_secret(), uuid7()
    with database.unit_of_work() as unit:
        now = guards.lock_account(unit, actor, Permission.WEBHOOK_CREATE)
        _require_reader(now)
        _refuse_too_many(unit)
        head = select(_heads.seq).where(_heads.account_id == actor.account_id)
        webhook_model = Webhook(
            id=webhook_id, url=url, description=description, actions=_sorted(actions),
            secret=secret_box.seal(secret, seal_of(actor.account_id, webhook_id)),
            created_by_id=actor.seat_id, from_seq=unit.rows(head, {})[0][0],
        )  # fmt: skip
        unit.session.add(webhook_model)
        unit.flush()
        data = _data(webhook_model)
        record(AuditEvent.WEBHOOK_CREATED, actor=actor, target=webhook_model, data=data)
    return NewWebhook(webhook_model, secret)


def update_webhook(actor: Actor, *, webhook_id: UUID, changes: dict[str, Any]) -> AnyRow:
    """Change any of url, actions, description and status, and return the webhook as it is now.

    Raises NotFoundError, ValidationFailedError, and PermissionDeniedError where more of the log would go out, or go
    elsewhere, for somebody who cannot read it; switching off needs no more than ``webhook:update``.
    """
    require(actor, Permission.WEBHOOK_UPDATE)
    sends = changes.keys() & {"url", "actions"} or changes.get("status") == "enabled"
    if sends:
        _require_reader(actor)
    if "url" in changes:
        _check_url(changes["url"])
    with database.unit_of_work() as unit:
        webhook_model = _find(unit, webhook_id)
        if "status" in changes:
            _switch(unit, actor, webhook_model, changes["status"], "")
        _apply(unit, actor, webhook_model, changes)
        return _row(unit, webhook_id)


def disable_failing(actor: Actor, *, webhook_id: UUID, reason: str) -> None:
    """Switch a webhook off because nothing has arrived for too long: what the worker does."""
    require(actor, Permission.WEBHOOK_UPDATE)
    with database.unit_of_work() as unit:
        _switch(unit, actor, _find(unit, webhook_id), "disabled", reason)


def delete_webhook(actor: Actor, *, webhook_id: UUID) -> None:
    """Delete a webhook and what is kept of its deliveries; raises NotFoundError."""
    require(actor, Permission.WEBHOOK_DELETE)
    with database.unit_of_work() as unit:
        webhook_model = _find(unit, webhook_id)
        unit.session.delete(webhook_model)
        unit.flush()
        record(AuditEvent.WEBHOOK_DELETED, actor=actor, target=webhook_model)


def test_webhook(actor: Actor, *, webhook_id: UUID) -> None:
    """Have a ``webhook.tested`` event sent at once, whatever the webhook's actions and queue; see its deliveries.

    The worker sends it: this process connects to nobody. Raises NotFoundError, ValidationFailedError for an address
    that the rules of today refuse.
    """
    require(actor, Permission.WEBHOOK_UPDATE)
    with database.unit_of_work() as unit:
        webhook_model = _find(unit, webhook_id)
        _check_url(webhook_model.url)
        webhook_model.tested_at = utc_now()
        unit.flush()
        record(AuditEvent.WEBHOOK_TESTED, actor=actor, target=webhook_model)
        asked = {"account_id": str(actor.account_id), "webhook_id": str(webhook_id)}
        outbox.put(unit, TEST, asked)


def rotate_secret(actor: Actor, *, webhook_id: UUID) -> tuple[str, Any]:
    """Give a webhook a new secret, shown once; returns it and until when the old one signs as well.

    Raises NotFoundError.
    """
    require(actor, Permission.WEBHOOK_UPDATE)
    secret, until = signing.new_secret(), utc_now() + OVERLAP
    with database.unit_of_work() as unit:
        webhook_model = _find(unit, webhook_id)
        webhook_model.previous_secret = _sealed_now(actor.account_id, webhook_id)
        webhook_model.previous_secret_until = until
        webhook_model.secret = secret_box.seal(secret, seal_of(actor.account_id, webhook_id))
        unit.flush()
        record(AuditEvent.WEBHOOK_SECRET_ROTATED, actor=actor, target=webhook_model)
    return secret, until


def seal_of(account_id: UUID, webhook_id: UUID) -> str:
    """Return the place that a webhook's secrets are sealed for."""
    return f"webhook {account_id.hex} {webhook_id.hex}"


def _sealed_now(account_id: UUID, webhook_id: UUID) -> str:
    # Under the row's lock, so what another connection reads is what stands there.
    present = select(_hooks.secret).where(_hooks.account_id == account_id, _hooks.id == webhook_id)
    with database.looking_across("the app's role reads no secrets of webhooks") as connection:
        return str(connection.execute(present).scalar_one())


def _row(unit: Unit, webhook_id: UUID) -> AnyRow:
    found = unit.rows(_ONE, {"account_id": unit.account_id, "webhook_id": webhook_id})
    if not found:
        raise errors.NotFoundError
    return found[0]


def _find(unit: Unit, webhook_id: UUID) -> Webhook:
    statement = select(Webhook).where(Webhook.id == webhook_id).with_for_update(key_share=True)
    webhook_model: Webhook | None = unit.session.scalar(statement)
    if webhook_model is None:
        raise errors.NotFoundError
    return webhook_model


def _refuse_too_many(unit: Unit) -> None:
    if (unit.session.scalar(select(func.count(Webhook.id))) or 0) >= MOST:
        raise errors.TooManyWebhooksError


def _require_reader(actor: Actor) -> None:
    """Refuse to send the log, or more of it, or elsewhere, for whoever may not read it."""
    require(actor, Permission.AUDIT_READ)


def _check_url(url: str) -> None:
    try:
        egress.check_url(url)
    except egress.RefusedAddressError as error:
        problem = errors.FieldError("url", str(error))
        raise errors.ValidationFailedError(field_errors=[problem]) from None


def _switch(unit: Unit, actor: Actor, webhook_model: Webhook, status: str, reason: str) -> None:
    if webhook_model.status == status:
        return
    webhook_model.status, webhook_model.failing_since = status, None
    webhook_model.disabled_reason = reason or None
    changes = changed(webhook_model, "status")
    unit.flush()
    event = AuditEvent.WEBHOOK_ENABLED if status == "enabled" else AuditEvent.WEBHOOK_DISABLED
    record(event, actor=actor, target=webhook_model, changes=changes, reason=reason or None)


def _apply(unit: Unit, actor: Actor, webhook_model: Webhook, given: dict[str, Any]) -> None:
    before = webhook_model.url
    for name in given.keys() & {"url", "description"}:
        setattr(webhook_model, name, given[name])
    if "actions" in given and _sorted(given["actions"]) != webhook_model.actions:
        webhook_model.actions = _sorted(given["actions"])
    if not unit.session.is_modified(webhook_model):
        return
    changes = changed(webhook_model, "description")
    if webhook_model.url != before:
        changes.append({"field": "place", "old": place(before), "new": webhook_model.place})
    unit.flush()
    data = _data(webhook_model)
    record(
        AuditEvent.WEBHOOK_UPDATED, actor=actor, target=webhook_model, changes=changes, data=data
    )


def _sorted(actions: Sequence[str] | None) -> list[str] | None:
    return None if actions is None else sorted({str(action) for action in actions})


def _data(webhook_model: Webhook) -> dict[str, Any]:
    return {"place": webhook_model.place, "actions": webhook_model.actions}
