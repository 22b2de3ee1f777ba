"""Roles: list, grid, create, change with a look at who gains and who loses, delete."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from werkzeug.wrappers import Response

from saas import routing
from saas.actor import Actor
from saas.pages import permission_pages, shared_pages
from saas.pages.form_schemas import RoleFormIn
from saas.permissions import Permission
from saas.services import role_services
from saas.views import role_views


def list_roles(actor: Actor) -> str:
    """Every role with the number of people, the grid of what they give, and the form for a new one."""
    return _draw_list(actor, shared_pages.FormState())


def create_role(actor: Actor) -> Response:
    """Make a role out of permissions one holds; 409 for a name in use."""
    try:
        body = routing.read_form(RoleFormIn)
        role = role_services.create_role(
            actor, name=body.name, permissions=_values(body.permissions)
        )
    except shared_pages.MENDABLE as error:
        form = shared_pages.typed_again(error, "name", ticked="permissions")
        return shared_pages.refuse(error, _draw_list(actor, form))
    return shared_pages.go_to(f"/roles/{role.id}", f"Role “{role.name}” created.")


def read_role(actor: Actor, role_id: UUID) -> str:
    """One role: as a form for those who may change it, as text for the others."""
    role = role_views.read_role(actor, role_id)
    form = shared_pages.FormState({"name": role["name"]}, frozenset(role["permissions"]))
    return _draw(actor, role, form)


def preview_role(actor: Actor, role_id: UUID) -> str | Response:
    """Who would gain and who would lose what; nothing changes until the button there is pressed."""
    role = role_views.read_role(actor, role_id)
    try:
        wanted = routing.read_query(RoleFormIn)
    except shared_pages.MENDABLE as error:
        form = shared_pages.typed_again(error, "name", ticked="permissions")
        return shared_pages.refuse(error, _draw(actor, role, form))
    effects = role_services.preview_role(
        actor, role_id=role_id, permissions=_values(wanted.permissions)
    )
    before, after = set(role["permissions"]), set(_values(wanted.permissions))
    return shared_pages.draw(
        "role_preview.html",
        actor,
        role=role,
        wanted=wanted,
        gains=[permission_pages.BY_NAME[name] for name in sorted(after - before)],
        losses=[permission_pages.BY_NAME[name] for name in sorted(before - after)],
        effects=[effect for effect in effects if effect["gains"] or effect["loses"]],
        untouched=sum(not (effect["gains"] or effect["loses"]) for effect in effects),
    )


def update_role(actor: Actor, role_id: UUID) -> Response:
    """Change the role for everybody who holds it; what is refused leads back to the form."""
    try:
        body = routing.read_form(RoleFormIn)
        role = role_services.update_role(
            actor, role_id=role_id, name=body.name, permissions=_values(body.permissions)
        )
    except shared_pages.MENDABLE as error:
        form = shared_pages.typed_again(error, "name", ticked="permissions")
        unchanged = role_views.read_role(actor, role_id)
        return shared_pages.refuse(error, _draw(actor, unchanged, form))
    return shared_pages.go_to(f"/roles/{role_id}", f"Role “{role.name}” changed.")


def delete_role(actor: Actor, role_id: UUID) -> Response:
    """Delete the role; whoever held it holds it no longer."""
    role_services.delete_role(actor, role_id=role_id)
    return shared_pages.go_to("/roles", "Role deleted.")


def _values(permissions: Iterable[Permission]) -> list[str]:
    return sorted({permission.value for permission in permissions})


def _draw_list(actor: Actor, form: shared_pages.FormState) -> str:
    return shared_pages.draw(
        "roles.html",
        actor,
        form=form,
        roles=permission_pages.all_roles(actor),
        grid=permission_pages.grouped(Permission),
        groups=permission_pages.grouped(actor.permissions),
    )


def _draw(actor: Actor, role: dict[str, Any], form: shared_pages.FormState) -> str:
    return shared_pages.draw(
        "role.html",
        actor,
        role=role,
        form=form,
        given=permission_pages.grouped(permission_pages.BY_NAME[n] for n in role["permissions"]),
        groups=permission_pages.grouped(actor.permissions),
        beyond=sorted(set(role["permissions"]) - actor.permissions),
    )
