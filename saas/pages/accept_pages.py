"""Taking an invitation up. Opening the link changes nothing; each case has its own words, the button acts."""

from __future__ import annotations

import flask
from werkzeug.wrappers import Response

from saas import errors, routing
from saas.actor import Actor
from saas.pages import shared_pages
from saas.schemas.invitation_schemas import AcceptInvitationIn
from saas.services import invitation_services
from saas.views import invitation_views

CASES: dict[type[errors.ProductError], str] = {
    errors.InvitationExpiredError: "expired",
    errors.InvitationRevokedError: "revoked",
    errors.InvitationUsedError: "used",
    errors.LinkGoneError: "gone",
    errors.NotFoundError: "unknown",
    errors.OtherInviteeError: "somebody else",
}
"""Why an invitation cannot be taken up, as the page tells it apart."""

CHANGED = (
    errors.LinkGoneError,
    errors.NotFoundError,
    errors.OtherInviteeError,
    errors.SignInRequiredError,
)
"""What may have happened between the look and the button."""


def open_invitation(actor: Actor | None) -> Response:
    """Show into which account, by whom and as what; 410, 404 or 403 where it cannot be taken up."""
    return _draw(actor, flask.request.args.get("token", ""), shared_pages.FormState())


def accept_invitation(actor: Actor | None) -> Response:
    """Join and go home; what can be mended is drawn again, and what changed meanwhile is shown as it is now."""
    unsafe_token = flask.request.form.get("token", "")
    try:
        body = routing.read_form(AcceptInvitationIn)
        invitation_views.accept_invitation(actor, body)
    except shared_pages.MENDABLE as error:
        return _draw(actor, unsafe_token, shared_pages.typed_again(error, "username"), error)
    except CHANGED as error:
        return _draw(actor, unsafe_token, shared_pages.FormState(), error)
    return shared_pages.go_to("/", "You have joined. Welcome!")


def _draw(
    actor: Actor | None,
    unsafe_token: str,
    form: shared_pages.FormState,
    refused: errors.ProductError | None = None,
) -> Response:
    path = shared_pages.with_query("/invitations/accept", token=unsafe_token)
    try:
        welcome = invitation_services.read_invitation(actor, token=unsafe_token)
    except tuple(CASES) as error:
        case = next(words for kind, words in CASES.items() if isinstance(error, kind))
        html = shared_pages.draw("accept_not.html", actor, case=case, error=error, back=path)
        return shared_pages.refuse(error, html)
    html = shared_pages.draw(
        "accept.html",
        actor,
        welcome=welcome,
        roles=shared_pages.in_words(welcome.roles),
        token=unsafe_token,
        form=form,
        sign_in_path=f"/login{shared_pages.next_query(path)}",
    )
    return shared_pages.show(html, refused)
