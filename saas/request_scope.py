"""The door of every request: session → actor → account → log context, and out again."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from random import getrandbits
from typing import Any
from uuid import UUID

import flask
import structlog
from flask_login import AnonymousUserMixin, LoginManager, login_user, logout_user

from saas import context, database, errors
from saas.actor import Actor
from saas.columns import utc_now
from saas.security import csrf, headers
from saas.services import api_key_services, session_services
from saas.services.session_services import Client
from saas.session_cookie import SessionCookie
from tenants import enter_account

_GIVEN_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")
_COOKIE = re.compile(r"([0-9a-f]{32})\.([A-Za-z0-9_-]{20,200})")
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")
_NOWHERE = context.CallContext("job")
_log = structlog.get_logger(__name__)


def init_app(app: flask.Flask, login_manager: LoginManager) -> None:
    """Put the door on an app: hooks before and after each request, and Flask-Login's loader."""
    login_manager.session_protection = (
        None  # the session is a row of ours: nothing to guess from the browser's name
    )
    login_manager.user_loader(_load_actor)
    app.session_interface = SessionCookie()
    app.ensure_sync = _is_sync  # type: ignore[assignment,method-assign]
    app.before_request(open_request)
    app.after_request(finish_answer)
    app.teardown_request(close_request)


def _is_sync(function: Any) -> Any:
    """No view or hook of ours is a coroutine, so Flask need not ask each of them at every request."""
    return function


def open_request() -> None:
    """Name the request, bind the log, refuse other sites; raises CrossSiteRequestError."""
    # What stands behind Flask's proxies, asked once: every use of a proxy looks for it again.
    app, request, g = _app(), _request(), _g()
    given = request.environ.get("HTTP_X_REQUEST_ID", "")
    # It tells requests apart and keeps no secret, so it need not come from the system's random source.
    g.request_id = given if _GIVEN_REQUEST_ID.fullmatch(given) else f"{getrandbits(128):032x}"
    g.account = g.unit = g.seen_at = None
    g.database = database.start_using(app.extensions["database"])
    structlog.contextvars.bind_contextvars(request_id=g.request_id)
    rule = request.url_rule
    context.set_context(
        context.CallContext(
            "page" if rule is not None and rule.endpoint in app.extensions["pages"] else "api",
            g.request_id,
            request.remote_addr,
            _user_agent(request),
            None if rule is None else rule.rule,
        )
    )
    csrf.check_origin(request)


def current_actor() -> Actor | None:
    """Return who calls, or None. Found when first asked for: a route that never asks costs no statement.

    This is what Flask-Login's ``current_user`` does, straight: nothing of the browser is compared, no second cookie
    is tried, and the result stands where ``current_user`` looks.
    """
    g = _g()
    actor = g.get("_login_user")
    if actor is None:
        actor = _find_actor() or AnonymousUserMixin()
        g._login_user = actor
    return actor if isinstance(actor, Actor) else None


def _find_actor() -> Actor | None:
    """Find who calls: by the key in ``Authorization``, which then stands alone, else by the session in the cookie.

    A request with that header passed no origin check, so its cookie must not count.
    """
    unsafe_header = _request().environ.get("HTTP_AUTHORIZATION")
    if unsafe_header is not None:
        return _load_key(unsafe_header)
    unsafe_cookie = flask.session.get("_user_id")
    return _load_actor(unsafe_cookie) if unsafe_cookie else None


def _load_key(unsafe_header: str) -> Actor | None:
    """Enter the account named in an API key and find whom the key lets act there."""
    scheme, _, unsafe_key = unsafe_header.partition(" ")
    parts = api_key_services.parse_key(unsafe_key.strip()) if scheme.lower() == "bearer" else None
    if parts is None:
        return None
    account_id, key_id, secret = parts
    return _enter(account_id, lambda: api_key_services.find_actor(account_id, key_id, secret))


