"""What mails lead to: a forgotten password, an address to confirm. Opening a link changes nothing, the button does."""

from __future__ import annotations

import flask
from werkzeug.wrappers import Response

from saas import errors, routing
from saas.actor import Actor
from saas.pages import shared_pages
from saas.schemas.account_schemas import ForgotPasswordIn, ResetPasswordIn, VerifyEmailIn
from saas.services import mail_token_services
from saas.views import account_views

GONE = (errors.NotFoundError, errors.LinkGoneError)
RESET, VERIFY = ("reset",), ("verify", "change")


def forgot(actor: Actor | None) -> str:
    """The form that asks where to send the link."""
    return shared_pages.draw("forgot.html", actor, form=shared_pages.FormState())


def submit_forgot(actor: Actor | None) -> Response:
    """Send the link; the answer is the same whether anybody has the address or not."""
    try:
        account_views.forget_password(actor, routing.read_form(ForgotPasswordIn))
    except shared_pages.MENDABLE as error:
        form = shared_pages.typed_again(error, "email")
        return shared_pages.refuse(error, shared_pages.draw("forgot.html", actor, form=form))
    message = "If somebody signs in with that address, a link is on its way to it."
    return shared_pages.go_to("/password/forgot", message)


def reset(actor: Actor | None) -> Response:
    """The form for a new password; 404 or 410 for a link that does not work."""
    return _draw(actor, "reset", flask.request.args.get("token", ""), shared_pages.FormState())


def submit_reset(actor: Actor | None) -> Response:
    """Set the new password, which ends every session and key, and go on to sign in with it."""
    return _submit(actor, "reset", "/login", "Your new password is set. Sign in with it.")


def verify(actor: Actor | None) -> Response:
    """The button that confirms an address; 404 or 410 for a link that does not work."""
    return _draw(actor, "verify", flask.request.args.get("token", ""), shared_pages.FormState())


def submit_verify(actor: Actor | None) -> Response:
    """Confirm the address; 409 when somebody else has taken it meanwhile."""
    return _submit(
        actor, "verify", "/" if actor else "/login", "Thank you, the address is confirmed."
    )


def resend_verification(actor: Actor) -> Response:
    """Send the link that confirms the address once more."""
    account_views.resend_verification(actor)
    return shared_pages.go_to("/", f"A new link is on its way to {actor.email}.")


def _submit(actor: Actor | None, purpose: str, then: str, message: str) -> Response:
    unsafe_token = flask.request.form.get("token", "")
    try:
        if purpose == "reset":
            account_views.reset_password(actor, routing.read_form(ResetPasswordIn))
        else:
            account_views.verify_email(actor, routing.read_form(VerifyEmailIn))
    except shared_pages.MENDABLE as error:
        return _draw(actor, purpose, unsafe_token, shared_pages.typed_again(error), error)
    except GONE as error:
        return _refuse_link(actor, purpose, error)
    return shared_pages.go_to(then, message)


def _draw(
    actor: Actor | None,
    purpose: str,
    unsafe_token: str,
    form: shared_pages.FormState,
    refused: errors.ProductError | None = None,
) -> Response:
    purposes = RESET if purpose == "reset" else VERIFY
    try:
        link = mail_token_services.read_link(token=unsafe_token, purposes=purposes)
    except GONE as error:
        return _refuse_link(actor, purpose, error)
    html = shared_pages.draw(f"{purpose}.html", actor, link=link, token=unsafe_token, form=form)
    return shared_pages.show(html, refused)


def _refuse_link(actor: Actor | None, purpose: str, error: errors.ProductError) -> Response:
    html = shared_pages.draw("link_gone.html", actor, purpose=purpose, error=error)
    return shared_pages.refuse(error, html)
