"""People of an account and its roles, as they go out."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from saas.schemas.fields import Out


class UserOut(Out):
    """A person of the account, with the names of their roles."""

    id: UUID
    username: str
    email: str
    status: str
    roles: list[str]
    created_at: datetime


class RoleOut(Out):
    """A role and what it gives."""

    id: UUID
    name: str
    system: bool
    permissions: list[str]
    created_at: datetime
