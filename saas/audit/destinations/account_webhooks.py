"""The webhooks of accounts: each follows its account's chain, and what came of it stands in its deliveries."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.exc import IntegrityError
from uuid_utils.compat import uuid7

from saas import database
from saas.actor import system_actor
from saas.audit import canonical, cursors
from saas.audit.destinations import Event, Outcome, Sink, Stream, looks
from saas.audit.destinations.http_stream import post
from saas.audit.destinations.posting import Answer, Channel
from saas.columns import utc_now
from saas.database import Database
from saas.models import Account, AuditEventRow, Webhook, WebhookDelivery
from saas.security import secret_box
from saas.services import webhook_services
from saas.unit import AnyRow, Unit
from tenants import enter_account

KEPT = 100  # deliveries of a webhook
KEPT_FOR = timedelta(days=30)
PATIENCE = timedelta(days=5)  # how long a webhook may fail before it is switched off
GONE = "The address answered 410, which says that it is gone for good."
UNREADABLE = "its secret cannot be read"
FAILED = f"Nothing was delivered for {PATIENCE.days} days."

_log = structlog.get_logger("relay")
_hooks, _accounts = Webhook.__table__.c, Account.__table__.c
_deliveries = WebhookDelivery.__table__


class AccountWebhooks:
    """The destination ``webhooks``."""

    name = looks.WEBHOOKS
    parallel = 8
    first_pause = 5.0
    longest_pause = 3600.0

    def find(
        self, connection: Connection, now: datetime, after: UUID | None, most: int
    ) -> list[Stream]:
        """See Destination."""
        return looks.webhooks_behind(connection, now, after, most)

    def open(self, stream: Stream) -> Sink | None:
        """See Destination; None for a webhook that is gone or off, or whose account is not active."""
        assert stream.account_id is not None
        return open_webhook(stream.account_id, stream.id)

    def tidy(self, in_use: Database) -> None:
        """See Destination: webhooks are deleted by people, who cannot reach the cursors."""
        cursors.forget_deleted(in_use)

    def close(self) -> None:
        """Nothing: each turn has a connection of its own."""


class WebhookSink:
    """The way to one webhook, as it stands now."""

    def __init__(self, row: AnyRow, secrets: list[str]) -> None:
        self.actions: Sequence[str] | None = row.actions
        self._row, self._secrets = row, secrets
        self._channel = Channel(row.url, guarded=True)
        self._attempts: list[dict[str, Any]] = []
        self._gone = False

    def deliver(self, events: Sequence[Event], until: float, attempt: int) -> Outcome:
        """See Sink."""
        if not self._secrets:
            return Outcome(0, UNREADABLE)
        for done, event in enumerate(events):
            if done and time.monotonic() > until:
                return Outcome(done)
            answer = self._post(event, attempt if done == 0 else 1)
            if answer.problem is not None:
                self._gone = answer.gone
                return Outcome(done, answer.problem)
        return Outcome(len(events))

    def settle(self, outcome: Outcome) -> None:
        """See Sink: keep the attempts, say since when it fails, and switch it off when that is too long."""
        try:
            with enter_account(self._row.account_id), database.unit_of_work() as unit:
                self._keep(unit)
                since = self._fails(unit, outcome)
        except IntegrityError:
            return  # it was deleted meanwhile
        if outcome.error is not None and (self._gone or _too_long(since)):
            self._switch_off(GONE if self._gone else FAILED)

    def test(self, event: Event) -> None:
        """Deliver one event beside the queue, and keep the attempt."""
        if self._secrets:
            self._post(event, 1)
            with (
                suppress(IntegrityError),
                enter_account(self._row.account_id),
                database.unit_of_work() as unit,
            ):
                self._keep(unit)

    def close(self) -> None:
        """See Sink."""
        self._channel.close()

    def _post(self, event: Event, attempt: int) -> Answer:
        answer = post(self._channel, self._secrets, event)
        told = {"event_id": event.id, "seq": event.seq, "action": event.action}
        told |= {"id": uuid7(), "account_id": self._row.account_id, "webhook_id": self._row.id}
        came = {"status_code": answer.status, "error": answer.problem and answer.problem[:200]}
        took = {"duration_ms": answer.milliseconds, "attempt": attempt, "at": utc_now()}
        self._attempts.append(told | came | took)
        return answer

    def _keep(self, unit: Unit) -> None:
        """Insert the attempts of this turn and drop what is beyond the last hundred, or a month old."""
        mine = (
            _deliveries.c.account_id == self._row.account_id,
            _deliveries.c.webhook_id == self._row.id,
        )
        if self._attempts:
            unit.execute(insert(_deliveries), self._attempts[-KEPT:])
        oldest = select(_deliveries.c.id).where(*mine).order_by(_deliveries.c.id.desc())
        kept = unit.rows(oldest.offset(KEPT - 1).limit(1), {})
        beyond = _deliveries.c.at < utc_now() - KEPT_FOR
        if kept:
            beyond |= _deliveries.c.id < kept[0].id
        unit.execute(delete(_deliveries).where(*mine, beyond))

    def _fails(self, unit: Unit, outcome: Outcome) -> datetime | None:
        """Write down since when it fails, or that it no longer does; returns since when."""
        since: datetime | None = self._row.failing_since
        now = since
        if outcome.error is None:
            now = None
        elif since is None or outcome.acknowledged:
            now = utc_now()
        if now != since:
            this = update(Webhook.__table__).where(
                _hooks.account_id == self._row.account_id, _hooks.id == self._row.id
            )
            unit.execute(this.values(failing_since=now))
        return now

    def _switch_off(self, reason: str) -> None:
        account_id = self._row.account_id
        _log.warning("relay.webhook_disabled", account_id=str(account_id), reason=reason)
        with enter_account(account_id):
            actor = system_actor(account_id, "flask worker")
            webhook_services.disable_failing(actor, webhook_id=self._row.id, reason=reason)


def open_webhook(account_id: UUID, webhook_id: UUID) -> WebhookSink | None:
    """Return the way to a webhook that is on, of an active account; None otherwise."""
    joined = Webhook.__table__.join(Account.__table__, _accounts.account_id == _hooks.account_id)
    statement = select(Webhook.__table__).select_from(joined).where(
        _hooks.account_id == account_id, _hooks.id == webhook_id,
        _hooks.status == "enabled", _accounts.status == "active",
    )  # fmt: skip
    with database.looking_across("relay: where a webhook leads, and its secrets") as connection:
        row: Any = connection.execute(statement).first()
    if row is None:
        return None
    return WebhookSink(row, _secrets(row))


def send_test(payload: dict[str, Any]) -> None:
    """Do the worker's half of ``test_webhook``: one attempt, which its deliveries tell of; never again."""
    account_id, webhook_id = UUID(payload["account_id"]), UUID(payload["webhook_id"])
    events = AuditEventRow.__table__
    tested = (events.c.action == "webhook.tested", events.c.target_id == str(webhook_id))
    wanted = canonical.select_events(events).where(events.c.account_id == account_id, *tested)
    wanted = wanted.order_by(events.c.seq.desc()).limit(1)
    with database.looking_across("relay: the event that tests a webhook") as connection:
        row = connection.execute(wanted).first()
    sink = open_webhook(account_id, webhook_id)
    if row is None or sink is None:
        return
    try:
        sink.test(Event.of(row))
    finally:
        sink.close()


def _secrets(row: Any) -> list[str]:
    """The present secret and, for a day after a rotation, the one before it; none where no configured key opens it."""
    place = webhook_services.seal_of(row.account_id, row.id)
    sealed = [row.secret]
    if row.previous_secret is not None and row.previous_secret_until > utc_now():
        sealed.append(row.previous_secret)
    try:
        return [secret_box.unseal(each, place) for each in sealed]
    except secret_box.SealBrokenError as error:
        _log.error("relay.secret_unreadable", webhook=str(row.id), error=str(error))
        return []


def _too_long(since: datetime | None) -> bool:
    return since is not None and utc_now() - since > PATIENCE
