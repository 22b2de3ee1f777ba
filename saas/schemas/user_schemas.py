"""People of an account and its roles, as they go out."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from saas.schemas.fields import Out


class UserOut(Out):
    id: UUID
    username: str
    email: str
    status: str
    roles: list[str]
    created_at: datetime


class RoleOut(Out):
    id: UUID
    name: str
    system: bool
    permissions: list[str]
    created_at: datetime
