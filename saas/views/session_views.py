"""Registering, signing in and out, sessions, entering another account."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

import flask
from werkzeug.wrappers import Response

from saas import request_scope
from saas.actor import Actor
from saas.paging import Page
from saas.permissions import require_person
from saas.schemas.account_schemas import LoginIn, RegisterIn, SwitchAccountIn
from saas.schemas.list_schemas import ListIn
from saas.security import emails
from saas.security.throttle import Throttle
from saas.services import account_services, session_services
from saas.services.session_services import SessionView

SUCCESS = {"message": "success"}


def register(actor: Actor | None, body: RegisterIn) -> dict[str, str]:
    """POST /api/register: a new person with an account of their own, signed in."""
    count_registration()
    registered = account_services.register(
        username=body.username,
        email=body.email,
        password=body.password,
        account_name=body.account_name,
        client=request_scope.client(),
    )
    _replace(actor, registered, remember=True)
    return SUCCESS


def login(actor: Actor | None, body: LoginIn) -> dict[str, str]:
    """POST /api/login: sign in, into the seat used last."""
    forgive = count_try(body.email)
    entered = session_services.sign_in(
        email=body.email,
        password=body.password,
        remember=body.remember,
        client=request_scope.client(),
    )
    forgive()
    _replace(actor, entered, remember=body.remember)
    return SUCCESS


def logout(actor: Actor | None) -> dict[str, str]:
    """POST /api/logout: end this session; its cookie is nobody's from now on."""
    if actor is not None:
        session_services.sign_out(actor)
    request_scope.forget_actor()
    return SUCCESS


def logout_page(actor: Actor | None) -> Response:
    """GET /logout, as links have it: sign out and go to ``/``. Another site's page cannot send anybody here."""
    if flask.request.headers.get("Sec-Fetch-Site", "none") in ("same-origin", "same-site", "none"):
        logout(actor)
    return flask.redirect("/", 303)


def read_session(actor: Actor) -> SessionView:
    """GET /api/session: the seat, its permissions, and the accounts to switch to."""
    return session_services.read_session(actor)


def switch_account(actor: Actor, body: SwitchAccountIn) -> dict[str, str]:
    """POST /api/session/account: enter another account of the same person; the token rotates."""
    entered = session_services.switch_account(
        actor, account_id=body.account_id, client=request_scope.client()
    )
    request_scope.remember_actor(entered, remember=flask.session.permanent)
    return SUCCESS


def list_sessions(actor: Actor, query: ListIn) -> Page:
    """GET /api/sessions: the person's own sessions, in all accounts."""
    page = session_services.list_sessions(actor, limit=query.limit, cursor=query.cursor)
    return Page([_session_out(actor, row) for row in page.items], page.next_cursor)


def end_session(actor: Actor, session_id: UUID) -> dict[str, str]:
    """DELETE /api/sessions/<session_id>: end one of the person's own sessions."""
    session_services.end_session(actor, session_id=session_id)
    return SUCCESS


def count_registration() -> None:
    """Count one use of a public door by this address; raises TooManyRequestsError."""
    _throttle().hit("register", flask.request.remote_addr)


def count_try(email: str) -> Callable[[], None]:
    """Count one try at a person's password; call what comes back once the password was right.

    Raises TooManyRequestsError.
    """
    address, identity, throttle = flask.request.remote_addr, emails.email_key(email), _throttle()
    throttle.hit_sign_in(address, identity)
    return lambda: throttle.forgive_sign_in(address, identity)


def count_own_try(actor: Actor) -> Callable[[], None]:
    """As ``count_try``, of a person at their own password; raises PermissionDeniedError for a key, which has none."""
    require_person(actor)
    return count_try(actor.email)


def _replace(former: Actor | None, actor: Actor, *, remember: bool) -> None:
    """Put the new session into this browser; the one it held before ends with it."""
    if former is not None:
        session_services.sign_out(former)
    request_scope.remember_actor(actor, remember=remember)


def _session_out(actor: Actor, row: Any) -> dict[str, Any]:
    return {**row._mapping, "current": row.id == actor.session_id}


def _throttle() -> Throttle:
    throttle: Throttle = flask.current_app.extensions["throttle"]
    return throttle
