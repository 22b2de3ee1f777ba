"""Actor: who asks, in which account, with which permissions. A frozen value, passed and never guessed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal
from uuid import UUID

from saas.permissions import Permission

Kind = Literal["user", "api_key", "operator", "system", "anonymous"]

# An account that does not exist and never will. What belongs to no account is done inside this one, where every
# tenant-owned table is empty.
NOWHERE = UUID("00000000-0000-7000-8000-000000000000")


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asks. ``id`` is the seat's or the key's (None for the system); Flask-Login's current_user is one of these.

    ``maker_id``: of a key, the seat it acts for; it holds a part of what that seat holds, and dies with it.
    """

    kind: Kind
    id: UUID | None
    label: str
    account_id: UUID
    permissions: frozenset[Permission]
    account_name: str = ""
    identity_id: UUID | None = None
    email: str = ""
    session_id: UUID | None = None
    token: str = field(default="", repr=False)
    maker_id: UUID | None = None
    maker_label: str = ""

    # What Flask-Login asks of a user.
    is_authenticated = True
    is_active = True
    is_anonymous = False

    @property
    def seat_id(self) -> UUID | None:
        """The user behind this actor: itself, or the maker of the key; None for the system and operators."""
        return self.id if self.kind == "user" else self.maker_id

    def get_id(self) -> str:
        """Return what the cookie holds: the account entered and the session's token."""
        return f"{self.account_id.hex}.{self.token}"

    def can(self, permission: Permission) -> bool:
        """Say whether this actor holds a permission: for showing or hiding; ``require`` decides."""
        return permission in self.permissions


def system_actor(account_id: UUID, label: str) -> Actor:
    """Return the actor of commands and jobs: it holds every permission and says its own name in the log."""
    return Actor("system", None, label, account_id, frozenset(Permission))
