"""Leaving an account, handing it over, closing it: the part of the settings that needs a second thought."""

from __future__ import annotations

from uuid import UUID

from werkzeug.wrappers import Response

from saas import errors, routing
from saas.actor import Actor
from saas.pages import settings_pages, shared_pages
from saas.pages.form_schemas import CloseFormIn, OfferFormIn
from saas.schemas.invitation_schemas import CloseAccountIn, OfferOwnershipIn
from saas.schemas.user_schemas import ListUsersIn
from saas.services import identity_services
from saas.views import invitation_views, session_views, user_views


def leave_account(actor: Actor) -> Response:
    """Give up one's own seat and be signed out; 409 for the last owner."""
    try:
        invitation_views.leave_account(actor)
    except shared_pages.MENDABLE as error:
        return _refuse(actor, error, "leave")
    return shared_pages.go_to("/", f"You have left {actor.account_name}.")


def offer_ownership(actor: Actor) -> Response:
    """Offer the account to a member, named by username or address; 422 for a wrong password or nobody."""
    try:
        body = routing.read_form(OfferFormIn)
        _confirm_password(actor, body.password)
        receiver_id = _find_member(actor, body.username)
        invitation_views.offer_ownership(actor, OfferOwnershipIn(user_id=receiver_id))
    except shared_pages.MENDABLE as error:
        return _refuse(actor, error, "offer", "username")
    return shared_pages.go_to(
        "/settings#hand-over", "Offered. Nothing changes until they accept; they have a mail."
    )


def accept_ownership(actor: Actor, offer_id: UUID) -> Response:
    """Become the owner; whoever offered becomes an admin."""
    invitation_views.accept_ownership(actor, offer_id)
    return shared_pages.go_to("/", f"{actor.account_name} is yours now.")


def close_account(actor: Actor) -> Response:
    """Lock everybody out of the account; 422 when its name or the password is not right."""
    try:
        body = routing.read_form(CloseFormIn)
        if body.account_name != actor.account_name:
            problem = errors.FieldError("account_name", "This is not the name of the account.")
            raise errors.ValidationFailedError(field_errors=[problem])
        invitation_views.close_account(actor, CloseAccountIn(password=body.password))
    except shared_pages.MENDABLE as error:
        return _refuse(actor, error, "close", "account_name")
    return shared_pages.go_to("/", f"{actor.account_name} is closed.")


def _refuse(
    actor: Actor, error: errors.ProductError, form_name: str, *kept_fields: str
) -> Response:
    form = shared_pages.typed_again(error, *kept_fields)
    return shared_pages.refuse(error, settings_pages.draw_settings(actor, **{form_name: form}))


def _confirm_password(actor: Actor, password: str) -> None:
    forgive = session_views.count_try(actor.email)
    identity_services.confirm_password(actor, password, "password")
    forgive()


def _find_member(actor: Actor, unsafe_name: str) -> UUID:
    """The active member with exactly this name or address; raises ValidationFailedError."""
    wanted = unsafe_name.strip()
    query = ListUsersIn(limit=100, search=wanted[:100] or None)
    while True:
        page = user_views.list_users(actor, query)
        for member in page.items:
            exact = wanted == member["username"] or wanted.lower() == member["email"].lower()
            if exact and member["status"] == "active" and member["id"] != actor.id:
                receiver_id: UUID = member["id"]
                return receiver_id
        if page.next_cursor is None:
            break
        query = query.model_copy(update={"cursor": page.next_cursor})
    problem = errors.FieldError("username", "No other active member has this name or address.")
    raise errors.ValidationFailedError(field_errors=[problem])
