"""Permissions: what can be done inside an account, who holds it by template, and the only question."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from saas import errors

if TYPE_CHECKING:
    from saas.actor import Actor


class Permission(StrEnum):
    """``noun:verb``, in alphabetical order."""

    ACCOUNT_READ = "account:read"
    ACCOUNT_UPDATE = "account:update"
    AUDIT_READ = "audit:read"
    PROJECT_CREATE = "project:create"
    PROJECT_DELETE = "project:delete"
    PROJECT_READ = "project:read"
    PROJECT_UPDATE = "project:update"
    ROLE_READ = "role:read"
    USER_INVITE = "user:invite"
    USER_READ = "user:read"
    USER_SUSPEND = "user:suspend"


_READ = {
    Permission.ACCOUNT_READ,
    Permission.PROJECT_READ,
    Permission.ROLE_READ,
    Permission.USER_READ,
}

# System roles follow the code at each release; their rows hold the key and no permissions of their own.
SYSTEM_ROLES: dict[str, frozenset[Permission]] = {
    "owner": frozenset(Permission),
    "admin": frozenset(Permission),
    "member": frozenset(_READ | {p for p in Permission if p.value.startswith("project:")}),
    "viewer": frozenset(_READ),
}


def require(actor: Actor, permission: Permission) -> None:
    """Ask the only question: may this actor do this? Raises PermissionDeniedError, which names the permission."""
    if permission not in actor.permissions:
        raise errors.PermissionDeniedError(permission=permission)


def require_staff(actor: Actor) -> None:
    """Refuse everybody but the system and operators: for acts that no role inside an account can hold."""
    if actor.kind not in ("system", "operator"):
        raise errors.PermissionDeniedError("Only the staff of this service can do that.")


def require_not_above(actor: Actor, permissions: frozenset[Permission]) -> None:
    """Refuse to give, or to act on, what the actor does not hold; raises PermissionDeniedError naming the first."""
    for permission in sorted(permissions - actor.permissions):
        raise errors.PermissionDeniedError(permission=permission)
