"""Roles and permissions over HTTP."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from saas.actor import Actor
from saas.paging import Page
from saas.schemas.list_schemas import ListIn
from saas.schemas.role_schemas import CreateRoleIn, GrantRoleIn, UpdateRoleIn, UpdateRoleQuery
from saas.services import held_permissions, role_services
from saas.views.session_views import SUCCESS


def list_permissions(actor: Actor) -> Page:
    """GET /api/permissions: every permission and what it means."""
    listed = role_services.list_permissions(actor)
    return Page([{"name": p.value, "description": p.description} for p in listed], None)


def list_roles(actor: Actor, query: ListIn) -> Page:
    """GET /api/roles: the roles of the account, what they give, and how many people hold them."""
    page = role_services.list_roles(actor, limit=query.limit, cursor=query.cursor)
    return Page([_out(row) for row in page.items], page.next_cursor)


def read_role(actor: Actor, role_id: UUID) -> dict[str, Any]:
    """GET /api/roles/<role_id>."""
    return _out(role_services.read_role(actor, role_id=role_id))


def create_role(actor: Actor, body: CreateRoleIn) -> dict[str, Any]:
    """POST /api/roles: out of permissions that the actor holds."""
    return _out(
        role_services.create_role(actor, name=body.name, permissions=list(body.permissions))
    )


def update_role(
    actor: Actor, role_id: UUID, body: UpdateRoleIn, query: UpdateRoleQuery
) -> dict[str, Any]:
    """PATCH /api/roles/<role_id>: for everybody who holds it; with ``preview=true`` only says for whom what changes."""
    permissions = None if body.permissions is None else [p.value for p in body.permissions]
    if query.preview:
        effects = role_services.preview_role(actor, role_id=role_id, permissions=permissions)
        return {"effects": effects}
    return _out(
        role_services.update_role(actor, role_id=role_id, name=body.name, permissions=permissions)
    )


def delete_role(actor: Actor, role_id: UUID) -> dict[str, str]:
    """DELETE /api/roles/<role_id>: whoever held it holds it no longer."""
    role_services.delete_role(actor, role_id=role_id)
    return SUCCESS


def grant_role(actor: Actor, user_id: UUID, body: GrantRoleIn) -> dict[str, str]:
    """POST /api/users/<user_id>/roles: give somebody a role."""
    role_services.grant_role(actor, user_id=user_id, role_id=body.role_id)
    return SUCCESS


def revoke_role(actor: Actor, user_id: UUID, role_id: UUID) -> dict[str, str]:
    """DELETE /api/users/<user_id>/roles/<role_id>: take it back."""
    role_services.revoke_role(actor, user_id=user_id, role_id=role_id)
    return SUCCESS


def _out(row: Any) -> dict[str, Any]:
    return {
        "id": row.id,
        "name": row.name,
        "system": row.system_key is not None,
        "permissions": sorted(held_permissions.permissions_of_role(row)),
        "people": row.people,
        "created_at": row.created_at,
    }
