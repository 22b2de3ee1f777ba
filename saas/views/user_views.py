"""The people of the account, and its roles."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from saas.actor import Actor
from saas.paging import Page
from saas.schemas.list_schemas import ListIn
from saas.services import role_services, user_services


def list_users(actor: Actor, query: ListIn) -> Page:
    """GET /api/users: the people of the account, newest first."""
    page = user_services.list_users(actor, limit=query.limit, cursor=query.cursor)
    return Page([_out(row) for row in page.items], page.next_cursor)


def read_user(actor: Actor, user_id: UUID) -> dict[str, Any]:
    """GET /api/users/<user_id>: one of them."""
    return _out(user_services.read_user(actor, user_id=user_id))


def list_roles(actor: Actor, query: ListIn) -> Page:
    """GET /api/roles: the roles of the account and what they give."""
    return role_services.list_roles(actor, limit=query.limit, cursor=query.cursor)


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
