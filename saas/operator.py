"""Operators: people of the house, what each may do in the console, and the only question there."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from saas import errors
from saas.actor import NOWHERE, Actor
from saas.permissions import Described, Permission


class ConsolePermission(Described):
    """The same grammar as a customer's permissions, and no part of them: no role, key or seat can hold one of these."""

    ACCOUNT_READ = ("account:read", "See accounts: people, roles, invitations, keys, sessions.")
    ACCOUNT_SUSPEND = ("account:suspend", "Suspend accounts, and restore them.")
    AUDIT_EXPORT = ("audit:export", "Take events of the audit log away as a file.")
    AUDIT_READ = ("audit:read", "Read the audit log of every account, and that of the house.")
    INVITATION_RESEND = ("invitation:resend", "Send a customer's invitation again.")
    INVITATION_REVOKE = ("invitation:revoke", "Take a customer's invitation back.")
    LIST_EXPORT = ("list:export", "Take a list of the console away as a file.")
    NOTE_READ = ("note:read", "Read what operators wrote down about accounts and people.")
    NOTE_WRITE = ("note:write", "Write something down about an account or a person.")
    OPERATOR_READ = ("operator:read", "See the operators and what they did.")
    OPERATOR_RESET = ("operator:reset", "Reset an operator's second factor.")
    OPERATOR_SIGN_OUT = ("operator:sign_out", "Sign an operator out everywhere.")
    PERSON_READ = ("person:read", "See people and their seats.")
    PERSON_SIGN_OUT = ("person:sign_out", "Sign a person out everywhere.")
    PERSON_SUSPEND = ("person:suspend", "Suspend people in every account, and restore them.")
    RECORD_READ = ("record:read", "See the product's own lists, such as projects.")
    ROLE_READ = ("role:read", "See the roles of accounts and what they give.")


_READS = frozenset(p for p in ConsolePermission if p.value.endswith(":read"))
OPERATOR_ROLES: dict[str, frozenset[ConsolePermission]] = {
    "administrator": frozenset(ConsolePermission),
    "support": _READS
    | {
        ConsolePermission.INVITATION_RESEND,
        ConsolePermission.INVITATION_REVOKE,
        ConsolePermission.NOTE_WRITE,
        ConsolePermission.PERSON_SIGN_OUT,
    },
    "viewer": _READS,
}


@dataclass(frozen=True, slots=True)
class Operator:
    """Who asks in the console. ``stage``: "full", or "setup" for one who must first set up a second factor."""

    id: UUID
    label: str
    role: str
    permissions: frozenset[ConsolePermission]
    session_id: UUID
    stage: str
    expires_at: datetime
    last_seen_at: datetime
    token: str = field(default="", repr=False)

    def can(self, permission: ConsolePermission) -> bool:
        """Say whether this operator holds a permission: for greying out; ``require_operator`` decides."""
        return permission in self.permissions

    def acting_in(self, account_id: UUID) -> Actor:
        """Return this operator as the actor of services inside one account.

        What an operator may do there is asked before, as a ConsolePermission; the act itself meets no role's bounds.
        """
        return Actor("operator", self.id, self.label, account_id, frozenset(Permission))

    def nowhere(self) -> Actor:
        """Return this operator as the actor of what belongs to no account; it holds nothing."""
        return Actor("operator", self.id, self.label, NOWHERE, frozenset())


def require_operator(operator: Operator, permission: ConsolePermission) -> None:
    """Ask the console's only question; raises PermissionDeniedError, which names the permission."""
    if operator.stage != "full" or permission not in operator.permissions:
        raise errors.PermissionDeniedError(
            f"You need the permission {permission.value} to do this. "
            "Ask an operator who is an administrator.",
            permission=permission,
        )


def why_not(operator: Operator, permission: ConsolePermission) -> str:
    """Return why an operator may not, for a greyed act, or "" when they may."""
    if operator.can(permission):
        return ""
    return f"Needs {permission.value}; your role is {operator.role}."
