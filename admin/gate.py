"""The console's gate: one look at the operator's own cookie before anything under ``/admin`` is even routed.

Whoever has no open operator session gets the 404 of an address that does not exist; the sign-in page alone is open.
Neither a customer's cookie nor a key is looked at.
"""

from __future__ import annotations

import hmac
from dataclasses import replace
from hashlib import sha256

import flask
import structlog
from werkzeug.wrappers import Response

from saas import context, errors
from saas.columns import utc_now
from saas.operator import Operator
from saas.services import operator_services

PREFIX = "/admin"
COOKIE = "tenantry_operator"
SIGN_IN = f"{PREFIX}/sign-in"


def init_app(app: flask.Flask) -> None:
    """Put the gate before everything under ``/admin``."""
    app.before_request(open_gate)


def open_gate() -> Response | None:
    """Find the operator of a console request; raises NotFoundError for everybody else.

    Somebody whose operator session has ended is led to the sign-in page, and nobody else learns that there is one.
    """
    path = flask.request.path
    if path != PREFIX and not path.startswith(PREFIX + "/"):
        return None
    flask.g.hidden = True  # whatever goes wrong here is told as at an address that does not exist
    context.set_context(replace(context.current_context(), channel="console"))
    flask.g.operator = operator = _find_operator()
    if operator is not None:
        structlog.contextvars.bind_contextvars(actor=operator.label)
        if utc_now() - operator.last_seen_at > operator_services.SEEN_EVERY:
            operator_services.touch_session(operator)
        return None
    if path == SIGN_IN and flask.request.method in ("GET", "HEAD", "POST"):
        return None
    if COOKIE in flask.request.cookies and flask.request.method == "GET" and not _is_bearer():
        answer = flask.redirect(SIGN_IN + "?ended=1", 303)
        forget(answer)
        return answer
    raise errors.NotFoundError


def _find_operator() -> Operator | None:
    """A request with ``Authorization`` passed no origin check, so its cookie must not count."""
    token = flask.request.cookies.get(COOKIE, "")
    if not 20 <= len(token) <= 200 or _is_bearer():
        return None
    return operator_services.find_operator(token)


def _is_bearer() -> bool:
    return "HTTP_AUTHORIZATION" in flask.request.environ


def find_operator() -> Operator | None:
    """Return the operator of this request, or None."""
    found: Operator | None = flask.g.get("operator")
    return found


def current_operator() -> Operator:
    """Return the operator of this request; raises NotFoundError where there is none."""
    operator = find_operator()
    if operator is None:
        raise errors.NotFoundError
    return operator


def remember(answer: Response, operator: Operator) -> None:
    """Put an operator's session into its cookie: under ``/admin`` only, and no script reads it."""
    answer.set_cookie(
        COOKIE,
        operator.token,
        path=PREFIX,
        expires=operator.expires_at,
        httponly=True,
        samesite="Lax",
        secure=flask.current_app.config["SESSION_COOKIE_SECURE"],
    )


def forget(answer: Response) -> None:
    """Take the cookie away."""
    secure = flask.current_app.config["SESSION_COOKIE_SECURE"]
    answer.delete_cookie(COOKIE, path=PREFIX, httponly=True, samesite="Lax", secure=secure)


def form_token(operator: Operator) -> str:
    """Return what every form of this session carries, so that no other page can have made it."""
    return hmac.new(operator.token.encode(), b"console form", sha256).hexdigest()[:40]


def check_form(operator: Operator) -> None:
    """Raise CrossSiteRequestError for a form that was not drawn for this session."""
    given = flask.request.form.get("csrf", "").encode("utf-8", "surrogatepass")
    if not hmac.compare_digest(given, form_token(operator).encode()):
        raise errors.CrossSiteRequestError
