"""What belongs to the person: address, password, accounts, sessions."""

from __future__ import annotations

from uuid import UUID

from werkzeug.wrappers import Response

from saas import routing
from saas.actor import Actor
from saas.pages import device_pages, notice_pages, shared_pages
from saas.schemas.account_schemas import (
    ChangeEmailIn,
    ChangePasswordIn,
    CreateAccountIn,
    SwitchAccountFormIn,
    SwitchAccountIn,
)
from saas.schemas.list_schemas import ListIn
from saas.views import account_views, session_views

SESSIONS_SHOWN = 20
FORMS = ("email", "password", "account", "leave", "offer", "close")


def settings(actor: Actor) -> str:
    """`/settings`: profile and all forms, as they stand."""
    return draw_settings(actor)


def change_email(actor: Actor) -> Response:
    """Send a link to a new address to sign in with; 422 for a wrong password, 409 for one in use."""
    try:
        body = routing.read_form(ChangeEmailIn)
        account_views.change_email(actor, body)
    except shared_pages.MENDABLE as error:
        form = shared_pages.typed_again(error, "email")
        return shared_pages.refuse(error, draw_settings(actor, email=form))
    message = f"A link is on its way to {body.email}. The address changes when you open it."
    return shared_pages.go_to("/settings#email", message)


def change_password(actor: Actor) -> Response:
    """Change the password, which ends all other sessions."""
    try:
        body = routing.read_form(ChangePasswordIn)
        account_views.change_password(actor, body)
    except shared_pages.MENDABLE as error:
        return shared_pages.refuse(
            error, draw_settings(actor, password=shared_pages.typed_again(error))
        )
    return shared_pages.go_to(
        "/settings#password", "Password changed. Your other sessions are ended."
    )


def switch_account(actor: Actor) -> Response:
    """Enter another account of the same person; every page then shows only that one."""
    form = routing.read_form(SwitchAccountFormIn)
    session_views.switch_account(actor, SwitchAccountIn(account_id=form.to_account_id))
    return shared_pages.go_to("/", "You are in the other account now.")


def create_account(actor: Actor) -> Response:
    """Make another account with the person as its owner."""
    try:
        body = routing.read_form(CreateAccountIn)
        account = account_views.create_account(actor, body)
    except shared_pages.MENDABLE as error:
        form = shared_pages.typed_again(error, "name")
        return shared_pages.refuse(error, draw_settings(actor, account=form))
    return shared_pages.go_to(
        "/settings#accounts", f"Account “{account.name}” created. Switch to it below."
    )


def end_session(actor: Actor, session_id: UUID) -> Response:
    """Sign one of the person's own sessions out."""
    session_views.end_session(actor, session_id)
    return shared_pages.go_to("/settings#sessions", "Session ended.")


def draw_settings(actor: Actor, **forms: shared_pages.FormState) -> str:
    """The settings page; `forms` holds the refused one, by its name in FORMS."""
    blank = dict.fromkeys(FORMS, shared_pages.FormState())
    sessions = session_views.list_sessions(actor, ListIn(limit=SESSIONS_SHOWN))
    return shared_pages.draw(
        "settings.html",
        actor,
        forms=blank | forms,
        accounts=session_views.read_session(actor).accounts,
        sessions=sessions.items,
        more_sessions=sessions.next_cursor is not None,
        device_name=device_pages.device_name,
        form_refused=bool(forms),
        notices=notice_pages.notices_for(actor),
    )
