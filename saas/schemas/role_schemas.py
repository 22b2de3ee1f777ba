"""Roles and permissions, in and out."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, Field, RootModel

from saas.permissions import Permission
from saas.schemas.fields import In, Out, TextRule, refuse


def _role_name(text: str) -> str:
    if (
        text != text.strip()
        or not set(text) <= set("abcdefghijklmnopqrstuvwxyz0123456789 _-")
        or not text[:1].isalpha()
    ):
        raise refuse(
            "Role names are in lower case: they begin with a letter and have letters, digits, spaces, _ and -."
        )
    return text


_PATTERN = {
    "pattern": "^[a-z]([a-z0-9 _-]*[a-z0-9_-])?$"
}  # the rule above, for the OpenAPI document
RoleName = Annotated[
    str, TextRule(40), AfterValidator(_role_name), Field(json_schema_extra=_PATTERN)
]
Permissions = Annotated[list[Annotated[Permission, Field(strict=False)]], Field(max_length=200)]


class CreateRoleIn(In):
    """A new role: its name, and what it gives."""

    name: RoleName
    permissions: Permissions


class UpdateRoleIn(In):
    """What of a role can be changed; what is left out stays."""

    name: RoleName | None = None
    permissions: Permissions | None = None


class UpdateRoleQuery(In):
    """``preview=true`` answers who would gain and lose what, and changes nothing."""

    preview: bool = False


class GrantRoleIn(In):
    """The role to give."""

    role_id: UUID


class RoleOut(Out):
    """A role, what it gives, and how many people hold it."""

    id: UUID
    name: str
    system: bool
    permissions: list[str]
    people: int
    created_at: datetime


class PermissionOut(Out):
    """A permission and what it means."""

    name: str
    description: str


class EffectOut(Out):
    """What a change of a role means for one of its holders."""

    id: UUID
    username: str
    gains: list[str]
    loses: list[str]


class PreviewOut(Out):
    """Who would gain and lose what."""

    effects: list[EffectOut]


class RoleOrPreviewOut(RootModel[RoleOut | PreviewOut]):
    """The changed role; with ``preview=true`` only what the change would mean."""