def _load_actor(unsafe_cookie: str) -> Actor | None:
    """Enter the account named in the cookie and find who holds its token there (Flask-Login's user_loader).

    So even loading the caller is a scoped statement: a cookie that names another account finds nobody, and the
    account is left again. A safe method keeps the transaction open for its view: one snapshot for both.
    """
    parts = _COOKIE.fullmatch(unsafe_cookie)
    if parts is None:
        return None
    account_id, token = UUID(parts[1]), parts[2]
    return _enter(account_id, lambda: session_services.find_actor(account_id, token))


def _enter(account_id: UUID, find: Callable[[], tuple[Actor, datetime] | None]) -> Actor | None:
    """Enter an account and let ``find`` look for the caller there; leave it again when there is nobody."""
    g = _g()
    g.account = enter_account(account_id)
    g.account.__enter__()
    found = None
    try:
        g.unit = database.open_unit(read_only=True)
        found = find()
    finally:
        if found is None:
            _leave(g)
    if found is None:
        return None
    if not _keeps_transaction():
        database.close_unit(g.unit)
        g.unit = None
    actor, g.seen_at = found
    structlog.contextvars.bind_contextvars(account_id=str(account_id), actor=actor.label)
    return actor


def _keeps_transaction() -> bool:
    request = _request()
    return request.method in _SAFE and request.endpoint not in _app().extensions["writers"]


def _leave(g: Any) -> None:
    """Close the transaction and leave the account, as far as they were opened and entered."""
    unit, account = g.unit, g.account
    g.unit = g.account = None
    try:
        if unit is not None:
            database.close_unit(unit)
    finally:
        if account is not None:
            account.__exit__(None, None, None)


def refuse_other_account(actor: Actor | None) -> None:
    """Raise AccountMismatchError when the page or client still shows another account than the one entered.

    The client says which in ``X-Account-ID``, a form in its hidden field ``account_id``.
    """
    request = _request()
    shown = request.environ.get("HTTP_X_ACCOUNT_ID")
    if shown is None and request.method == "POST" and request.mimetype in _FORMS:
        shown = request.form.get("account_id")
    if shown is not None and (
        actor is None or shown.replace("-", "").lower() != actor.account_id.hex
    ):
        raise errors.AccountMismatchError


def client() -> Client:
    """Return where this request comes from, for the list of sessions."""
    request = _request()
    return Client(ip=request.remote_addr or "", user_agent=_user_agent(request))


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
    request = _request()
    response.headers["X-Request-ID"] = _g().request_id
    headers.apply(response, request.path, request.is_secure)
    return response


def close_request(error: BaseException | None = None) -> None:
    """Close the transaction, leave the account, clear the log context; note the use of the session once a minute."""
    g = _g()
    used = g.pop("database", None)
    if used is None:
        return
    try:
        _leave(g)
    finally:
        database.stop_using(used)
        structlog.contextvars.clear_contextvars()
        context.set_context(_NOWHERE)
    actor = g.get("_login_user")
    seen_at: datetime | None = g.seen_at
    if seen_at is not None and error is None and utc_now() - seen_at > session_services.SEEN_EVERY:
        _touch(actor)


def _touch(actor: Any) -> None:
    """A trace of use is worth no failed request: the answer is on its way, and a fault here is only logged."""
    try:
        with (
            database.use(flask.current_app.extensions["database"]),
            enter_account(actor.account_id),
        ):
            if actor.kind == "api_key" and actor.id is not None:
                api_key_services.touch_key(actor.id)
            elif actor.session_id is not None:
                session_services.touch_session(actor.session_id)
    except errors.DatabaseAwayError as error:
        _log.warning("session not touched", error=str(error))


def _user_agent(request: flask.Request) -> str:
    return str(request.environ.get("HTTP_USER_AGENT", ""))[:256]


def _app() -> flask.Flask:
    return flask.current_app._get_current_object()  # type: ignore[attr-defined,no-any-return]


def _request() -> flask.Request:
    return flask.request._get_current_object()  # type: ignore[attr-defined,no-any-return]


def _g() -> Any:
    return flask.g._get_current_object()
