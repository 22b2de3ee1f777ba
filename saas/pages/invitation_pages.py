"""Invitations as the account sees them: list by state, invite, send again, take back."""

from __future__ import annotations

from uuid import UUID

from werkzeug.wrappers import Response

from saas import routing
from saas.actor import Actor
from saas.columns import utc_now
from saas.pages import permission_pages, shared_pages
from saas.pages.form_schemas import InviteFormIn, ListInvitationsFormIn
from saas.schemas.invitation_schemas import CreateInvitationIn
from saas.services import invitation_services
from saas.views import invitation_views

STATES = {
    "open": "Open",
    "accepted": "Accepted",
    "expired": "Expired",
    "revoked": "Taken back",
    "all": "All",
}


def list_invitations(actor: Actor) -> str:
    """One page of invitations in one state, newest first, with the form for a new one."""
    query = routing.read_query(ListInvitationsFormIn)
    return _draw(actor, query, shared_pages.FormState())


def create_invitation(actor: Actor) -> Response:
    """Invite an address; 409 for a member, 422 if invalid."""
    try:
        form_body = routing.read_form(InviteFormIn)
        body = CreateInvitationIn(email=form_body.email, role_ids=form_body.role_ids)
        invited = invitation_views.create_invitation(actor, body)
    except shared_pages.MENDABLE as error:
        form = shared_pages.typed_again(error, "email", ticked="role_ids")
        return shared_pages.refuse(error, _draw(actor, ListInvitationsFormIn(), form))
    return shared_pages.go_to("/invitations", f"An invitation is on its way to {invited['email']}.")


def resend_invitation(actor: Actor, invitation_id: UUID) -> Response:
    """Send a new link; the old one is dead."""
    sent = invitation_views.resend_invitation(actor, invitation_id)
    return shared_pages.go_to(
        "/invitations", f"A new link is on its way to {sent['email']}; the old one no longer works."
    )


def revoke_invitation(actor: Actor, invitation_id: UUID) -> Response:
    """Take an invitation back: its link no longer works."""
    invitation_views.revoke_invitation(actor, invitation_id)
    return shared_pages.go_to("/invitations", "Invitation taken back. Its link no longer works.")


def _draw(actor: Actor, query: ListInvitationsFormIn, form: shared_pages.FormState) -> str:
    page = invitation_services.list_invitations(
        actor,
        limit=query.limit,
        cursor=query.cursor,
        state=None if query.state == "all" else query.state,
    )
    return shared_pages.draw(
        "invitations.html",
        actor,
        form=form,
        invitations=[(row, invitation_services.state_of(row, utc_now())) for row in page.items],
        states=STATES,
        state=query.state,
        invite=query.invite,
        cursor=query.cursor,
        next_cursor=page.next_cursor,
        roles=permission_pages.givable_roles(actor),
    )
