"""Invitations, offers of ownership, leaving and closing over HTTP."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from saas import request_scope
from saas.actor import Actor
from saas.columns import utc_now
from saas.paging import Page
from saas.schemas.invitation_schemas import (
    AcceptInvitationIn,
    CloseAccountIn,
    CreateInvitationIn,
    OfferOut,
    OfferOwnershipIn,
)
from saas.schemas.list_schemas import ListIn
from saas.services import invitation_services, ownership_services, user_services
from saas.views import session_views
from saas.views.session_views import SUCCESS


def list_invitations(actor: Actor, query: ListIn) -> Page:
    """GET /api/invitations: in every state, newest first."""
    page = invitation_services.list_invitations(actor, limit=query.limit, cursor=query.cursor)
    return Page([_out(row) for row in page.items], page.next_cursor)


def create_invitation(actor: Actor, body: CreateInvitationIn) -> dict[str, Any]:
    """POST /api/invitations: a mail with a link goes to the address."""
    return _out(
        invitation_services.create_invitation(actor, email=body.email, role_ids=body.role_ids)
    )


def resend_invitation(actor: Actor, invitation_id: UUID) -> dict[str, Any]:
    """POST /api/invitations/<invitation_id>/resend: a new link; the old one is dead."""
    return _out(invitation_services.resend_invitation(actor, invitation_id=invitation_id))


def revoke_invitation(actor: Actor, invitation_id: UUID) -> dict[str, str]:
    """DELETE /api/invitations/<invitation_id>: take it back."""
    invitation_services.revoke_invitation(actor, invitation_id=invitation_id)
    return SUCCESS


def accept_invitation(actor: Actor | None, body: AcceptInvitationIn) -> dict[str, str]:
    """POST /api/invitations/accept: join, and be signed in to the account."""
    session_views.count_registration()
    entered = invitation_services.accept_invitation(
        actor,
        token=body.token,
        username=body.username,
        password=body.password,
        client=request_scope.client(),
    )
    request_scope.remember_actor(entered, remember=True)
    return SUCCESS


def offer_ownership(actor: Actor, body: OfferOwnershipIn) -> OfferOut:
    """POST /api/account/ownership-offers: it moves when the other accepts."""
    return OfferOut.model_validate(ownership_services.offer_ownership(actor, user_id=body.user_id))


def accept_ownership(actor: Actor, offer_id: UUID) -> dict[str, str]:
    """POST /api/account/ownership-offers/<offer_id>/accept: become the owner."""
    ownership_services.accept_ownership(actor, offer_id=offer_id)
    return SUCCESS


def leave_account(actor: Actor) -> dict[str, str]:
    """POST /api/account/leave: give up one's own seat."""
    user_services.leave_account(actor)
    request_scope.forget_actor()
    return SUCCESS


def close_account(actor: Actor, body: CloseAccountIn) -> dict[str, str]:
    """POST /api/account/close: everybody is locked out; nothing is deleted yet."""
    forgive = session_views.count_own_try(actor)
    ownership_services.close_account(actor, password=body.password)
    forgive()
    request_scope.forget_actor()
    return SUCCESS


def _out(row: Any) -> dict[str, Any]:
    return {
        "id": row.id,
        "email": row.email,
        "state": invitation_services.state_of(row, utc_now()),
        "roles": sorted(row.role_names.split(",")) if row.role_names else [],
        "invited_by": row.invited_by,
        "created_at": row.created_at,
        "expires_at": row.expires_at,
    }
