"""API keys over HTTP."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from saas.actor import Actor
from saas.paging import Page
from saas.schemas.api_key_schemas import CreateApiKeyIn
from saas.schemas.list_schemas import ListIn
from saas.services import api_key_services
from saas.views.session_views import SUCCESS

_SHOWN = ("id", "name", "permissions", "created_at", "expires_at", "last_used_at", "revoked_at")


def list_api_keys(actor: Actor, query: ListIn) -> Page:
    """GET /api/api-keys: all keys of the account, never their secrets."""
    page = api_key_services.list_api_keys(actor, limit=query.limit, cursor=query.cursor)
    return Page([_out(row) for row in page.items], page.next_cursor)


def create_api_key(actor: Actor, body: CreateApiKeyIn) -> dict[str, Any]:
    """POST /api/api-keys: ``key`` is in this answer and nowhere else."""
    permissions = [permission.value for permission in body.permissions]
    made = api_key_services.create_api_key(
        actor, name=body.name, permissions=permissions, expires_at=body.expires_at
    )
    model = made.model
    shown = {"id": model.id, "name": model.name, "permissions": model.permissions}
    return shown | {"expires_at": model.expires_at, "key": made.key}


def revoke_api_key(actor: Actor, key_id: UUID) -> dict[str, str]:
    """DELETE /api/api-keys/<key_id>: it ends at once."""
    api_key_services.revoke_api_key(actor, key_id=key_id)
    return SUCCESS


def _out(row: Any) -> dict[str, Any]:
    return {name: getattr(row, name) for name in _SHOWN} | {"made_by": row.username}
