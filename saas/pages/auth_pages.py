"""Sign up, sign in, sign out."""

from __future__ import annotations

import flask
from werkzeug.wrappers import Response

from saas import routing
from saas.actor import Actor
from saas.pages import shared_pages
from saas.schemas.account_schemas import LoginIn, RegisterIn
from saas.views import session_views


def register(actor: Actor | None) -> str | Response:
    """The form to sign up; somebody who is signed in goes home."""
    if actor:
        return shared_pages.go_to("/")
    return _draw_register(shared_pages.FormState())


def submit_register(actor: Actor | None) -> Response:
    """Make person, account and owner, and sign in; 409 for an address in use, 422 if invalid."""
    try:
        body = routing.read_form(RegisterIn)
        session_views.register(actor, body)
    except shared_pages.MENDABLE as error:
        form = shared_pages.typed_again(error, "username", "email", "account_name")
        return shared_pages.refuse(error, _draw_register(form))
    return shared_pages.go_to(_next_path(), "Welcome. Your account is ready.")


def login(actor: Actor | None) -> str | Response:
    """The form to sign in; somebody who is signed in goes on at once."""
    if actor:
        return shared_pages.go_to(_next_path())
    return _draw_login(shared_pages.FormState())


def submit_login(actor: Actor | None) -> Response:
    """Sign in and go on to `next`; 401 when address or password are wrong, not saying which."""
    try:
        body = routing.read_form(LoginIn)
        session_views.login(actor, body)
    except shared_pages.MENDABLE as error:
        form = shared_pages.typed_again(error, "email", "remember")
        return shared_pages.refuse(error, _draw_login(form))
    return shared_pages.go_to(_next_path())


def logout(actor: Actor | None) -> Response:
    """End the session and go to `/`, or to the `next` of the form, where somebody else may want to go on."""
    session_views.logout(actor)
    return shared_pages.go_to(
        shared_pages.safe_path(flask.request.form.get("next")), "You are signed out."
    )


def _draw_register(form: shared_pages.FormState) -> str:
    return shared_pages.draw("register.html", None, form=form, next_query=shared_pages.next_query())


def _draw_login(form: shared_pages.FormState) -> str:
    return shared_pages.draw("login.html", None, form=form, next_query=shared_pages.next_query())


def _next_path() -> str:
    return shared_pages.safe_path(flask.request.args.get("next"))
