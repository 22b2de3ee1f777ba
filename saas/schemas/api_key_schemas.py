"""API keys, in and out."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import AwareDatetime

from saas.schemas.fields import In, Out, PlainText
from saas.schemas.role_schemas import Permissions


class CreateApiKeyIn(In):
    """A new key: its name, a part of one's own permissions, and when it ends (never, when left out)."""

    name: Annotated[str, PlainText(80)]
    permissions: Permissions
    expires_at: AwareDatetime | None = None


class ApiKeyOut(Out):
    """A key, without its secret."""

    id: UUID
    name: str
    permissions: list[str]
    made_by: str
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None


class NewApiKeyOut(Out):
    """A key that was just made: ``key`` is shown this once."""

    id: UUID
    name: str
    permissions: list[str]
    expires_at: datetime | None
    key: str
