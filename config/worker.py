"""The worker: the outbox and the relay of audit events, as a command of its own or as a thread of `make run`."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import flask
import structlog
from sqlalchemy.exc import SQLAlchemyError

from config import destinations
from config.settings import Settings
from saas import context, database, errors, outbox
from saas.audit import later
from saas.database import Database
from saas.mail import messages, sending
from saas.services import mail_token_services, webhook_services

IDLE_SECONDS = 1.0

_log = structlog.get_logger("worker")


def handlers(chosen: Settings) -> Mapping[str, outbox.Handler]:
    """Return what is done for each topic of the outbox."""
    # What sends over HTTP is for the worker alone; the web process imports this module and does not need it.
    from saas.audit.destinations import account_webhooks

    return {
        outbox.AUDIT: later.append,
        messages.TOPIC: mailer(chosen).handle,
        mail_token_services.FORGOT: mail_token_services.send_reset,
        webhook_services.TEST: account_webhooks.send_test,
    }


def mailer(chosen: Settings) -> sending.Mailer:
    """Return the mailer of the settings: SMTP where MAIL_URL says so, files in VAR_DIR/mail otherwise."""
    if chosen.mail_url is None:
        transport = sending.file_transport(chosen.var_dir / "mail")
    else:
        transport = sending.smtp_transport(chosen.mail_url)
    return sending.Mailer(chosen.base_url, chosen.sender, transport)


def run(
    chosen: Settings, in_use: Database, stop: threading.Event, *, until_idle: bool = False
) -> int:
    """Work until ``stop`` is set, or (``until_idle``) until nothing is due; returns the pieces of work tried.

    A database that is away is waited for; the work waits too.
    """
    known, tried = handlers(chosen), 0
    with _relaying(chosen, in_use, stop, until_idle=until_idle), _working(in_use):
        while not stop.is_set():
            try:
                done = outbox.work_once(in_use, known, stopped=stop.is_set)
            except (SQLAlchemyError, errors.DatabaseAwayError) as error:
                _log.warning("worker waits for the database", error=type(error).__name__)
                done = 0
            tried += done
            if not done and until_idle:
                break
            if not done:
                stop.wait(IDLE_SECONDS)
    return tried


@contextmanager
def _relaying(
    chosen: Settings, in_use: Database, stop: threading.Event, *, until_idle: bool
) -> Iterator[None]:
    """Push audit events in threads of their own meanwhile, or (``until_idle``) what waits after the outbox."""
    from saas.audit import relay

    to = destinations.build(chosen)
    threads = relay.Relay(in_use, [] if until_idle else to, stop)
    threads.start()
    try:
        yield
        for each in to if until_idle else ():
            relay.work_once(in_use, each)
            each.close()
    finally:
        threads.join()


@contextmanager
def _working(in_use: Database) -> Iterator[None]:
    with database.use(in_use), context.calling_from(context.CallContext("job")):
        yield


def start_thread(app: flask.Flask) -> threading.Event:
    """Run the worker as a thread of this process, for development; set the event that comes back to stop it."""
    stop = threading.Event()
    chosen, in_use = app.extensions["settings"], app.extensions["database"]
    threading.Thread(target=run, args=(chosen, in_use, stop), name="worker", daemon=True).start()
    return stop
