"""The people of the account: list, one of them, and what can be done for and with them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from werkzeug.wrappers import Response

from saas import errors, routing
from saas.actor import Actor
from saas.pages import permission_pages, shared_pages
from saas.pages.form_schemas import ReasonFormIn
from saas.permissions import Permission
from saas.schemas.role_schemas import GrantRoleIn
from saas.schemas.user_schemas import ListUsersIn, UpdateUserIn
from saas.services import role_services, user_services
from saas.views import user_views

CHANGING = (
    Permission.ROLE_GRANT,
    Permission.ROLE_REVOKE,
    Permission.USER_REMOVE,
    Permission.USER_SUSPEND,
    Permission.USER_UPDATE,
)
"""Who holds one of these finds something to do on these pages."""


def list_members(actor: Actor) -> str:
    """One page of the account's people, newest first, or of those whose name or address begins with `search`."""
    query = routing.read_query(ListUsersIn)
    page = user_views.list_users(actor, query)
    return shared_pages.draw(
        "members.html",
        actor,
        members=page.items,
        search=query.search or "",
        cursor=query.cursor,
        next_cursor=page.next_cursor,
        changers=_changers(actor),
    )


def read_member(actor: Actor, user_id: UUID) -> str:
    """One person: roles, what they can do here and why, and the forms that the reader may use."""
    return _draw(actor, user_id)


def update_member(actor: Actor, user_id: UUID) -> Response:
    """Change the person's name in this account; 409 for a name in use."""

    def change() -> str:
        body = routing.read_form(UpdateUserIn)
        return f"Now called {user_views.update_user(actor, user_id, body)['username']}."

    return _submit(actor, user_id, "name", change)


def grant_role(actor: Actor, user_id: UUID) -> Response:
    """Give the person one more role; roles add up."""

    def change() -> str:
        body = routing.read_form(GrantRoleIn)
        role_services.grant_role(actor, user_id=user_id, role_id=body.role_id)
        return "Role given."

    return _submit(actor, user_id, "role", change)


def revoke_role(actor: Actor, user_id: UUID, role_id: UUID) -> Response:
    """Take one role from the person; 409 for the last owner."""

    def change() -> str:
        role_services.revoke_role(actor, user_id=user_id, role_id=role_id)
        return "Role taken away."

    return _submit(actor, user_id, "role", change)


def suspend_member(actor: Actor, user_id: UUID) -> Response:
    """Lock the person out of this account at their next request."""

    def change() -> str:
        reason = routing.read_form(ReasonFormIn).reason
        row = user_services.suspend_user(actor, user_id=user_id, reason=reason)
        return f"{row.username} is suspended."

    return _submit(actor, user_id, "suspend", change)


def restore_member(actor: Actor, user_id: UUID) -> Response:
    """Let the person back in."""

    def change() -> str:
        reason = routing.read_form(ReasonFormIn).reason
        row = user_services.restore_user(actor, user_id=user_id, reason=reason)
        return f"{row.username} can come in again."

    return _submit(actor, user_id, "suspend", change)


def remove_member(actor: Actor, user_id: UUID) -> Response:
    """Remove the person from the account and go back to the list; 409 for the last owner."""
    try:
        user_services.remove_user(actor, user_id=user_id)
    except errors.LastOwnerError as error:
        form = shared_pages.typed_again(error)
        return shared_pages.refuse(error, _draw(actor, user_id, remove=form))
    return shared_pages.go_to("/members", "Removed from the account.")


def _submit(actor: Actor, user_id: UUID, form_name: str, change: Callable[[], str]) -> Response:
    """Make a change and show the person again; a refusal is drawn in the form it came from.

    Who has changed themselves may not see this page any more, and goes home.
    """
    try:
        message = change()
    except shared_pages.MENDABLE as error:
        form = shared_pages.typed_again(error, "username", "reason")
        return shared_pages.refuse(error, _draw(actor, user_id, **{form_name: form}))
    return shared_pages.go_to("/" if user_id == actor.id else f"/members/{user_id}", message)


def _draw(actor: Actor, user_id: UUID, **forms: shared_pages.FormState) -> str:
    """The person's page; `forms` holds the refused one: name, role, suspend or remove."""
    member = user_views.read_user(actor, user_id)
    held = user_services.explain_user(actor, user_id=user_id)
    blank = dict.fromkeys(("role", "suspend", "remove"), shared_pages.FormState())
    name = shared_pages.FormState({"username": member["username"]})
    roles = permission_pages.all_roles(actor) if actor.can(Permission.ROLE_READ) else []
    givable = [role for role in roles if actor.permissions.issuperset(role["permissions"])]
    return shared_pages.draw(
        "member.html",
        actor,
        member=member,
        held={permission_pages.BY_NAME[each["permission"]]: each["roles"] for each in held},
        beyond=sorted({each["permission"] for each in held} - actor.permissions),
        itself=user_id == actor.id,
        roles=[role for role in roles if role["name"] in member["roles"]],
        takable=[role["id"] for role in givable],
        givable=[role for role in givable if role["name"] not in member["roles"]],
        changers=_changers(actor),
        forms=blank | {"name": name} | forms,
        form_refused=bool(forms),
    )


def _changers(actor: Actor) -> str:
    """The names of those who can change people, for somebody who cannot; empty for those who can."""
    if any(actor.can(permission) for permission in CHANGING):
        return ""
    names: list[Any] = permission_pages.who_can_give(actor, Permission.ROLE_GRANT)
    return shared_pages.in_words(names)
