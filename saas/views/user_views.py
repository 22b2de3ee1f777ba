"""The people of the account over HTTP."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from saas.actor import Actor
from saas.paging import Page
from saas.schemas.user_schemas import ListUsersIn, ReasonIn, UpdateUserIn
from saas.services import user_services
from saas.views.session_views import SUCCESS


def list_users(actor: Actor, query: ListUsersIn) -> Page:
    """GET /api/users: the people of the account, newest first."""
    page = user_services.list_users(
        actor, limit=query.limit, cursor=query.cursor, search=query.search
    )
    return Page([_out(row) for row in page.items], page.next_cursor)


def read_user(actor: Actor, user_id: UUID) -> dict[str, Any]:
    """GET /api/users/<user_id>: one of them."""
    return _out(user_services.read_user(actor, user_id=user_id))


def explain_user(actor: Actor, user_id: UUID) -> Page:
    """GET /api/users/<user_id>/permissions: what they may do, and which role gives it."""
    return Page(user_services.explain_user(actor, user_id=user_id), None)


def update_user(actor: Actor, user_id: UUID, body: UpdateUserIn) -> dict[str, Any]:
    """PATCH /api/users/<user_id>: their name in this account."""
    return _out(user_services.update_user(actor, user_id=user_id, username=body.username))


def suspend_user(actor: Actor, user_id: UUID, body: ReasonIn) -> dict[str, Any]:
    """POST /api/users/<user_id>/suspend: locked out at their next request."""
    return _out(user_services.suspend_user(actor, user_id=user_id, reason=body.reason))


def restore_user(actor: Actor, user_id: UUID, body: ReasonIn) -> dict[str, Any]:
    """POST /api/users/<user_id>/restore: let back in."""
    return _out(user_services.restore_user(actor, user_id=user_id, reason=body.reason))


def remove_user(actor: Actor, user_id: UUID) -> dict[str, str]:
    """DELETE /api/users/<user_id>: with their sessions and keys here, and the invitations they sent."""
    user_services.remove_user(actor, user_id=user_id)
    return SUCCESS


def _out(row: Any) -> dict[str, Any]:
    user_id, username, email, status, created_at, role_names = row
    return {
        "id": user_id,
        "username": username,
        "email": email,
        "status": status,
        "roles": sorted(role_names.split(",")) if role_names else [],
        "created_at": created_at,
    }
