"""Permissions: what can be done inside an account, who holds it by template, and the only question."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Self
from uuid import UUID

from saas import errors

if TYPE_CHECKING:
    from saas.actor import Actor


class Described(StrEnum):
    """Base of permissions: ``noun:verb``, in alphabetical order, each with the sentence that people read."""

    description: str

    def __new__(cls, name: str, description: str) -> Self:
        permission = str.__new__(cls, name)
        permission._value_ = name
        permission.description = description
        return permission


class Permission(Described):
    """What can be done inside an account."""

    ACCOUNT_CLOSE = ("account:close", "Close the account: everybody is locked out.")
    ACCOUNT_READ = ("account:read", "See the account's name and state.")
    ACCOUNT_TRANSFER = ("account:transfer", "Offer the account to another member as its owner.")
    ACCOUNT_UPDATE = ("account:update", "Rename the account.")
    API_KEY_CREATE = ("api_key:create", "Make API keys that hold a part of one's own permissions.")
    API_KEY_READ = ("api_key:read", "See which API keys there are, never their secrets.")
    API_KEY_REVOKE = ("api_key:revoke", "End API keys.")
    AUDIT_EXPORT = ("audit:export", "Take the whole audit log of the account out as a file.")
    AUDIT_READ = ("audit:read", "Read the audit log of the account.")
    PROJECT_CREATE = ("project:create", "Create projects.")
    PROJECT_DELETE = ("project:delete", "Delete projects for good.")
    PROJECT_READ = ("project:read", "See projects.")
    PROJECT_UPDATE = ("project:update", "Change projects.")
    ROLE_CREATE = ("role:create", "Make roles out of permissions one holds.")
    ROLE_DELETE = ("role:delete", "Delete roles that were made here.")
    ROLE_GRANT = ("role:grant", "Give people roles that hold no more than one's own.")
    ROLE_READ = ("role:read", "See roles and what they give.")
    ROLE_REVOKE = ("role:revoke", "Take roles from people.")
    ROLE_UPDATE = ("role:update", "Change what a role that was made here gives.")
    USER_INVITE = ("user:invite", "Invite people, and take invitations back.")
    USER_READ = ("user:read", "See the people of the account, and who is invited.")
    USER_REMOVE = ("user:remove", "Remove people from the account.")
    USER_SUSPEND = ("user:suspend", "Suspend people and let them back in.")
    USER_UPDATE = ("user:update", "Change people's usernames.")
    WEBHOOK_CREATE = (
        "webhook:create",
        "Have audit events sent to an address; needs audit:read too.",
    )
    WEBHOOK_DELETE = ("webhook:delete", "Delete webhooks for good.")
    WEBHOOK_READ = (
        "webhook:read",
        "See webhooks and what came of their deliveries, never their secrets.",
    )
    WEBHOOK_UPDATE = (
        "webhook:update",
        "Change, test, enable and disable webhooks, and renew their secrets.",
    )


BY_NAME = {permission.value: permission for permission in Permission}
_READ = {
    Permission.ACCOUNT_READ,
    Permission.PROJECT_READ,
    Permission.ROLE_READ,
    Permission.USER_READ,
}
_OWNERS_ALONE = {Permission.ACCOUNT_CLOSE, Permission.ACCOUNT_TRANSFER}

# System roles follow the code at each release; their rows hold the key and no permissions of their own.
SYSTEM_ROLES: dict[str, frozenset[Permission]] = {
    "owner": frozenset(Permission),
    "admin": frozenset(set(Permission) - _OWNERS_ALONE),
    "member": frozenset(_READ | {p for p in Permission if p.value.startswith("project:")}),
    "viewer": frozenset(_READ),
}


def require(actor: Actor, permission: Permission) -> None:
    """Ask the only question: may this actor do this? Raises PermissionDeniedError, which names the permission."""
    if permission not in actor.permissions:
        raise errors.PermissionDeniedError(permission=permission)


def require_person(actor: Actor) -> UUID:
    """Refuse everybody but a person, for what belongs to a sign-in and not to an account; returns the identity's id."""
    if actor.kind != "user" or actor.identity_id is None:
        raise errors.PermissionDeniedError(
            "This belongs to a person's own sign-in; a key cannot do it."
        )
    return actor.identity_id


def require_staff(actor: Actor) -> None:
    """Refuse everybody but the system and operators: for acts that no role inside an account can hold."""
    if actor.kind not in ("system", "operator"):
        raise errors.PermissionDeniedError("Only the staff of this service can do that.")


def require_not_above(actor: Actor, permissions: frozenset[Permission]) -> None:
    """Refuse to give, or to act on, what the actor does not hold; raises PermissionDeniedError naming the first."""
    for permission in sorted(permissions - actor.permissions):
        raise errors.PermissionDeniedError(permission=permission)


def known(names: list[str]) -> frozenset[Permission]:
    """Return the permissions among ``names``; one that no release knows any more opens nothing."""
    return frozenset(BY_NAME[name] for name in names if name in BY_NAME)
