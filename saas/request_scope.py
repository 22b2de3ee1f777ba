"""The door of every request: session → actor → account → log context, and out again."""

from __future__ import annotations

import re
import secrets
from contextlib import ExitStack
from datetime import datetime
from typing import Any
from uuid import UUID

import flask
import structlog
from flask_login import LoginManager, current_user, login_user, logout_user

from saas import context, database, errors
from saas.actor import Actor
from saas.columns import utc_now
from saas.security import csrf, headers
from saas.services import session_services
from saas.services.session_services import Client
from tenants import enter_account

_GIVEN_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")
_COOKIE = re.compile(r"([0-9a-f]{32})\.([A-Za-z0-9_-]{20,200})")
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")
_log = structlog.get_logger(__name__)


def init_app(app: flask.Flask, login_manager: LoginManager) -> None:
    """Put the door on an app: hooks before and after each request, and Flask-Login's loader."""
    login_manager.session_protection = (
        None  # the session is a row of ours: nothing to guess from the browser's name
    )
    login_manager.user_loader(_load_actor)
    app.before_request(open_request)
    app.after_request(finish_answer)
    app.teardown_request(close_request)


def open_request() -> None:
    """Name the request, bind the log, refuse other sites; raises CrossSiteRequestError."""
    request, g = flask.request, flask.g
    given = request.headers.get("X-Request-ID", "")
    g.request_id = given if _GIVEN_REQUEST_ID.fullmatch(given) else secrets.token_hex(16)
    g.stack = ExitStack()
    g.seen_at = None
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(request_id=g.request_id)
    g.stack.enter_context(database.use(flask.current_app.extensions["database"]))
    channel = "page" if request.endpoint in flask.current_app.extensions["pages"] else "api"
    route = request.url_rule.rule if request.url_rule else None
    context.set_context(
        context.CallContext(
            channel, g.request_id, request.remote_addr, str(request.user_agent)[:256], route
        )
    )
    csrf.check_origin(request)


def current_actor() -> Actor | None:
    """Return who calls, or None. Asked once a request; a route that never asks costs no statement."""
    actor = current_user._get_current_object()
    return actor if isinstance(actor, Actor) else None


def _load_actor(unsafe_cookie: str) -> Actor | None:
    """Enter the account named in the cookie and find who holds its token there (Flask-Login's user_loader).

    So even loading the caller is a scoped statement: a cookie that names another account finds nobody, and the
    account is left again. A safe method keeps the transaction open for its view: one snapshot for both.
    """
    parts = _COOKIE.fullmatch(unsafe_cookie)
    if parts is None:
        return None
    stack = ExitStack()
    with stack:
        account_id = stack.enter_context(enter_account(UUID(parts[1])))
        with ExitStack() as transaction:
            transaction.enter_context(database.reading())
            found = session_services.find_actor(account_id, parts[2])
            if found is None:
                return None
            if (
                flask.request.method in _SAFE
                and flask.request.endpoint not in flask.current_app.extensions["writers"]
            ):
                stack.push(transaction.pop_all())
        flask.g.stack.push(stack.pop_all())
    actor, flask.g.seen_at = found
    structlog.contextvars.bind_contextvars(account_id=str(account_id), actor=actor.label)
    return actor


def refuse_other_account(actor: Actor | None) -> None:
    """Raise AccountMismatchError when the page or client still shows another account than the one entered.

    The client says which in ``X-Account-ID``, a form in its hidden field ``account_id``.
    """
    request = flask.request
    shown = request.headers.get("X-Account-ID")
    if shown is None and request.method == "POST" and request.mimetype in _FORMS:
        shown = request.form.get("account_id")
    if shown is not None and (
        actor is None or shown.replace("-", "").lower() != actor.account_id.hex
    ):
        raise errors.AccountMismatchError


def client() -> Client:
    """Return where this request comes from, for the list of sessions."""
    request = flask.request
    return Client(ip=request.remote_addr or "", user_agent=str(request.user_agent)[:256])


def remember_actor(actor: Actor, *, remember: bool) -> None:
    """Put a new session into the cookie: the account entered and the token, nothing else of the old one."""
    flask.session.clear()
    flask.session.permanent = remember
    login_user(actor)


def forget_actor() -> None:
    """Take the session out of the cookie."""
    logout_user()
    flask.session.clear()


def finish_answer(response: flask.Response) -> flask.Response:
    """Add the request id and the security headers to every answer."""
    response.headers["X-Request-ID"] = flask.g.request_id
    headers.apply(response, flask.request.path, flask.request.is_secure)
    return response


def close_request(error: BaseException | None = None) -> None:
    """Close the transaction, leave the account, clear the log context; note the use of the session once a minute."""
    stack: ExitStack | None = flask.g.pop("stack", None)
    if stack is None:
        return
    stack.close()
    structlog.contextvars.clear_contextvars()
    context.set_context(context.CallContext("job"))
    seen_at: datetime | None = flask.g.pop("seen_at", None)
    if seen_at is not None and error is None and utc_now() - seen_at > session_services.SEEN_EVERY:
        _touch(flask.g._login_user)


def _touch(actor: Any) -> None:
    """A trace of use is worth no failed request: the answer is on its way, and a fault here is only logged."""
    if not isinstance(actor, Actor) or actor.session_id is None:
        return
    try:
        with (
            database.use(flask.current_app.extensions["database"]),
            enter_account(actor.account_id),
        ):
            session_services.touch_session(actor.session_id)
    except errors.DatabaseAwayError as error:
        _log.warning("session not touched", error=str(error))
