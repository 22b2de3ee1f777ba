"""People of an account, in and out."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from saas.schemas.fields import BLANK_IS_NONE, In, Out, PlainText, TextRule, Username
from saas.schemas.list_schemas import ListIn


class ListUsersIn(ListIn):
    """``search``: the beginning of a username or an address."""

    search: Annotated[Annotated[str, TextRule(100)] | None, BLANK_IS_NONE] = None


class UpdateUserIn(In):
    """What of a person can be changed."""

    username: Username


class ReasonIn(In):
    """Why; it stands in the audit log."""

    reason: Annotated[str, PlainText(500)] | None = None


class UserOut(Out):
    """A person of the account, with the names of their roles."""

    id: UUID
    username: str
    email: str
    status: str
    roles: list[str]
    created_at: datetime


class HeldPermissionOut(Out):
    """A permission that a person holds, and the roles that give it."""

    permission: str
    roles: list[str]
