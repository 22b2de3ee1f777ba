"""Permissions and roles as people look at them: in groups, in order, and only what the person may give."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from saas.actor import Actor
from saas.permissions import SYSTEM_ROLES, Permission
from saas.schemas.list_schemas import ListIn
from saas.services import role_services
from saas.views import role_views

TITLES = {"account": "Account", "api_key": "API keys", "audit": "Audit log", "user": "People"}
"""Groups that are called otherwise than the noun of their permissions."""

BY_NAME = {permission.value: permission for permission in Permission}
MOST_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class Group:
    """The permissions of one noun, under its title."""

    title: str
    permissions: list[Permission]


def grouped(permissions: Iterable[Permission]) -> list[Group]:
    """Permissions by their noun, in alphabetical order."""
    groups: dict[str, Group] = {}
    for permission in sorted(permissions):
        noun = permission.value.partition(":")[0]
        title = TITLES.get(noun) or noun.replace("_", " ").capitalize() + "s"
        groups.setdefault(noun, Group(title, [])).permissions.append(permission)
    return list(groups.values())


def all_roles(actor: Actor) -> list[dict[str, Any]]:
    """Every role of the account: system roles from the widest to the narrowest, then the others by name."""
    roles: list[dict[str, Any]] = []
    query = ListIn(limit=MOST_AT_ONCE)
    while True:
        page = role_views.list_roles(actor, query)
        roles += page.items
        if page.next_cursor is None:
            break
        query = ListIn(limit=MOST_AT_ONCE, cursor=page.next_cursor)
    order = list(SYSTEM_ROLES)
    return sorted(
        roles, key=lambda r: (order.index(r["name"]) if r["system"] else len(order), r["name"])
    )


def givable_roles(actor: Actor) -> list[dict[str, Any]]:
    """The roles that the actor may give somebody: those that hold no more than the actor. None to see, none to give."""
    if not actor.can(Permission.ROLE_READ):
        return []
    return [role for role in all_roles(actor) if actor.permissions.issuperset(role["permissions"])]


def who_can_give(actor: Actor, permission: Permission) -> list[str]:
    """The names of those to ask for a permission; nobody is named to a person who may not see who is here."""
    if not actor.can(Permission.USER_READ):
        return []
    return role_services.who_can_give(actor, permission=permission)
